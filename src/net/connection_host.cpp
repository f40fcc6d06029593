#include <algorithm>

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
  limits.headers = options.most_headers;
  limits.body_bytes = options.most_body_bytes;
  limits.streamed_bytes = options.most_streamed_bytes;
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
      events_(std::make_shared<EventSet>(the_shard)) {}

std::uint32_t ConnectionHost::ticks(Duration duration) const {
  return static_cast<std::uint32_t>(
      std::max<std::int64_t>(1, (duration + tick_length - Duration(1)) / tick_length));
}

Result<void> ConnectionHost::start_watching() {
  return events_->start();
}

void ConnectionHost::stop_watching() {
  events_->stop();
}

bool ConnectionHost::watch(HttpConnection& connection, int descriptor) {
  return events_->watch(connection, descriptor);
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
  events_->bury(connections[at]);
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
