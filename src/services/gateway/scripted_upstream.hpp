#pragma once
// For tests: an instance that does what its script says, well or badly. Sockets that block, a thread for each
// connection; everything ends with the object.

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace doorbuster::gateway {

class ScriptedUpstream {
 public:
  struct Request {
    std::string method, target, head, body;
    std::string correlation;  // the header line to send back, with CR LF; empty when there was none
    bool has(const std::string& text) const { return head.find(text) != std::string::npos; }
  };

  class Connection {
   public:
    explicit Connection(int socket) : socket_(socket) {}
    /// The next request with its whole body; nullopt at the end of the connection.
    std::optional<Request> read() {
      for (;;) {
        auto request = read_any();
        if (!request || !request->has("User-Agent: doorbuster-gateway")) return request;
        send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");  // a check
        end_sending();
      }
    }
    void send(const std::string& bytes) const {
      std::size_t sent = 0;
      while (sent < bytes.size()) {
        const auto size = ::send(socket_, bytes.data() + sent, bytes.size() - sent, MSG_NOSIGNAL);
        if (size <= 0) return;
        sent += static_cast<std::size_t>(size);
      }
    }
    void answer(const Request& request, const std::string& body, const std::string& fields = "") const {
      send("HTTP/1.1 200 OK\r\n" + request.correlation + fields +
           "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body);
    }
    void end_sending() const { ::shutdown(socket_, SHUT_WR); }
    void close() const { ::shutdown(socket_, SHUT_RDWR); }
    void reset() {
      const linger hard{1, 0};
      ::setsockopt(socket_, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
      ::close(socket_.exchange(-1));
    }
    /// Reads until the other side closes. \returns what came
    std::string rest() {
      while (fill()) {
      }
      return std::exchange(pending_, {});
    }
    std::optional<std::string> head() {
      auto end = pending_.find("\r\n\r\n");
      while (end == std::string::npos) {
        if (!fill()) return std::nullopt;
        end = pending_.find("\r\n\r\n");
      }
      auto text = pending_.substr(0, end + 4);
      pending_.erase(0, end + 4);
      return text;
    }
    bool fill() {
      char bytes[16384];
      const auto got = socket_ < 0 ? 0 : ::recv(socket_, bytes, sizeof bytes, 0);
      if (got <= 0) return false;
      pending_.append(bytes, static_cast<std::size_t>(got));
      return true;
    }
    int socket() const { return socket_; }
    std::string& pending() { return pending_; }

   private:
    std::optional<Request> read_any() {
      auto text = head();
      if (!text) return std::nullopt;
      Request request;
      request.head = *text;
      const auto first = text->find(' ');
      request.method = text->substr(0, first);
      request.target = text->substr(first + 1, text->find(' ', first + 1) - first - 1);
      if (const auto at = text->find("Doorbuster-Correlation"); at != std::string::npos) {
        request.correlation = text->substr(at, text->find("\r\n", at) + 2 - at);
      }
      if (const auto at = text->find("Content-Length: "); at != std::string::npos) {
        const auto length = std::stoul(text->substr(at + 16));
        while (pending_.size() < length) {
          if (!fill()) return std::nullopt;
        }
        request.body = pending_.substr(0, length);
        pending_.erase(0, length);
      } else if (text->find("Transfer-Encoding: chunked") != std::string::npos) {
        while (pending_.find("0\r\n\r\n") == std::string::npos) {
          if (!fill()) return std::nullopt;
        }
        request.body = std::exchange(pending_, {});
      }
      return request;
    }
    std::atomic<int> socket_;  // also of the thread that ends everything
    std::string pending_;
  };

  using Script = std::function<void(Connection&)>;

  /// \param script runs for each connection; when it returns, the connection is closed
  explicit ScriptedUpstream(Script script, std::uint16_t port = 0) : script_(std::move(script)) {
    listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const int on = 1;
    ::setsockopt(listener_, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(::bind(listener_, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    EXPECT_EQ(::listen(listener_, 128), 0);
    socklen_t size = sizeof address;
    ::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size);
    port_ = ntohs(address.sin_port);
    acceptor_ = std::thread([this] { accept_all(); });
  }
  ScriptedUpstream(const ScriptedUpstream&) = delete;
  ScriptedUpstream& operator=(const ScriptedUpstream&) = delete;
  ~ScriptedUpstream() { stop(); }

  /// As if its process were killed: all connections are reset, and the port is closed.
  void stop() {
    if (listener_ < 0) return;
    stopping_ = true;
    ::shutdown(listener_, SHUT_RDWR);
    acceptor_.join();
    ::close(std::exchange(listener_, -1));
    {
      const std::lock_guard lock(mutex_);
      for (const auto& one : all_) {
        if (const int socket = one->socket(); socket >= 0) ::shutdown(socket, SHUT_RDWR);
      }
    }
    for (auto& thread : threads_) thread.join();
    for (const auto& one : all_) {
      if (one->socket() >= 0) ::close(one->socket());
    }
  }

  std::uint16_t port() const { return port_; }
  int connections() const { return connections_; }

 private:
  void accept_all() {
    while (!stopping_) {
      const int socket = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
      if (socket < 0) return;
      ++connections_;
      auto connection = std::make_shared<Connection>(socket);
      const std::lock_guard lock(mutex_);
      all_.push_back(connection);
      threads_.emplace_back([this, connection] {
        script_(*connection);
        if (connection->socket() >= 0) connection->close();
      });
    }
  }

  Script script_;
  int listener_ = -1;
  std::uint16_t port_ = 0;
  std::atomic<bool> stopping_{false};
  std::atomic<int> connections_{0};
  std::thread acceptor_;
  std::mutex mutex_;
  std::vector<std::shared_ptr<Connection>> all_;
  std::vector<std::thread> threads_;
};

/// Something that a thread waits for and another one lets happen.
class Signal {
 public:
  void give() {
    const std::lock_guard lock(mutex_);
    ++given_;
    changed_.notify_all();
  }
  /// \returns false when it has not been given so often within ten seconds
  bool wait(int times = 1) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, std::chrono::seconds(10), [&] { return given_ >= times; });
  }
  int given() {
    const std::lock_guard lock(mutex_);
    return given_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  int given_ = 0;
};

}  // namespace doorbuster::gateway
