#pragma once
// What the connections of a server share. Private to src/net.

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <memory>
#include <vector>

#include "net/http_connection.hpp"
#include "net/http_server.hpp"

namespace doorbuster::net {

class HttpServerImpl : public std::enable_shared_from_this<HttpServerImpl> {
 public:
  HttpServerImpl(rt::Shard& shard, HttpServerOptions options, HttpServer::Handler handler);

  Result<void> listen();
  std::uint16_t port() const;
  void drain(Duration patience, UniqueFunction<void()> done);
  void stop();

  void add(HttpConnection& connection);
  void remove(HttpConnection& connection);
  /// `connection` has something to write at the end of this turn.
  void flush_later(std::shared_ptr<HttpConnection> connection);

  const HttpServerOptions& options() const { return options_; }
  HttpConnection::SteadyTime now() const { return now_; }
  void handle(const http::Request& request, Responder responder) { handler_(request, std::move(responder)); }
  bool draining() const { return draining_; }

  HttpServerStats stats;

 private:
  void accept();
  void on_accept(boost::system::error_code error, boost::asio::ip::tcp::socket socket);
  void sweep();
  void check_drained();

  rt::Shard& shard_;
  HttpServerOptions options_;
  HttpServer::Handler handler_;
  boost::asio::ip::tcp::acceptor acceptor_;
  boost::asio::steady_timer sweep_timer_;
  boost::asio::steady_timer drain_timer_;
  std::vector<HttpConnection*> connections_;
  std::vector<std::shared_ptr<HttpConnection>> to_flush_;
  UniqueFunction<void()> drained_;
  HttpConnection::SteadyTime now_ =
      std::chrono::steady_clock::now();  // as of the last sweep: good enough for time-outs
  bool draining_ = false;
  bool stopped_ = false;
};

}  // namespace doorbuster::net
