#pragma once
// Incremental reader of HTTP/1.x responses, without a socket: for the load generator and the client of commands.
//
// Invariants:
// 1. What put() returns, and what the parser holds after it, does not depend on how the bytes were cut.
// 2. Nothing grows beyond kMostHeadBytes and `most_body_bytes`.
// 3. In the steady state (reset() and the next response of the same size) nothing is allocated.

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/error.hpp"
#include "proto/http/chunked.hpp"

namespace doorbuster::http {

class ResponseParser {
 public:
  static constexpr std::size_t kMostHeadBytes = 16 * 1024;

  explicit ResponseParser(std::size_t most_body_bytes);

  /// Takes bytes as they come from the socket, up to the end of the response. Interim responses (1xx) are read
  /// over. \returns how many were taken: fewer than given only when done(), the rest belongs to the next response;
  /// malformed, too_large. After a failure only reset() makes sense.
  Result<std::size_t> put(std::string_view bytes);
  /// The peer has closed: the end of a body that has no length of its own, a failure anywhere else.
  Result<void> finish();
  bool done() const { return state_ == State::done; }
  /// No byte of a response has been seen since reset(): a connection that closes now has lost nothing.
  bool untouched() const { return untouched_; }

  /// These are meaningful once done(), and hold until reset().
  int status() const { return status_; }
  bool keep_alive() const { return keep_alive_; }
  std::string_view body() const { return body_; }
  /// `Retry-After`, `Content-Type` or `Location`, compared without case; any other name gives nothing.
  std::string_view header(std::string_view name) const;

  /// Begins the next response. \param head_request it answers a HEAD: its length is announced, but no body comes
  void reset(bool head_request = false);

 private:
  enum class State : std::uint8_t { head, counted_body, chunked_body, body_until_close, done, failed };

  Result<std::size_t> put_head(std::string_view bytes);
  Result<void> read_head(std::string_view head);
  Result<void> read_field(std::string_view line);
  Result<void> begin_body();
  Error fail(ErrorCode code, std::string detail);

  std::size_t most_body_bytes_;
  std::string head_;  // only of a head that came in pieces
  std::string body_;
  std::array<std::string, 3> kept_;
  ChunkedDecoder chunks_;
  std::uint64_t length_ = 0;  // announced
  std::uint64_t left_ = 0;    // of the counted body
  int status_ = 0;
  State state_ = State::head;
  bool untouched_ = true;
  bool head_request_ = false;
  bool keep_alive_ = true;
  bool has_length_ = false;
  bool chunked_ = false;
};

}  // namespace doorbuster::http
