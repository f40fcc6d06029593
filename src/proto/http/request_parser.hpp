#pragma once
// Requests out of bytes, without a socket. Strict: what different programs read in different ways is refused
// (request smuggling: RFC 9112 sections 2.2, 5, 6, 11.2).
//
// The input is given anew with each call, from the first byte of the request on: nothing is copied but the
// body of a chunked request. One thread.

#include <string>
#include <string_view>
#include <vector>

#include "proto/http/message.hpp"

namespace doorbuster::http {

struct ParseLimits {
  std::size_t header_bytes = 8 * 1024;  ///< request line and headers together
  std::size_t headers = 64;
  std::size_t body_bytes = 4 * 1024;
};

/// Why a request was refused: status and problem type of the reply, after which the connection is closed.
struct ParseFailure {
  int status = 400;
  std::string_view slug;
  std::string_view title;
  std::string_view detail;
};

class RequestParser {
 public:
  enum class Status : std::uint8_t { need_more, complete, failed };

  explicit RequestParser(ParseLimits limits = {}) : limits_(limits) {}

  /// \param input all bytes of the request so far, and perhaps of the next ones. After need_more, the same
  /// bytes
  ///        with more behind them. After complete, call reset() before the next request.
  Status parse(std::string_view input);

  /// After complete: views into the input and into this parser.
  const Request& request() const { return request_; }
  std::size_t consumed() const { return consumed_; }
  bool keep_alive() const { return keep_alive_; }
  bool http_1_0() const { return http_1_0_; }
  /// The head is there, the client waits for `100 Continue` before it sends the body. After need_more.
  bool expects_continue() const { return expects_continue_; }
  /// After failed.
  const ParseFailure& failure() const { return failure_; }
  void reset();

 private:
  Status fail(const ParseFailure& failure);
  Status check_first_line(std::string_view input);
  bool parse_request_line(std::string_view line);
  bool parse_target(std::string_view target);
  bool parse_header(std::string_view line);
  bool check_framing();
  Status parse_body(std::string_view input);
  Status parse_chunks(std::string_view input);

  ParseLimits limits_;
  Request request_;
  std::vector<HeaderView> headers_;
  std::string decoded_;  // of a chunked body
  ParseFailure failure_;
  std::size_t scanned_ = 0;     // bytes known to hold no end of the head
  std::size_t head_bytes_ = 0;  // 0: the head is not complete
  std::size_t consumed_ = 0;
  std::size_t content_length_ = 0;
  bool line_checked_ = false;
  bool has_length_ = false;
  bool chunked_ = false;
  bool has_host_ = false;
  bool keep_alive_ = true;
  bool http_1_0_ = false;
  bool expects_continue_ = false;
};

}  // namespace doorbuster::http
