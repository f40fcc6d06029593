#pragma once
// A server for tests of the load generator: real sockets on a free port of loopback, replies by script.

#include <array>
#include <atomic>
#include <boost/asio/buffer.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/write.hpp>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <thread>

namespace doorbuster::loadlab {

/// What the server does with a request.
struct Scripted {
  std::string bytes;  ///< sent as they are; empty: no reply
  bool close_after = false;
};

inline std::string http_reply(int status, const std::string& body, const std::string& headers = {}) {
  return "HTTP/1.1 " + std::to_string(status) + " x\r\nContent-Length: " + std::to_string(body.size()) +
         "\r\n" + headers + "\r\n" + body;
}

inline std::string coupon_body(std::uint64_t sequence, const std::string& user) {
  auto digits = std::to_string(sequence);
  return "{\"code\":\"C" + std::string(15 - digits.size(), '0') + digits +
         "\",\"campaign_id\":\"default\",\"user_id\":\"" + user + "\",\"sequence\":" + digits + "}";
}

/// Runs on a thread of its own; the script is called there, with the user's id as it stands in the body and
/// the number of the request, from 1.
class ScriptedServer {
 public:
  using Script = std::function<Scripted(const std::string& user, std::uint64_t number)>;

  explicit ScriptedServer(Script script) : script_(std::move(script)) {
    accept();
    thread_ = std::thread([this] { context_.run(); });
  }
  ~ScriptedServer() {
    context_.stop();
    thread_.join();
  }
  ScriptedServer(const ScriptedServer&) = delete;
  ScriptedServer& operator=(const ScriptedServer&) = delete;

  std::uint16_t port() const { return acceptor_.local_endpoint().port(); }
  std::string url() const { return "http://127.0.0.1:" + std::to_string(port()); }
  std::uint64_t requests() const { return requests_; }
  std::uint64_t connections() const { return connections_; }
  /// How many connections there were when the first request came.
  std::uint64_t connections_at_first_request() const { return connections_at_first_request_; }
  /// Distinct users seen. After the run only.
  std::size_t users() const { return users_.size(); }

 private:
  using Tcp = boost::asio::ip::tcp;
  struct Connection {
    explicit Connection(Tcp::socket own) : socket(std::move(own)) {}
    Tcp::socket socket;
    std::string seen;
    std::string reply;
    std::array<char, 4096> input{};
  };

  void accept() {
    acceptor_.async_accept([this](const boost::system::error_code& error, Tcp::socket socket) {
      if (error) return;
      ++connections_;
      read(std::make_shared<Connection>(std::move(socket)));
      accept();
    });
  }

  /// Connections that the kernel has made and nobody has fetched yet.
  void accept_waiting() {
    boost::system::error_code error;
    acceptor_.non_blocking(true, error);
    while (true) {
      Tcp::socket socket(context_);
      acceptor_.accept(socket, error);
      if (error) return;
      ++connections_;
      read(std::make_shared<Connection>(std::move(socket)));
    }
  }

  void read(const std::shared_ptr<Connection>& connection) {
    connection->socket.async_read_some(
        boost::asio::buffer(connection->input),
        [this, connection](const boost::system::error_code& error, std::size_t size) {
          if (error) return;
          connection->seen.append(connection->input.data(), size);
          const auto end = connection->seen.find('}');
          if (end == std::string::npos) return read(connection);
          answer(connection);
        });
  }

  void answer(const std::shared_ptr<Connection>& connection) {
    const auto at = connection->seen.find("\"user_id\":") + 10;
    const auto user = connection->seen.substr(at, connection->seen.find('}') - at);
    connection->seen.clear();
    const auto number = ++requests_;
    if (number != 1) return reply(connection, user, number);
    accept_waiting();
    // An accept that has already succeeded is counted by a handler that waits its turn.
    boost::asio::post(context_, [this, connection, user, number] {
      connections_at_first_request_ = connections_.load();
      reply(connection, user, number);
    });
  }

  void reply(const std::shared_ptr<Connection>& connection, const std::string& user, std::uint64_t number) {
    users_.insert(user);
    auto scripted = script_(user, number);
    connection->reply = std::move(scripted.bytes);
    boost::asio::async_write(connection->socket, boost::asio::buffer(connection->reply),
                             [this, connection, close = scripted.close_after](
                                 const boost::system::error_code& error, std::size_t) {
                               if (error) return;
                               if (!close) return read(connection);
                               boost::system::error_code ignored;
                               connection->socket.shutdown(Tcp::socket::shutdown_both, ignored);
                             });
  }

  Script script_;
  boost::asio::io_context context_{1};
  Tcp::acceptor acceptor_{context_, Tcp::endpoint(boost::asio::ip::address_v4::loopback(), 0)};
  std::atomic<std::uint64_t> requests_{0};
  std::atomic<std::uint64_t> connections_{0};
  std::atomic<std::uint64_t> connections_at_first_request_{0};
  std::set<std::string> users_;
  std::thread thread_;
};

}  // namespace doorbuster::loadlab
