#pragma once
// Responses out of bytes, for our own clients: the load generator and the commands. Incremental and bounded.
// One thread.

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "base/error.hpp"

namespace doorbuster::http {

class ResponseParser {
 public:
  explicit ResponseParser(std::size_t most_body_bytes, std::size_t most_head_bytes = 16 * 1024)
      : most_body_bytes_(most_body_bytes), most_head_bytes_(most_head_bytes) {}

  /// Takes what belongs to this response. \returns how many bytes that was (fewer only when done()), or
  /// malformed, too_large
  Result<std::size_t> put(std::string_view bytes);
  /// The other side has closed: ends a body that has no other end. \returns malformed when something is
  /// missing
  Result<void> put_end();

  bool done() const { return state_ == State::done; }
  /// Whether nothing of this response has arrived.
  bool untouched() const { return state_ == State::head && head_.empty(); }
  /// The final head has been read: status() and header() tell.
  bool has_head() const { return state_ != State::head; }
  int status() const { return status_; }
  bool keep_alive() const { return keep_alive_; }
  std::string_view body() const { return body_; }
  /// What there is of the body so far, which then no longer counts towards its bound: for replies that go on.
  std::string take_body() { return std::exchange(body_, {}); }
  /// Compared without case; empty when there is none.
  std::string_view header(std::string_view name) const;
  /// \param head_request the next response has no body, whatever its headers say
  void reset(bool head_request = false);

 private:
  enum class State : std::uint8_t {
    head,
    body,
    chunk_size,
    chunk_data,
    chunk_end,
    trailer,
    until_close,
    done
  };

  Result<void> parse_head();
  Result<void> take_line(std::string_view& bytes, bool& complete);
  Result<void> take_body(std::string_view& bytes);
  Result<void> take_chunk_line(std::string_view& bytes);

  std::size_t most_body_bytes_;
  std::size_t most_head_bytes_;
  State state_ = State::head;
  std::string head_;  // kept: header() looks into it
  std::string line_;  // of a chunk's size or a trailer
  std::string body_;
  std::size_t left_ = 0;  // bytes of the body or the chunk still to come
  std::size_t trailer_bytes_ = 0;
  int status_ = 0;
  bool keep_alive_ = true;
  bool head_request_ = false;
};

}  // namespace doorbuster::http
