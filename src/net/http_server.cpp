#include "net/http_server.hpp"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <boost/asio/basic_socket_acceptor.hpp>
#include <boost/asio/basic_waitable_timer.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <cerrno>
#include <chrono>
#include <cstring>

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
/// Then those are served who are connected.
constexpr int kMostAcceptsInARow = 64;
/// Without descriptors an accept would fail at once again.
constexpr auto kAcceptPause = std::chrono::milliseconds(100);

Error bind_failed(std::string_view what, const std::string& bind, std::uint16_t port,
                  const boost::system::error_code& error) {
  return make_error(ErrorCode::unavailable,
                    fmt::format("cannot {} {}:{}: {}", what, bind, port, error.message()), "port");
}

/// An IPv4 address that came through an IPv6 socket is shown as what it is.
std::string address_text(const sockaddr_storage& peer) {
  char text[INET6_ADDRSTRLEN] = "";
  if (peer.ss_family == AF_INET) {
    ::inet_ntop(AF_INET, &reinterpret_cast<const sockaddr_in&>(peer).sin_addr, text, sizeof text);
  } else if (peer.ss_family == AF_INET6) {
    const auto& address = reinterpret_cast<const sockaddr_in6&>(peer).sin6_addr;
    if (IN6_IS_ADDR_V4MAPPED(&address)) {
      ::inet_ntop(AF_INET, address.s6_addr + 12, text, sizeof text);
    } else {
      ::inet_ntop(AF_INET6, &address, text, sizeof text);
    }
  }
  return text;
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
  int accept_what_is_there(int most);
  void admit(int socket, std::string peer);
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
  acceptor_.native_non_blocking(true, error);
  port_ = acceptor_.local_endpoint(error).port();
  self = weak_from_this();
  if (const auto watching = start_watching(); !watching) return watching.error();
  accept();
  start_tick();
  return {};
}

void HttpServer::Impl::accept() {
  acceptor_.async_wait(Acceptor::wait_read,
                       [me = shared_from_this()](const boost::system::error_code& error) {
                         if (error || me->stopped_ || me->draining) return;
                         const int failed = me->accept_what_is_there(kMostAcceptsInARow);
                         if (failed == 0) return me->accept();
                         // Out of file descriptors, mostly: connections wait in the backlog until some are
                         // free.
                         log().warn("cannot accept a connection: {}", ::strerrordesc_np(failed));
                         me->accept_timer_.expires_after(kAcceptPause);
                         me->accept_timer_.async_wait([me](const boost::system::error_code& cancelled) {
                           if (!cancelled && !me->stopped_ && !me->draining) me->accept();
                         });
                       });
}

/// \returns 0, or an error that will not go away by itself
int HttpServer::Impl::accept_what_is_there(int most) {
  for (int i = 0; i < most && !stopped_; ++i) {
    sockaddr_storage peer{};
    socklen_t size = sizeof peer;
    const int socket = ::accept4(acceptor_.native_handle(), reinterpret_cast<sockaddr*>(&peer), &size,
                                 SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (socket >= 0) {
      admit(socket, address_text(peer));
      continue;
    }
    if (errno == EAGAIN || errno == EWOULDBLOCK) return 0;
    // A connection that was reset while it waited concerns nobody but its client.
    if (errno != EINTR && errno != ECONNABORTED) return errno;
  }
  return 0;
}

void HttpServer::Impl::admit(int socket, std::string peer) {
  ++stats.accepted;
  const int on = 1;
  ::setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  auto connection = std::make_shared<HttpConnection>(*this, socket, std::move(peer));
  if (stats.open >= options.most_connections) {
    ++stats.refused;
    if (connections.size() - stats.open >= kMostRefusedOpen) return;
    connection->refuse(http::server_problem(503, "this server has as many connections as it takes"));
  }
  add(connection);
  connection->start();
}

void HttpServer::Impl::start_tick() {
  tick_timer_.expires_after(tick_length);
  tick_timer_.async_wait([me = shared_from_this()](const boost::system::error_code& error) {
    if (error || me->stopped_) return;
    me->sweep();
    me->start_tick();
  });
}

void HttpServer::Impl::drain(Duration patience, UniqueFunction<void()> done) {
  // Those who have connected already are clients like the others; closing the acceptor would reset them.
  if (acceptor_.is_open()) accept_what_is_there(kBacklog);
  draining = true;
  boost::system::error_code ignored;
  acceptor_.close(ignored);
  close_idle();
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
  stop_watching();
}

Result<void> probe_port(const std::string& bind, std::uint16_t port) {
  asio::io_context context(1);
  Acceptor acceptor(context.get_executor());
  return bind_acceptor(acceptor, bind, port, false);
}

Result<std::uint16_t> any_free_port(const std::string& bind) {
  asio::io_context context(1);
  Acceptor acceptor(context.get_executor());
  if (const auto bound = bind_acceptor(acceptor, bind, 0, false); !bound) return bound.error();
  boost::system::error_code error;
  return acceptor.local_endpoint(error).port();
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
