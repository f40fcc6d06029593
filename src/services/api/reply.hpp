#pragma once
// Where an answer goes: to a connection of the HTTP server or, in tests and the simulator, to whoever asked.

#include <memory>

#include "net/http_server.hpp"

namespace doorbuster::api {

/// Takes the answer to one request without a socket.
class ReplySink {
 public:
  virtual ~ReplySink() = default;
  virtual void send(const http::Response& response) = 0;
  virtual void send_stream(const http::Response& head, std::unique_ptr<net::BodySource> body) = 0;
};

/// The right to answer one request, once. Move-only; same thread as net::Responder.
class Reply {
 public:
  Reply() = default;
  Reply(net::Responder responder) noexcept
      : responder_(std::move(responder)) {}  // NOLINT: one wraps the other
  explicit Reply(std::unique_ptr<ReplySink> sink) noexcept : sink_(std::move(sink)) {}

  void send(const http::Response& response) {
    if (const auto sink = std::move(sink_)) {
      sink->send(response);
    } else {
      std::exchange(responder_, {}).send(response);
    }
  }
  void send_stream(const http::Response& head, std::unique_ptr<net::BodySource> body) {
    if (const auto sink = std::move(sink_)) {
      sink->send_stream(head, std::move(body));
    } else {
      std::exchange(responder_, {}).send_stream(head, std::move(body));
    }
  }

 private:
  net::Responder responder_;
  std::unique_ptr<ReplySink> sink_;
};

}  // namespace doorbuster::api
