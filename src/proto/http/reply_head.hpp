#pragma once
// Reader of the head of an HTTP/1.x response, in place, without a copy: for the gateway, which hands
// responses on. (ResponseParser copies head and body, which is what commands and the load generator want.)
//
// As strict as RequestParser: what two readers could understand in different ways is refused, and so is what
// the gateway never asks for (101, several codings).
//
// One thread; in the steady state nothing is allocated.

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "proto/http/message.hpp"

namespace doorbuster::http {

class ReplyHead {
 public:
  enum class Status : std::uint8_t { need_more, complete, failed };
  /// How the body ends. `none`: there is none, whatever the fields say (HEAD, 204, 304).
  enum class Body : std::uint8_t { none, counted, chunked, until_close };

  explicit ReplyHead(std::size_t most_bytes = 16 * 1024, std::size_t most_fields = 100)
      : most_bytes_(most_bytes), most_fields_(most_fields) {}

  /// Reads the head at the beginning of `bytes`, from its first byte each time. \param to_head the request
  /// was HEAD. Interim responses (1xx) are complete heads with interim() set.
  Status parse(std::string_view bytes, bool to_head);

  /// \pre complete, for all below. Views point into the bytes of the call.
  int status() const { return status_; }
  std::string_view reason() const { return reason_; }
  std::span<const HeaderView> fields() const { return fields_; }
  std::size_t size() const { return size_; }
  bool interim() const { return status_ < 200; }
  Body body() const { return body_; }
  std::uint64_t length() const {
    return length_;
  }  ///< of a counted body; also told to HEAD when has_length()
  bool has_length() const { return has_length_; }
  bool keep_alive() const { return keep_alive_; }
  /// Names listed in `Connection`, beside close and keep-alive; empty mostly.
  std::string_view connection() const { return connection_; }
  bool many_connection_fields() const { return connections_ > 1; }
  /// Value of `Doorbuster-Correlation`; empty when there is none.
  std::string_view correlation() const { return correlation_; }
  /// `Keep-Alive: timeout=N`, in seconds; -1 when it is not said.
  int keep_alive_timeout() const { return keep_alive_timeout_; }

  /// \pre failed
  std::string_view failure() const { return failure_; }

 private:
  Status fail(std::string_view why) {
    failure_ = why;
    return Status::failed;
  }
  bool read_status_line(std::string_view line);
  bool read_field(std::string_view line);
  bool read_known_field(std::string_view name, std::string_view value);
  bool frame(bool to_head);

  std::size_t most_bytes_;
  std::size_t most_fields_;
  std::vector<HeaderView> fields_;
  std::string_view reason_, correlation_, connection_, failure_;
  std::uint64_t length_ = 0;
  std::size_t size_ = 0;
  int status_ = 0;
  int keep_alive_timeout_ = -1;
  int connections_ = 0;
  Body body_ = Body::none;
  bool has_length_ = false;
  bool has_coding_ = false;
  bool chunked_ = false;
  bool old_version_ = false;
  bool close_said_ = false;
  bool keep_alive_said_ = false;
  bool keep_alive_ = true;
};

/// Sent with each pipelined request, and expected back with its reply.
inline constexpr std::string_view kCorrelationHeader = "Doorbuster-Correlation";

}  // namespace doorbuster::http
