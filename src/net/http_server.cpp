#include "net/http_server.hpp"

#include <fmt/format.h>
#include <sys/socket.h>

#include <boost/asio/basic_socket_acceptor.hpp>
#include <boost/asio/basic_waitable_timer.hpp>
#include <cerrno>
#include <chrono>

#include "base/log.hpp"
#include "net/http_connection.hpp"
#include "proto/http/problem.hpp"

namespace doorbuster::net {

namespace asio = boost::asio;
using asio::ip::tcp;

namespace {

using Timer = asio::basic_waitable_timer<std::chrono::steady_clock,
                                         asio::wait_traits<std::chrono::steady_clock>, SocketExecutor>;

using Acceptor = asio::basic_socket_acceptor<tcp, SocketExecutor>;

constexpr int kBacklog = 4096;  // a drop's crowd connects within one second
/// Connections over the limit that still read their 503; beyond them, further ones are cut without a word.
constexpr std::size_t kMostRefusedOpen = 256;
/// Without descriptors an accept would fail at once again.
constexpr auto kAcceptPause = std::chrono::milliseconds(100);

Error bind_failed(std::string_view what, const std::string& bind, std::uint16_t port,
                  const boost::system::error_code& error) {
  return make_error(ErrorCode::unavailable,
                    fmt::format("cannot {} {}:{}: {}", what, bind, port, error.message()), "port");
}

/// Opens `acceptor` and binds it.
Result<void> bind_acceptor(Acceptor& acceptor, const std::string& bind, std::uint16_t port, bool share) {
  boost::system::error_code error;
  const auto address = asio::ip::make_address(bind == "localhost" ? "127.0.0.1" : bind, error);
  if (error) {
    return make_error(ErrorCode::invalid, fmt::format("'{}' is not an IP address to listen on", bind),
                      "bind");
  }
  const tcp::endpoint endpoint(address, port);
  acceptor.open(endpoint.protocol(), error);
  if (error) return bind_failed("open a socket for", bind, port, error);
  acceptor.set_option(asio::socket_base::reuse_address(true), error);
  const int on = 1;
  if (share && ::setsockopt(acceptor.native_handle(), SOL_SOCKET, SO_REUSEPORT, &on, sizeof on) != 0) {
    return bind_failed("share", bind, port, {errno, boost::system::system_category()});
  }
  acceptor.bind(endpoint, error);
  if (error) return bind_failed("listen on", bind, port, error);
  return {};
}

}  // namespace

class HttpServer::Impl : public ConnectionHost, public std::enable_shared_from_this<Impl> {
 public:
  Impl(rt::Shard& the_shard, const HttpServerOptions& the_options, Handler the_handler)
      : ConnectionHost(the_shard, the_options, std::move(the_handler)),
        acceptor_(shard.context().get_executor()),
        tick_timer_(shard.context().get_executor()),
        accept_timer_(shard.context().get_executor()),
        patience_timer_(shard.context().get_executor()) {}

  Result<void> listen();
  void drain(Duration patience, UniqueFunction<void()> done);
  void stop();
  std::uint16_t port() const { return port_; }

 private:
  void accept();
  void admit(StreamSocket socket);
  void accept_the_rest();
  void close_idle();
  void start_tick();

  Acceptor acceptor_;
  Timer tick_timer_;
  Timer accept_timer_;
  Timer patience_timer_;
  std::uint16_t port_ = 0;
  bool stopped_ = false;
};

Result<void> HttpServer::Impl::listen() {
  if (const auto bound = bind_acceptor(acceptor_, options.bind, options.port, options.share_port); !bound) {
    return bound.error();
  }
  boost::system::error_code error;
  acceptor_.listen(kBacklog, error);
  if (error) return bind_failed("listen on", options.bind, options.port, error);
  port_ = acceptor_.local_endpoint(error).port();
  self = weak_from_this();
  accept();
  start_tick();
  return {};
}

void HttpServer::Impl::accept() {
  acceptor_.async_accept(
      [me = shared_from_this()](const boost::system::error_code& error, StreamSocket socket) {
        if (me->stopped_ || me->draining) {
          if (!error && !me->stopped_) me->admit(std::move(socket));
          return;
        }
        if (!error) {
          me->admit(std::move(socket));
          return me->accept();
        }
        // Out of file descriptors, mostly: connections wait in the backlog until some are free.
        log().warn("cannot accept a connection: {}", error.message());
        me->accept_timer_.expires_after(kAcceptPause);
        me->accept_timer_.async_wait([me](const boost::system::error_code& cancelled) {
          if (!cancelled && !me->stopped_ && !me->draining) me->accept();
        });
      });
}

void HttpServer::Impl::admit(StreamSocket socket) {
  ++stats.accepted;
  boost::system::error_code ignored;
  socket.set_option(tcp::no_delay(true), ignored);
  if (stats.open < options.most_connections) {
    auto connection = std::make_shared<HttpConnection>(*this, std::move(socket));
    add(connection);
    return connection->start();
  }
  ++stats.refused;
  if (connections.size() - stats.open >= kMostRefusedOpen) return;
  auto connection = std::make_shared<HttpConnection>(*this, std::move(socket));
  connection->refuse(http::server_problem(503, "this server has as many connections as it takes"));
  add(std::move(connection));
}

void HttpServer::Impl::start_tick() {
  tick_timer_.expires_after(tick_length);
  tick_timer_.async_wait([me = shared_from_this()](const boost::system::error_code& error) {
    if (error || me->stopped_) return;
    me->sweep();
    me->start_tick();
  });
}

/// Those who have connected already are clients like the others; closing the acceptor would reset them.
void HttpServer::Impl::accept_the_rest() {
  boost::system::error_code error;
  acceptor_.non_blocking(true, error);
  for (;;) {
    StreamSocket socket(shard.context().get_executor());
    acceptor_.accept(socket, error);
    if (error) return;
    admit(std::move(socket));
  }
}

void HttpServer::Impl::drain(Duration patience, UniqueFunction<void()> done) {
  if (acceptor_.is_open()) accept_the_rest();
  draining = true;
  boost::system::error_code ignored;
  acceptor_.close(ignored);
  // In the next turn: what has been read from a socket already, its handler takes first.
  shard.post([me = shared_from_this()] { me->close_idle(); });
  when_empty = [me = shared_from_this(), held = std::move(done)]() mutable {
    me->patience_timer_.cancel();
    held();
  };
  if (connections.empty()) return shard.post(std::move(when_empty));
  patience_timer_.expires_after(patience);
  patience_timer_.async_wait([me = shared_from_this()](const boost::system::error_code& error) {
    if (!error) me->stop();
  });
}

void HttpServer::Impl::close_idle() {
  const auto all = connections;
  for (const auto& connection : all) {
    if (connection->idle() && !connection->has_unread()) connection->close();
  }
}

void HttpServer::Impl::stop() {
  stopped_ = true;
  boost::system::error_code ignored;
  acceptor_.close(ignored);
  tick_timer_.cancel();
  accept_timer_.cancel();
  const auto all = connections;
  for (const auto& connection : all) connection->close();
}

Result<void> probe_port(const std::string& bind, std::uint16_t port) {
  asio::io_context context(1);
  Acceptor acceptor(context.get_executor());
  return bind_acceptor(acceptor, bind, port, false);
}

HttpServer::HttpServer(rt::Shard& shard, HttpServerOptions options, Handler handler)
    : impl_(std::make_shared<Impl>(shard, options, std::move(handler))) {}

HttpServer::~HttpServer() {
  impl_->stop();
}

Result<void> HttpServer::listen() {
  return impl_->listen();
}
std::uint16_t HttpServer::port() const {
  return impl_->port();
}
void HttpServer::drain(Duration patience, UniqueFunction<void()> done) {
  impl_->drain(patience, std::move(done));
}
void HttpServer::stop() {
  impl_->stop();
}
HttpServerStats HttpServer::stats() const {
  return impl_->stats;
}

}  // namespace doorbuster::net
