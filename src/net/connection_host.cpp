#include <sys/epoll.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "net/http_connection.hpp"

namespace doorbuster::net {
namespace {

constexpr std::size_t kMostBuffersKept = 256;
constexpr std::size_t kMostBufferBytesKept = 64 * 1024;
constexpr std::size_t kMostParsersKept = 64;
/// A connection is looked at every kSweepParts ticks.
constexpr std::size_t kSweepParts = 4;

http::ParseLimits limits_of(const HttpServerOptions& options) {
  http::ParseLimits limits;
  limits.header_bytes = options.most_header_bytes;
  limits.body_bytes = options.most_body_bytes;
  return limits;
}

/// Fine enough for the shortest of the timeouts, and never so fine that an idle server is kept busy.
Duration tick_length_for(const HttpServerOptions& options) {
  const auto shortest = std::min({options.request_timeout, options.idle_timeout, options.write_timeout});
  return std::clamp<Duration>(shortest / 8, std::chrono::milliseconds(1), std::chrono::milliseconds(250));
}

}  // namespace

ConnectionHost::ConnectionHost(rt::Shard& the_shard, const HttpServerOptions& the_options,
                               HttpServer::Handler the_handler)
    : shard(the_shard),
      options(the_options),
      handler(std::move(the_handler)),
      parser(std::make_unique<http::RequestParser>(limits_of(options))),
      scratch(new char[kScratchBytes]),
      tick_length(tick_length_for(options)),
      idle_ticks(ticks(options.idle_timeout)),
      epoll_(the_shard.context().get_executor()) {}

std::uint32_t ConnectionHost::ticks(Duration duration) const {
  return static_cast<std::uint32_t>(
      std::max<std::int64_t>(1, (duration + tick_length - Duration(1)) / tick_length));
}

Result<void> ConnectionHost::start_watching() {
  const int descriptor = ::epoll_create1(EPOLL_CLOEXEC);
  if (descriptor < 0) {
    return make_error(ErrorCode::unavailable,
                      std::string("cannot make an epoll: ") + ::strerrordesc_np(errno));
  }
  epoll_.assign(descriptor);
  wait_for_events();
  return {};
}

void ConnectionHost::stop_watching() {
  boost::system::error_code ignored;
  epoll_.close(ignored);
}

bool ConnectionHost::watch(HttpConnection& connection, int descriptor) {
  epoll_event event{};
  event.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;
  event.data.ptr = &connection;
  return ::epoll_ctl(epoll_.native_handle(), EPOLL_CTL_ADD, descriptor, &event) == 0;
}

void ConnectionHost::wait_for_events() {
  epoll_.async_wait(decltype(epoll_)::wait_read, [weak = self](const boost::system::error_code& error) {
    const auto host = weak.lock();
    if (!error && host) host->dispatch_events();
  });
}

void ConnectionHost::dispatch_events() {
  if (!epoll_.is_open()) return;
  std::array<epoll_event, 256> events;
  const int count = ::epoll_wait(epoll_.native_handle(), events.data(), static_cast<int>(events.size()), 0);
  dispatching_ = true;
  for (int i = 0; i < count; ++i) {
    const auto& event = events[static_cast<std::size_t>(i)];
    static_cast<HttpConnection*>(event.data.ptr)->on_ready(event.events);
  }
  dispatching_ = false;
  closed_.clear();
  // Asio arms its wait anew: what one batch could not hold is told at once.
  if (epoll_.is_open()) wait_for_events();
}

void ConnectionHost::flush_later(std::shared_ptr<HttpConnection> connection) {
  connection->in_flush_list = true;
  to_flush_.push_back(std::move(connection));
  if (to_flush_.size() > 1) return;
  shard.defer([weak = self] {
    if (const auto host = weak.lock()) host->flush_all();
  });
}

void ConnectionHost::flush_all() {
  flushing_.swap(to_flush_);
  for (auto& connection : flushing_) {
    connection->in_flush_list = false;
    connection->flush();
  }
  flushing_.clear();
}

void ConnectionHost::add(std::shared_ptr<HttpConnection> connection) {
  connection->index = connections.size();
  if (!connection->refused()) ++stats.open;
  connections.push_back(std::move(connection));
}

void ConnectionHost::remove(HttpConnection& connection) {
  if (!connection.refused()) --stats.open;
  const auto at = connection.index;
  DOORBUSTER_ASSERT(connections[at].get() == &connection);
  if (dispatching_) closed_.push_back(connections[at]);
  if (at + 1 != connections.size()) {
    std::swap(connections[at], connections.back());
    connections[at]->index = at;
  }
  connections.pop_back();
  if (draining && connections.empty() && when_empty) shard.post(std::move(when_empty));
}

void ConnectionHost::sweep() {
  ++tick;
  // A quarter of the table each tick: the shard is never held up by all of it at once.
  auto due = (connections.size() + kSweepParts - 1) / kSweepParts;
  for (; due > 0 && !connections.empty(); --due) {
    if (next_to_check_ >= connections.size()) next_to_check_ = 0;
    const auto connection = connections[next_to_check_];
    connection->check_deadlines();
    // One that closed has left its place to the last of the table.
    if (next_to_check_ < connections.size() && connections[next_to_check_] == connection) ++next_to_check_;
  }
}

std::string ConnectionHost::take_buffer() {
  if (buffers_.empty()) return {};
  auto buffer = std::move(buffers_.back());
  buffers_.pop_back();
  return buffer;
}

void ConnectionHost::give_buffer(std::string&& buffer) {
  auto taken = std::move(buffer);
  buffer.clear();
  if (taken.capacity() > kMostBufferBytesKept || buffers_.size() >= kMostBuffersKept) return;
  taken.clear();
  buffers_.push_back(std::move(taken));
}

std::unique_ptr<http::RequestParser> ConnectionHost::take_parser() {
  if (parsers_.empty()) return std::make_unique<http::RequestParser>(limits_of(options));
  auto taken = std::move(parsers_.back());
  parsers_.pop_back();
  return taken;
}

void ConnectionHost::give_parser(std::unique_ptr<http::RequestParser> given) {
  given->reset();
  if (parsers_.size() < kMostParsersKept) parsers_.push_back(std::move(given));
}

}  // namespace doorbuster::net
