#include "net/http_server.hpp"

#include <sys/socket.h>

#include <boost/asio/basic_socket_acceptor.hpp>
#include <boost/asio/basic_waitable_timer.hpp>
#include <cerrno>
#include <chrono>

#include "net/http_connection.hpp"
#include "proto/http/problem.hpp"

namespace doorbuster::net {

namespace asio = boost::asio;
using asio::ip::tcp;

namespace {

using Timer = asio::basic_waitable_timer<std::chrono::steady_clock, asio::wait_traits<std::chrono::steady_clock>,
                                         SocketExecutor>;

constexpr int kBacklog = 4096;
/// Connections over the limit that still read their 503; beyond them, further ones are cut without a word.
constexpr std::size_t kMostRefusedOpen = 256;
/// Without descriptors an accept would fail at once again.
constexpr auto kAcceptPause = std::chrono::milliseconds(100);

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
  void start_tick();

  asio::basic_socket_acceptor<tcp, SocketExecutor> acceptor_;
  Timer tick_timer_;
  Timer accept_timer_;
  Timer patience_timer_;
  std::uint16_t port_ = 0;
  bool stopped_ = false;
};

Result<void> HttpServer::Impl::listen() {
  boost::system::error_code error;
  const auto unavailable = [&](const boost::system::error_code& why) {
    return make_error(ErrorCode::unavailable, "cannot listen on " + options.bind + ":" +
                                                  std::to_string(options.port) + ": " + why.message());
  };
  const auto address = asio::ip::make_address(options.bind, error);
  if (error) {
    return make_error(ErrorCode::invalid, "'" + options.bind + "' is not an IP address to listen on", "bind");
  }
  const tcp::endpoint endpoint(address, options.port);
  acceptor_.open(endpoint.protocol(), error);
  if (error) return unavailable(error);
  acceptor_.set_option(asio::socket_base::reuse_address(true), error);
  if (options.share_port) {
    const int on = 1;
    if (::setsockopt(acceptor_.native_handle(), SOL_SOCKET, SO_REUSEPORT, &on, sizeof on) != 0) {
      return unavailable({errno, boost::system::system_category()});
    }
  }
  acceptor_.bind(endpoint, error);
  if (!error) acceptor_.listen(kBacklog, error);
  if (error) {
    const auto why = error;
    acceptor_.close(error);
    return unavailable(why);
  }
  port_ = acceptor_.local_endpoint(error).port();
  self = weak_from_this();
  accept();
  start_tick();
  return {};
}

void HttpServer::Impl::accept() {
  acceptor_.async_accept([me = shared_from_this()](const boost::system::error_code& error, StreamSocket socket) {
    if (me->stopped_ || me->draining) {
      if (!error && !me->stopped_) me->admit(std::move(socket));
      return;
    }
    if (!error) {
      me->admit(std::move(socket));
      return me->accept();
    }
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
  const auto all = connections;
  for (const auto& connection : all) {
    if (connection->idle() && !connection->has_unread()) connection->close();
  }
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

void HttpServer::Impl::stop() {
  stopped_ = true;
  boost::system::error_code ignored;
  acceptor_.close(ignored);
  tick_timer_.cancel();
  accept_timer_.cancel();
  const auto all = connections;
  for (const auto& connection : all) connection->close();
}

HttpServer::HttpServer(rt::Shard& shard, HttpServerOptions options, Handler handler)
    : impl_(std::make_shared<Impl>(shard, options, std::move(handler))) {}

HttpServer::~HttpServer() { impl_->stop(); }

Result<void> HttpServer::listen() { return impl_->listen(); }
std::uint16_t HttpServer::port() const { return impl_->port(); }
void HttpServer::drain(Duration patience, UniqueFunction<void()> done) { impl_->drain(patience, std::move(done)); }
void HttpServer::stop() { impl_->stop(); }
HttpServerStats HttpServer::stats() const { return impl_->stats; }

}  // namespace doorbuster::net
