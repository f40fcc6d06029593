#pragma once
// Reader of HTTP/1.x requests (RFC 9112), without a socket and without a copy: the caller keeps the bytes.
//
//   parser.parse(bytes since the request's first)  ──▶ need_more read on, call again with all of them
//                                                  ──▶ complete  request(), consumed(); then reset()
//                                                  ──▶ streams   a long body: request() without it,
//                                                                consumed() bytes are read; then read_body()
//                                                  ──▶ failed    failure(); the connection cannot go on
//
// Strict where leniency lets two readers of the same bytes disagree (request smuggling): refused are bare LF
// and CR, folded lines, blanks before a colon, control characters, Content-Length beside Transfer-Encoding,
// differing lengths, and a missing or second Host.
//
// Invariants:
// 1. The result does not depend on how the bytes were cut (tests/fuzz/http_request).
// 2. No byte is looked at twice, however small the pieces: work is linear in the size of the request.
// 3. In the steady state nothing is allocated.
//
// One thread. A parser is about 200 bytes and is needed only while a request is incomplete: connections share
// one.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "proto/http/chunked.hpp"
#include "proto/http/message.hpp"

namespace doorbuster::http {

struct ParseLimits {
  std::size_t header_bytes = 8 * 1024;  ///< request line and header, with the empty line
  std::size_t headers = 64;
  std::size_t body_bytes = 4 * 1024;  ///< decoded
  std::uint64_t streamed_bytes = 0;   ///< a longer body than `body_bytes`, up to this, is read piece by piece
};

/// What the server answers to bytes that are no request.
struct ParseFailure {
  int status = 400;  ///< 400, 413, 431, 501 or 505
  std::string_view detail;
};

class RequestParser {
 public:
  enum class Status : std::uint8_t { need_more, complete, streams, failed };

  explicit RequestParser(const ParseLimits& limits = {}) : limits_(limits) {}

  /// \param bytes from the first of this request on, at least as many as in the call before; they may have
  /// moved
  Status parse(std::string_view bytes);
  /// Begins the next request.
  void reset();

  /// \pre complete or streams. The views point into the bytes of the last call and into the parser.
  const Request& request() const { return request_; }
  /// Bytes of the request. \pre complete or streams
  std::size_t consumed() const { return at_; }
  const ParseFailure& failure() const { return failure_; }

  /// Behind `streams`: the next bytes of the body, behind those that were consumed. `piece` lies in `bytes`
  /// or in the parser. \returns how many bytes were taken; all, unless body_done() or body_failed()
  std::size_t read_body(std::string_view bytes, std::string_view& piece);
  /// What of the body was read together with the head; once.
  std::string_view first_piece() const { return first_piece_; }
  bool body_done() const { return step_ == Step::complete; }
  bool body_failed() const { return step_ == Step::failed; }

  /// The number in `Doorbuster-Correlation`, which the reply carries back; nullopt when there is none.
  std::optional<std::uint64_t> correlation() const { return correlation_; }
  /// What Request::peer will say, which no byte of the request tells.
  void set_peer(std::string_view peer) { request_.peer = peer; }

  /// The client wants the connection to stay. \pre complete
  bool keep_alive() const { return minor_version_ == 1 ? !close_asked_ : keep_alive_asked_ && !close_asked_; }
  /// \pre complete
  bool http_1_0() const { return minor_version_ == 0; }
  /// The head has been read, and the client waits for `100 Continue` before it sends the body.
  bool expects_continue() const {
    return continue_asked_ && step_ != Step::request_line && step_ != Step::fields && minor_version_ == 1;
  }

 private:
  enum class Step : std::uint8_t {
    request_line,
    fields,
    counted_body,
    chunked_body,
    streams,
    complete,
    failed
  };
  struct Field {  // offsets: the caller's bytes may move between two calls
    std::uint32_t name;
    std::uint32_t name_size;
    std::uint32_t value;
    std::uint32_t value_size;
  };
  struct Span {
    std::uint32_t at = 0;
    std::uint32_t size = 0;
  };

  void parse_head(std::string_view bytes);
  void read_request_line(std::string_view bytes, std::string_view line);
  void read_version(std::string_view version);
  void read_target(std::string_view bytes, std::string_view target);
  void read_field(std::string_view bytes, std::string_view line);
  void read_known_field(std::string_view name, std::string_view value);
  void read_content_length(std::string_view value);
  void end_head();
  void parse_chunks(std::string_view bytes);
  bool check_chunks();
  void begin_stream(std::string_view bytes);
  void fill_request(std::string_view bytes);
  void finish(std::string_view bytes);
  void fail(int status, std::string_view detail);

  ParseLimits limits_;
  Request request_;
  ParseFailure failure_;
  std::vector<Field> fields_;
  std::vector<HeaderView> headers_;
  std::string decoded_body_;
  ChunkedDecoder chunks_;
  std::string_view first_piece_;
  std::uint64_t length_ = 0;
  std::optional<std::uint64_t> correlation_;
  std::size_t at_ = 0;       // all before it has been read
  std::size_t scanned_ = 0;  // no end of line between at_ and here
  std::size_t body_at_ = 0;
  Span method_, target_, path_, query_;
  Step step_ = Step::request_line;
  std::uint8_t minor_version_ = 1;
  std::uint8_t hosts_ = 0;
  bool has_length_ = false;
  bool has_coding_ = false;
  bool chunked_ = false;
  bool close_asked_ = false;
  bool keep_alive_asked_ = false;
  bool continue_asked_ = false;
};

}  // namespace doorbuster::http
