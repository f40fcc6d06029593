#pragma once
// The instances of one service as one shard sees them: their connections, the balancer over them, the checks
// that bring a lost one back, and the retry budget.
//
// One thread: the shard's.

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "core/balancing/balancer.hpp"
#include "core/balancing/retry_budget.hpp"
#include "net/upstream.hpp"
#include "ports/service_directory.hpp"

namespace doorbuster::gateway {

struct ServiceOptions {
  balancing::BalancerOptions balancer;
  balancing::RetryBudgetOptions retry_budget;
  net::UpstreamOptions upstream;
  std::string check_path = "/healthz";  ///< any answer below 500 is a good one; empty: no checks of good ones
  Duration check_every = std::chrono::seconds(1);             ///< instances that are well
  Duration check_out_every = std::chrono::milliseconds(250);  ///< those that are out
  Duration check_timeout = std::chrono::seconds(1);
};

class ServicePool {
 public:
  ServicePool(net::UpstreamHost& host, SeededRandom& random, std::string name, const ServiceOptions& options);
  ~ServicePool();
  ServicePool(const ServicePool&) = delete;
  ServicePool& operator=(const ServicePool&) = delete;

  /// Takes over a list of the directory. Instances that are gone end what they have in the air.
  void update(const ServiceList& instances);

  const std::string& name() const { return name_; }
  balancing::Balancer& balancer() { return balancer_; }
  balancing::RetryBudget& budget() { return budget_; }
  net::UpstreamPool& connections(balancing::Balancer::Index instance) { return *members_[instance]->pool; }
  /// A request to `instance` has ended. Calls the balancer, and lets a deregistered instance go with its
  /// last.
  void ended(balancing::Balancer::Index instance, bool failed, Duration now);
  void abandoned(balancing::Balancer::Index instance);
  void refused(balancing::Balancer::Index instance);
  /// Whether it has ever had an instance to send to.
  bool was_found() const { return was_found_; }
  std::size_t size() const { return by_key_.size(); }

 private:
  using Index = balancing::Balancer::Index;
  class Check;
  struct Member {
    std::string key;
    std::unique_ptr<net::UpstreamPool> pool;
    std::unique_ptr<Check> check;
    Duration next_check{0};
    bool retired = false;
  };

  void add(const std::string& key, const ServiceInstance& instance);
  void let_go_when_idle(Index index);
  void checked(Index index, bool refused, bool good);
  void tick();

  net::UpstreamHost& host_;
  std::string name_;
  ServiceOptions options_;
  balancing::Balancer balancer_;
  balancing::RetryBudget budget_;
  std::map<std::string, Index, std::less<>> by_key_;
  std::vector<std::unique_ptr<Member>> members_;  // by the balancer's index
  std::size_t next_to_check_ = 0;
  bool was_found_ = false;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace doorbuster::gateway
