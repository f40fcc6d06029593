#include "net/http_server.hpp"

#include <fmt/format.h>
#include <sys/socket.h>

#include <algorithm>
#include <boost/asio/post.hpp>

#include "base/log.hpp"
#include "net/http_server_impl.hpp"

namespace doorbuster::net {

namespace asio = boost::asio;
using tcp = asio::ip::tcp;

namespace {

constexpr int kBacklog = 4096;  // a drop's crowd connects within one second
constexpr Duration kAcceptPause = std::chrono::milliseconds(50);

const std::string& too_many_connections() {
  static const std::string reply = [] {
    http::Response response;
    response.status = 503;
    response.content_type = "application/problem+json";
    response.headers = {{"Retry-After", "1"}};
    response.body =
        R"({"type":"/problems/overloaded","title":"Too much at once","status":503,"detail":"the most connections are open already"})";
    std::string bytes;
    http::serialize(response, false, http::Persistence::close, bytes);
    return bytes;
  }();
  return reply;
}

Error bind_failed(std::string_view what, const std::string& bind, std::uint16_t port,
                  const boost::system::error_code& error) {
  return make_error(ErrorCode::unavailable,
                    fmt::format("cannot {} {}:{}: {}", what, bind, port, error.message()), "port");
}

/// Opens `acceptor` and binds it.
Result<void> bind_acceptor(tcp::acceptor& acceptor, const std::string& bind, std::uint16_t port, bool share) {
  boost::system::error_code error;
  const auto address = asio::ip::make_address(bind == "localhost" ? "127.0.0.1" : bind, error);
  if (error)
    return make_error(ErrorCode::invalid, fmt::format("'{}' is not an IP address to listen on", bind),
                      "bind");
  const tcp::endpoint endpoint(address, port);
  acceptor.open(endpoint.protocol(), error);
  if (error) return bind_failed("open a socket for", bind, port, error);
  acceptor.set_option(tcp::acceptor::reuse_address(true), error);
  const int on = 1;
  if (share && ::setsockopt(acceptor.native_handle(), SOL_SOCKET, SO_REUSEPORT, &on, sizeof on) != 0) {
    return bind_failed("share", bind, port, {errno, boost::system::system_category()});
  }
  acceptor.bind(endpoint, error);
  if (error) return bind_failed("listen on", bind, port, error);
  return {};
}

}  // namespace

Responder::Responder(std::shared_ptr<HttpConnection> connection, RequestTicket ticket) noexcept
    : connection_(std::move(connection)), ticket_(ticket) {}

Responder& Responder::operator=(Responder&& other) noexcept {
  std::swap(connection_, other.connection_);
  std::swap(ticket_, other.ticket_);
  return *this;
}

Responder::~Responder() {
  if (!connection_) return;
  http::Response forgotten;
  forgotten.status = 500;
  forgotten.content_type = "application/problem+json";
  forgotten.body =
      R"({"type":"/problems/internal","title":"An error of the server","status":500,"detail":"the request was not answered"})";
  send(forgotten);
}

void Responder::send(const http::Response& response) {
  DOORBUSTER_ASSERT(connection_ != nullptr);
  std::exchange(connection_, nullptr)->reply(ticket_, response);
}

void Responder::send_stream(const http::Response& head, std::unique_ptr<BodySource> body) {
  DOORBUSTER_ASSERT(connection_ != nullptr);
  std::exchange(connection_, nullptr)->reply_stream(ticket_, head, std::move(body));
}

HttpServer::HttpServer(rt::Shard& shard, HttpServerOptions options, Handler handler)
    : impl_(std::make_shared<HttpServerImpl>(shard, std::move(options), std::move(handler))) {}
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

HttpServerImpl::HttpServerImpl(rt::Shard& shard, HttpServerOptions options, HttpServer::Handler handler)
    : shard_(shard),
      options_(std::move(options)),
      handler_(std::move(handler)),
      acceptor_(shard.context()),
      sweep_timer_(shard.context()),
      drain_timer_(shard.context()) {}

Result<void> HttpServerImpl::listen() {
  if (const auto bound = bind_acceptor(acceptor_, options_.bind, options_.port, options_.share_port);
      !bound) {
    return bound.error();
  }
  boost::system::error_code error;
  acceptor_.listen(kBacklog, error);
  if (error) return bind_failed("listen on", options_.bind, options_.port, error);
  acceptor_.non_blocking(true, error);
  accept();
  sweep();
  return {};
}

Result<void> probe_port(const std::string& bind, std::uint16_t port) {
  asio::io_context context(1);
  tcp::acceptor acceptor(context);
  return bind_acceptor(acceptor, bind, port, false);
}

std::uint16_t HttpServerImpl::port() const {
  boost::system::error_code error;
  return acceptor_.local_endpoint(error).port();
}

void HttpServerImpl::accept() {
  acceptor_.async_accept([self = shared_from_this()](boost::system::error_code error, tcp::socket socket) {
    self->on_accept(error, std::move(socket));
  });
}

void HttpServerImpl::on_accept(boost::system::error_code error, tcp::socket socket) {
  if (draining_ || stopped_ || error == asio::error::operation_aborted) return;
  if (error) {
    // Out of file descriptors, mostly: connections wait in the backlog until some are free.
    log().warn("cannot accept a connection: {}", error.message());
    shard_.after(kAcceptPause, [self = shared_from_this()] {
      if (!self->draining_ && !self->stopped_) self->accept();
    });
    return;
  }
  ++stats.accepted;
  if (connections_.size() >= options_.most_connections) {
    ++stats.refused;
    socket.non_blocking(true, error);
    const auto& reply = too_many_connections();
    (void)::send(socket.native_handle(), reply.data(), reply.size(), MSG_NOSIGNAL);
    socket.shutdown(tcp::socket::shutdown_send, error);
  } else {
    socket.set_option(tcp::no_delay(true), error);
    std::make_shared<HttpConnection>(shared_from_this(), std::move(socket))->start();
  }
  accept();
}

void HttpServerImpl::add(HttpConnection& connection) {
  connection.place = connections_.size();
  connections_.push_back(&connection);
  stats.open = connections_.size();
}

void HttpServerImpl::remove(HttpConnection& connection) {
  auto* last = connections_.back();
  connections_[connection.place] = last;
  last->place = connection.place;
  connections_.pop_back();
  stats.open = connections_.size();
  if (draining_ && connections_.empty()) check_drained();
}

void HttpServerImpl::flush_later(std::shared_ptr<HttpConnection> connection) {
  to_flush_.push_back(std::move(connection));
  if (to_flush_.size() > 1) return;
  shard_.defer([self = shared_from_this()] {
    auto due = std::exchange(self->to_flush_, {});
    for (const auto& one : due) one->flush();
    due.clear();
    if (self->to_flush_.empty()) self->to_flush_ = std::move(due);  // keeps the capacity
  });
}

void HttpServerImpl::sweep() {
  if (stopped_) return;
  now_ = std::chrono::steady_clock::now();
  const auto all = connections_;  // a cut connection leaves the list
  for (auto* connection : all) {
    // Still in the list? Cutting one may have destroyed another only through the handler, which is not called
    // here.
    connection->check_timeouts(now_);
  }
  const auto shortest = std::min({options_.request_timeout, options_.idle_timeout, options_.write_timeout});
  sweep_timer_.expires_after(
      std::clamp<Duration>(shortest / 4, std::chrono::milliseconds(5), std::chrono::seconds(1)));
  sweep_timer_.async_wait([self = shared_from_this()](boost::system::error_code error) {
    if (!error) self->sweep();
  });
}

void HttpServerImpl::drain(Duration patience, UniqueFunction<void()> done) {
  DOORBUSTER_ASSERT(!draining_);
  draining_ = true;
  drained_ = std::move(done);
  boost::system::error_code ignored;
  acceptor_.close(ignored);
  drain_timer_.expires_after(patience);
  drain_timer_.async_wait([self = shared_from_this()](boost::system::error_code error) {
    if (error) return;
    const auto all = self->connections_;
    for (auto* connection : all) connection->cut();
    self->check_drained();
  });
  std::vector<std::shared_ptr<HttpConnection>> all;  // draining may end connections, and the list changes
  for (auto* connection : connections_) all.push_back(connection->shared_from_this());
  for (const auto& connection : all) connection->drain();
  if (connections_.empty()) check_drained();
}

void HttpServerImpl::check_drained() {
  if (!drained_) return;
  drain_timer_.cancel();
  // Not inside a connection's destructor.
  asio::post(shard_.context(), [done = std::exchange(drained_, nullptr)]() mutable { done(); });
}

void HttpServerImpl::stop() {
  if (std::exchange(stopped_, true)) return;
  boost::system::error_code ignored;
  acceptor_.close(ignored);
  sweep_timer_.cancel();
  drain_timer_.cancel();
  const auto all = connections_;
  for (auto* connection : all) connection->cut();
}

}  // namespace doorbuster::net
