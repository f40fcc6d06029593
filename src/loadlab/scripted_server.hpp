#pragma once
// A server for tests that answers every request with exactly the bytes that the test says, right or wrong.

#include <array>
#include <atomic>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/write.hpp>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <utility>

namespace doorbuster::loadlab {

class ScriptedServer {
 public:
  struct Answer {
    std::string bytes;  ///< empty: none
    bool close_after = false;
  };
  /// \param number of the request over all connections, from 0. Runs on the server's thread.
  using Script = std::function<Answer(std::uint64_t number, const std::string& user)>;

  explicit ScriptedServer(Script script)
      : script_(std::move(script)), acceptor_(context_, {boost::asio::ip::address_v4::loopback(), 0}) {
    accept();
    thread_ = std::thread([this] { context_.run(); });
  }
  ~ScriptedServer() {
    context_.stop();
    thread_.join();
  }
  ScriptedServer(const ScriptedServer&) = delete;
  ScriptedServer& operator=(const ScriptedServer&) = delete;

  std::uint16_t port() const { return port_; }
  std::string url() const { return "http://127.0.0.1:" + std::to_string(port_); }
  std::uint64_t requests() const { return requests_; }
  std::uint64_t connections() const { return connections_; }

 private:
  using Tcp = boost::asio::ip::tcp;

  struct Connection : std::enable_shared_from_this<Connection> {
    Connection(Tcp::socket connected, ScriptedServer& owner) : socket(std::move(connected)), server(owner) {}

    void read() {
      socket.async_read_some(boost::asio::buffer(input),
                             [self = shared_from_this()](auto error, std::size_t size) {
                               if (error) return;
                               self->text.append(self->input.data(), size);
                               self->answer();
                             });
    }
    /// A request ends with the brace of its body: the only one in it. A GET has none: its path is told as the
    /// user.
    void answer() {
      if (text.starts_with("GET ")) return answer_get();
      const auto end = text.find('}');
      if (end == text.npos) {
        read();
        return;
      }
      const auto colon = text.rfind(':', end);
      const auto user = text.substr(colon + 1, end - colon - 1);
      text.erase(0, end + 1);
      say(user);
    }
    void answer_get() {
      const auto end = text.find("\r\n\r\n");
      if (end == text.npos) {
        read();
        return;
      }
      const auto path = text.substr(4, text.find(' ', 4) - 4);
      text.erase(0, end + 4);
      say(path);
    }
    void say(const std::string& user) {
      auto said = server.script_(server.requests_++, user);
      reply = std::move(said.bytes);
      boost::asio::async_write(
          socket, boost::asio::buffer(reply),
          [self = shared_from_this(), close = said.close_after](auto error, std::size_t) {
            if (!error && !close) self->read();
          });
    }

    Tcp::socket socket;
    ScriptedServer& server;
    std::array<char, 4096> input{};
    std::string text;
    std::string reply;
  };

  void accept() {
    acceptor_.async_accept([this](auto error, Tcp::socket socket) {
      if (error) return;
      ++connections_;
      std::make_shared<Connection>(std::move(socket), *this)->read();
      accept();
    });
  }

  Script script_;
  boost::asio::io_context context_{1};
  Tcp::acceptor acceptor_;
  const std::uint16_t port_ = acceptor_.local_endpoint().port();
  std::atomic<std::uint64_t> requests_{0};
  std::atomic<std::uint64_t> connections_{0};
  std::thread thread_;
};

}  // namespace doorbuster::loadlab
