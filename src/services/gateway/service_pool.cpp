#include "services/gateway/service_pool.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <set>

#include "base/log.hpp"
#include "net/resolver.hpp"

namespace doorbuster::gateway {
namespace {

/// Checks begun in one tick, however many instances there are.
constexpr int kMostChecksATick = 32;
constexpr Duration kTick = std::chrono::milliseconds(50);
/// What a foreign registry's metadata may ask for.
constexpr std::size_t kMostPipelined = 4096;

std::size_t pipelining_of(const ServiceInstance& instance) {
  const auto found = instance.metadata.find(std::string(kPipeliningMetadata));
  if (found == instance.metadata.end()) return 0;
  std::size_t number = 0;
  const auto& text = found->second;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return std::min(number, kMostPipelined);
}

bool takes_requests(const ServiceInstance& instance) {
  return instance.status == InstanceStatus::up && !instance.secure && instance.port != 0;
}

}  // namespace

/// Asks an instance whether it lives.
class ServicePool::Check final : public net::UpstreamRequest {
 public:
  Check(ServicePool& service, Index index) : service_(service), index_(index) {
    const auto& path = service.options_.check_path;
    bytes =
        fmt::format("GET {} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nUser-Agent: doorbuster-gateway\r\n",
                    path.empty() ? "/" : path, service.name_);
    head_size = bytes.size();
  }
  void begin(net::UpstreamPool& pool, Duration deadline) {
    running_ = true;
    deadline_ = deadline;
    pool.probe(*this);
  }
  bool running() const { return running_; }
  Duration deadline() const { return deadline_; }
  void give_up(net::UpstreamPool& pool) {
    if (!std::exchange(running_, false)) return;
    pool.cancel(*this, false);
  }
  void on_reply(const http::ReplyHead& head, std::string_view) override { end(false, head.status() < 500); }
  void on_stream(const http::ReplyHead& head, std::unique_ptr<net::BodySource>) override {
    end(false, head.status() < 500);
  }
  void on_failure(net::UpstreamFailure failure, bool, std::string_view) override {
    end(failure == net::UpstreamFailure::refused, false);
  }
  bool may_move() override { return false; }

 private:
  void end(bool refused, bool good) {
    running_ = false;
    service_.checked(index_, refused, good);
  }
  ServicePool& service_;
  Index index_;
  bool running_ = false;
  Duration deadline_{0};
};

ServicePool::ServicePool(net::UpstreamHost& host, SeededRandom& random, std::string name,
                         const ServiceOptions& options)
    : host_(host),
      name_(std::move(name)),
      options_(options),
      balancer_(options.balancer, random),
      budget_(options.retry_budget) {
  tick();
}

ServicePool::~ServicePool() {
  *alive_ = false;
  for (auto& member : members_) {
    if (member && member->check) member->check->give_up(*member->pool);
  }
}

void ServicePool::update(const ServiceList& instances) {
  std::set<std::string> present;
  for (const auto& instance : instances) {
    const auto key = fmt::format("{}:{}", instance.host, instance.port);
    if (!takes_requests(instance)) continue;
    was_found_ = true;
    present.insert(key);
    const auto known = by_key_.find(key);
    if (known == by_key_.end()) {
      add(key, instance);
    } else {
      auto& member = *members_[known->second];
      // Registered anew: what was refused may be back, and is asked at once.
      member.retired = false;
      balancer_.set_admissible(known->second, true);
      if (balancer_.is_refused(known->second)) member.next_check = Duration(0);
    }
  }
  for (auto it = by_key_.begin(); it != by_key_.end();) {
    const auto [key, index] = *it++;  // let_go_when_idle() takes it out
    if (present.count(key) != 0) continue;
    members_[index]->retired = true;
    balancer_.set_admissible(index, false);
    members_[index]->pool->close_idle();
    let_go_when_idle(index);
  }
}

void ServicePool::add(const std::string& key, const ServiceInstance& instance) {
  const auto endpoint = net::Endpoint::parse(instance.host, instance.port);
  if (!endpoint) {
    // A name: asked for on the resolver's thread, and the instance is there when it has answered.
    net::resolve(host_.shard(), instance.host,
                 [this, alive = alive_, key,
                  found = ServiceInstance(instance)](Result<std::vector<std::string>> addresses) mutable {
                   if (!*alive || by_key_.count(key) != 0) return;
                   if (!addresses || addresses->empty()) {
                     return log().warn("gateway: {}: {}", key,
                                       addresses ? "has no address" : addresses.error().detail);
                   }
                   found.host = addresses->front();
                   add(key, found);
                 });
    return;
  }
  auto options = options_.upstream;
  options.pipelined = pipelining_of(instance);
  const auto index = balancer_.add(true);
  if (members_.size() <= index) members_.resize(index + 1);
  auto member = std::make_unique<Member>();
  member->key = key;
  member->pool = std::make_unique<net::UpstreamPool>(host_, *endpoint, options);
  member->check = std::make_unique<Check>(*this, index);
  member->next_check = host_.now() + options_.check_every;
  members_[index] = std::move(member);
  by_key_[key] = index;
}

void ServicePool::ended(Index instance, bool failed, Duration now) {
  balancer_.ended(instance, failed, now);
  if (members_[instance]->retired) let_go_when_idle(instance);
}

void ServicePool::abandoned(Index instance) {
  balancer_.abandoned(instance);
  if (members_[instance]->retired) let_go_when_idle(instance);
}

void ServicePool::refused(Index instance) {
  balancer_.refused(instance);
  members_[instance]->next_check =
      std::min(members_[instance]->next_check, host_.now() + options_.check_out_every);
}

void ServicePool::let_go_when_idle(Index index) {
  if (balancer_.outstanding(index) != 0) return;
  // Later: this may be the callback of one of its own connections.
  host_.shard().post([this, alive = alive_, index] {
    if (!*alive || !members_[index] || !members_[index]->retired || balancer_.outstanding(index) != 0) return;
    auto gone = std::move(members_[index]);
    gone->check->give_up(*gone->pool);
    by_key_.erase(gone->key);
    balancer_.remove(index);
  });
}

void ServicePool::checked(Index index, bool refused, bool good) {
  if (refused) {
    balancer_.refused(index);
  } else {
    balancer_.checked(index, good);
  }
  const bool out = refused || !good;
  members_[index]->next_check = host_.now() + (out ? options_.check_out_every : options_.check_every);
}

void ServicePool::tick() {
  host_.shard().after(kTick, [this, alive = alive_] {
    if (!*alive) return;
    const auto now = host_.now();
    int begun = 0;
    for (std::size_t i = 0; i < members_.size() && begun < kMostChecksATick; ++i) {
      next_to_check_ = (next_to_check_ + 1) % members_.size();
      const auto index = static_cast<Index>(next_to_check_);
      auto* const member = members_[index].get();
      if (member == nullptr || member->retired) continue;
      if (member->check->running()) {
        if (now < member->check->deadline()) continue;
        member->check->give_up(*member->pool);
        checked(index, false, false);
        continue;
      }
      if (now < member->next_check) continue;
      if (options_.check_path.empty() && !balancer_.is_out(index, now)) continue;
      ++begun;
      member->check->begin(*member->pool, now + options_.check_timeout);
    }
    tick();
  });
}

}  // namespace doorbuster::gateway
