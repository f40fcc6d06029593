#include "adapters/eureka/eureka_client.hpp"

#include <algorithm>
#include <future>
#include <utility>

#include "adapters/eureka/instance_mapping.hpp"
#include "base/log.hpp"

namespace doorbuster {
namespace {

bool is_numeric(const std::string& host) {
  return host.find(':') != std::string::npos || host.find_first_not_of("0123456789.") == std::string::npos;
}

}  // namespace

EurekaClient::EurekaClient(Options options) : options_(std::move(options)) {
  DOORBUSTER_ASSERT(!options_.servers.empty());
  shard_.start();
  shard_.run([this] {
    servers_ = std::make_unique<RegistryServers>(shard_, options_.servers, options_.timeout);
    if (!options_.directory) return;
    follower_ = std::make_unique<DirectoryFollower>(
        shard_, *servers_, DirectoryFollower::Options{options_.poll_every, options_.follow_events},
        [this](const discovery::InstanceTable& table) { take(table); });
    follower_->start();
  });
}

EurekaClient::~EurekaClient() {
  stop();
}

void EurekaClient::stop() {
  if (!running_->exchange(false)) return;
  shard_.run([this] {
    registrar_ = nullptr;
    follower_ = nullptr;
    servers_ = nullptr;
  });
  shard_.stop();
}

std::shared_ptr<const ServiceList> EurekaClient::instances(std::string_view service) {
  static const auto nobody = std::make_shared<const ServiceList>();
  std::shared_ptr<const Lists> lists;
  {
    const std::lock_guard lock(mutex_);
    lists = lists_;
  }
  const auto found = lists->find(service);
  return found == lists->end() ? nobody : found->second;
}

void EurekaClient::subscribe(Executor& on, UniqueFunction<void()> changed) {
  const std::lock_guard lock(mutex_);
  subscriptions_.push_back({&on, std::make_shared<UniqueFunction<void()>>(std::move(changed))});
}

void EurekaClient::take(const discovery::InstanceTable& table) {
  std::map<std::string, ServiceList, std::less<>> fresh;
  table.for_each([&](const leases::InstanceInfo& info) {
    for_each_service(info, [&](const std::string& service, ServiceInstance instance) {
      fresh[service].push_back(std::move(instance));
    });
  });
  const std::lock_guard lock(mutex_);  // nobody else writes: what is read here stays so
  auto lists = std::make_shared<Lists>();
  bool changed = !has_list_.exchange(true) || fresh.size() != lists_->size();
  for (auto& [service, list] : fresh) {
    const auto old = lists_->find(service);
    if (old != lists_->end() && *old->second == list) {
      lists->emplace(service, old->second);
    } else {
      lists->emplace(service, std::make_shared<const ServiceList>(std::move(list)));
      changed = true;
    }
  }
  if (!changed) return;
  lists_ = std::move(lists);
  for (const auto& one : subscriptions_) {
    one.on->post([running = running_, call = one.changed] {
      if (*running) (*call)();
    });
  }
}

void EurekaClient::announce(ServiceInstance instance, Duration renew_every, Duration lease) {
  auto ip_address = instance.host;
  if (!is_numeric(ip_address)) {
    const auto own = local_address_towards(options_.servers.front().url);
    if (!own.empty()) ip_address = own;
  }
  shard_.run([&] {
    DOORBUSTER_ASSERT(!registrar_);
    registrar_ = std::make_unique<Registrar>(
        shard_, *servers_, to_eureka(instance, ip_address, renew_every, lease), renew_every);
    registrar_->start();
  });
}

void EurekaClient::set_status(InstanceStatus status) {
  shard_.post([this, status] {
    if (registrar_) registrar_->set_status(to_eureka(status));
  });
}

void EurekaClient::withdraw(Duration patience) {
  auto withdrawn = std::make_shared<std::promise<void>>();
  auto done = withdrawn->get_future();
  shard_.post([this, withdrawn] {
    if (!registrar_) return withdrawn->set_value();
    registrar_->withdraw([withdrawn] { withdrawn->set_value(); });
  });
  if (done.wait_for(patience) == std::future_status::timeout)
    log().warn("registry: it has not answered to this instance's leave; its lease will run out");
}

EurekaClient::Stats EurekaClient::stats() {
  Stats stats;
  if (!*running_) return stats;
  shard_.run([&] {
    if (follower_) stats.directory = follower_->stats();
    stats.registered = registrar_ && registrar_->registered();
    stats.reachable = servers_->reachable();
  });
  return stats;
}

}  // namespace doorbuster
