#pragma once
// What the tests of HttpServer share: a client that blocks, and a server whose handler is told by the path
// what to do.

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <future>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "net/http_server.hpp"
#include "proto/http/response_parser.hpp"

namespace doorbuster::net {

using namespace std::chrono_literals;

/// A blocking client socket; a read waits ten seconds at most.
class Client {
 public:
  explicit Client(std::uint16_t port, int receive_buffer = 0) {
    socket_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (receive_buffer > 0)
      ::setsockopt(socket_, SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof receive_buffer);
    timeval patience{10, 0};
    ::setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(::connect(socket_, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  }
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;
  ~Client() { close(); }
  void close() {
    if (socket_ >= 0) ::close(std::exchange(socket_, -1));
  }

  void send(std::string_view bytes) const {
    while (!bytes.empty()) {
      const auto sent = ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      ASSERT_GT(sent, 0);
      bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
  }
  void send_slowly(std::string_view bytes) const {
    const int on = 1;
    ::setsockopt(socket_, IPPROTO_TCP, 1 /* TCP_NODELAY */, &on, sizeof on);
    for (const char byte : bytes) send({&byte, 1});
  }
  void end_sending() const { ::shutdown(socket_, SHUT_WR); }

  /// The next reply's status and body; status 0 when the connection ended instead.
  struct Reply {
    int status = 0;
    std::string body;
    std::string content_type;
    bool keep_alive = false;
  };
  Reply reply(bool head_request = false) {
    http::ResponseParser parser(64 << 20);
    parser.reset(head_request);
    while (!parser.done()) {
      if (buffered_.empty() && !fill()) {
        if (parser.put_end()) break;
        return {};
      }
      const auto put = parser.put(buffered_);
      if (!put) return {};
      buffered_.erase(0, *put);
    }
    return {parser.status(), std::string(parser.body()), std::string(parser.header("Content-Type")),
            parser.keep_alive()};
  }
  /// What the next read gives.
  std::string piece() {
    fill();
    return std::exchange(buffered_, {});
  }
  /// Everything until the server closes.
  std::string rest() {
    while (fill()) {
    }
    return std::exchange(buffered_, {});
  }
  bool ended() { return buffered_.empty() && !fill(); }

 private:
  bool fill() {
    char bytes[4096];
    const auto got = ::recv(socket_, bytes, sizeof bytes, 0);
    if (got <= 0) return false;
    buffered_.append(bytes, static_cast<std::size_t>(got));
    return true;
  }
  int socket_;
  std::string buffered_;
};

/// Three numbered pieces, then the end; or a failure in the middle.
class Pieces final : public BodySource {
 public:
  Pieces(int count, std::size_t bytes, bool fails) : count_(count), bytes_(bytes), fails_(fails) {}
  void next(Next done) override {
    if (given_ == count_) {
      if (fails_) return done(make_error(ErrorCode::unavailable, "the database has gone"));
      return done(std::optional<std::string>());
    }
    done(std::optional(std::string(bytes_, static_cast<char>('a' + given_++ % 26))));
  }

 private:
  int count_;
  std::size_t bytes_;
  bool fails_;
  int given_ = 0;
};

class HttpServerTest : public testing::Test {
 protected:
  HttpServerTest() { shard_.start(); }
  ~HttpServerTest() override {
    shard_.run([this] {
      held_.clear();
      server_ = nullptr;
    });
    shard_.stop();
  }

  void serve(HttpServerOptions options = {}) {
    shard_.run([&] {
      server_ = std::make_unique<HttpServer>(shard_, options,
                                             [this](const http::Request& request, Responder responder) {
                                               handle(request, std::move(responder));
                                             });
      ASSERT_TRUE(server_->listen());
      port_ = server_->port();
    });
  }

  void handle(const http::Request& request, Responder responder) {
    ++handled_;
    http::Response response;
    if (request.path == "/hold") {
      held_.push_back(std::move(responder));
      if (held_.size() == hold_until_) release();
      return;
    }
    if (request.path == "/forget") return;
    if (request.path == "/pieces") {
      return responder.send_stream(response, std::make_unique<Pieces>(3, 5, request.query == "fail"));
    }
    if (request.path == "/much")
      return responder.send_stream(response, std::make_unique<Pieces>(2000, 10'000, false));
    if (request.path == "/large") {
      response.body = std::string(100'000, 'x');
      return responder.send(response);
    }
    response.body = std::string(to_text(request.method)) + " " + std::string(request.target) + " " +
                    std::string(request.body);
    responder.send(response);
  }

  /// Answers what is held, the last one first.
  void release() {
    for (std::size_t i = held_.size(); i-- > 0;) {
      http::Response response;
      response.body = "reply " + std::to_string(i);
      held_[i].send(response);
    }
    held_.clear();
  }

  HttpServerStats stats() {
    HttpServerStats stats;
    shard_.run([&] { stats = server_->stats(); });
    return stats;
  }

  rt::Shard shard_{"test"};
  std::unique_ptr<HttpServer> server_;
  std::uint16_t port_ = 0;
  std::vector<Responder> held_;
  std::size_t hold_until_ = 0;
  std::atomic<int> handled_{0};
};

}  // namespace doorbuster::net
