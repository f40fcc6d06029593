#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>
#include <chrono>

#include "net/upstream_connection.hpp"

namespace doorbuster::net {

Result<Endpoint> Endpoint::parse(const std::string& ip, std::uint16_t port) {
  Endpoint made;
  auto* four = reinterpret_cast<sockaddr_in*>(&made.address);
  auto* six = reinterpret_cast<sockaddr_in6*>(&made.address);
  if (::inet_pton(AF_INET, ip.c_str(), &four->sin_addr) == 1) {
    four->sin_family = AF_INET;
    four->sin_port = htons(port);
    made.size = sizeof *four;
  } else if (::inet_pton(AF_INET6, ip.c_str(), &six->sin6_addr) == 1) {
    six->sin6_family = AF_INET6;
    six->sin6_port = htons(port);
    made.size = sizeof *six;
  } else {
    return make_error(ErrorCode::invalid, "'" + ip + "' is not an IP address");
  }
  return made;
}

UpstreamHost::UpstreamHost(rt::Shard& shard)
    : shard_(shard),
      events_(std::make_shared<EventSet>(shard)),
      scratch_(new char[kScratchBytes]),
      now_(precise_now()) {}

UpstreamHost::~UpstreamHost() {
  stop();
}

Duration UpstreamHost::precise_now() {
  return std::chrono::duration_cast<Duration>(std::chrono::steady_clock::now().time_since_epoch());
}

Result<void> UpstreamHost::start() {
  if (const auto started = events_->start(); !started) return started.error();
  tick();
  return {};
}

void UpstreamHost::stop() {
  *alive_ = false;
  events_->stop();
}

void UpstreamHost::tick() {
  shard_.after(kTick, [this, alive = alive_] {
    if (!*alive) return;
    now_ = precise_now();
    for (std::size_t i = pools_.size(); i-- > 0;) pools_[i]->check(now_);
    tick();
  });
}

void UpstreamHost::flush_later(std::shared_ptr<UpstreamConnection> connection) {
  connection->in_flush_list = true;
  to_flush_.push_back(std::move(connection));
  if (to_flush_.size() > 1) return;
  shard_.defer([this, alive = alive_] {
    if (*alive) flush_all();
  });
}

void UpstreamHost::flush_all() {
  flushing_.swap(to_flush_);
  ++turn_;  // the next one's requests choose their connection anew
  for (auto& connection : flushing_) {
    connection->in_flush_list = false;
    connection->flush();
  }
  flushing_.clear();
}

UpstreamPool::UpstreamPool(UpstreamHost& host, const Endpoint& endpoint, const UpstreamOptions& options)
    : host_(host), endpoint_(endpoint), options_(options) {
  host_.pools_.push_back(this);
}

UpstreamPool::~UpstreamPool() {
  std::erase(host_.pools_, this);
  const auto all = connections_;
  for (const auto& connection : all) connection->close(UpstreamFailure::lost, "the gateway stops");
  DOORBUSTER_ASSERT(waiting_.empty());
}

bool UpstreamPool::send(UpstreamRequest& request, bool exclusive) {
  exclusive = exclusive || options_.pipelined == 0;
  // Those who wait were here first.
  auto* connection = !waiting_.empty() ? nullptr
                     : exclusive       ? exclusive_connection()
                                       : pipelined_connection();
  if (connection != nullptr) {
    connection->send(request);
    return true;
  }
  if (waiting_.size() >= options_.most_waiting) {
    ++host_.stats_.overflows;
    return false;
  }
  request.waiting_in_ = this;
  waiting_.push_back({&request, exclusive});
  ++host_.stats_.waiting;
  return true;
}

void UpstreamPool::probe(UpstreamRequest& request) {
  auto* connection = open(1, false);
  connection->single_use = true;
  connection->send(request);
}

void UpstreamPool::cancel(UpstreamRequest& request, bool stuck) {
  if (request.waiting_in_ != nullptr) {
    request.waiting_in_ = nullptr;
    host_.stats_.waiting -=
        std::erase_if(waiting_, [&](const Waiting& one) { return one.request == &request; });
    ++host_.stats_.cancelled;
    return;
  }
  if (request.connection_ != nullptr) request.connection_->cancel(request, stuck);
}

UpstreamConnection* UpstreamPool::open(std::size_t depth, bool correlated) {
  auto made = std::make_shared<UpstreamConnection>(*this, depth, correlated);
  auto* const connection = made.get();
  connection->index = connections_.size();
  connections_.push_back(std::move(made));
  ++host_.stats_.connections;
  ++(correlated ? pipelined_open_ : exclusive_open_);
  connection->connect();
  return connection;
}

UpstreamConnection* UpstreamPool::pipelined_connection() {
  const auto now = host_.now();
  // The requests of one turn go together, into one write.
  if (of_this_turn_ != nullptr && turn_ == host_.turn_ && of_this_turn_->takes_more(now))
    return of_this_turn_;
  UpstreamConnection* best = nullptr;
  for (const auto& connection : connections_) {
    if (connection->exclusive() || !connection->takes_more(now)) continue;
    if (best == nullptr || connection->in_flight() < best->in_flight()) best = connection.get();
  }
  const bool crowded = best != nullptr && best->in_flight() >= options_.spread_at &&
                       pipelined_open_ < options_.pipelined_connections;
  if ((best == nullptr || crowded) && pipelined_open_ < options_.most_connections) {
    best = open(options_.pipelined, true);
  }
  of_this_turn_ = best;
  turn_ = host_.turn_;
  return best;
}

UpstreamConnection* UpstreamPool::exclusive_connection() {
  while (!idle_.empty()) {
    auto* const connection = idle_.back();
    idle_.pop_back();
    if (connection->usable()) return connection;
    connection->close(UpstreamFailure::lost, "hung up");
  }
  return exclusive_open_ < options_.most_connections ? open(1, false) : nullptr;
}

void UpstreamPool::give_back(UpstreamConnection& connection) {
  idle_.push_back(&connection);
  if (!waiting_.empty()) has_room();
}

void UpstreamPool::has_room() {
  while (!waiting_.empty()) {
    const auto next = waiting_.front();
    auto* const connection = next.exclusive ? exclusive_connection() : pipelined_connection();
    if (connection == nullptr) return;
    waiting_.pop_front();
    --host_.stats_.waiting;
    next.request->waiting_in_ = nullptr;
    connection->send(*next.request);
  }
}

void UpstreamPool::remove(UpstreamConnection& connection) {
  const auto at = connection.index;
  DOORBUSTER_ASSERT(connections_[at].get() == &connection);
  host_.events_->bury(connections_[at]);
  --host_.stats_.connections;
  --(connection.exclusive() ? exclusive_open_ : pipelined_open_);
  if (of_this_turn_ == &connection) of_this_turn_ = nullptr;
  if (connection.exclusive()) std::erase(idle_, &connection);
  if (at + 1 != connections_.size()) {
    std::swap(connections_[at], connections_.back());
    connections_[at]->index = at;
  }
  connections_.pop_back();
  if (waiting_.empty()) return;
  // Who waits gets its own connection now; within the call that closes this one it would be too early.
  host_.shard_.post([this, &host = host_, alive = host_.alive_] {
    if (!*alive || std::find(host.pools_.begin(), host.pools_.end(), this) == host.pools_.end()) return;
    has_room();
  });
}

void UpstreamPool::close_idle() {
  const auto all = connections_;
  for (const auto& connection : all) {
    if (connection->in_flight() == 0) connection->close(UpstreamFailure::lost, "no longer needed");
  }
}

void UpstreamPool::check(Duration now) {
  // A stalled connection has taken no more: those who wait may open another one, or find it going again.
  if (!waiting_.empty()) has_room();
  for (std::size_t i = connections_.size(); i-- > 0;) {
    if (i < connections_.size()) {
      const auto connection = connections_[i];
      connection->check(now);
    }
  }
}

}  // namespace doorbuster::net
