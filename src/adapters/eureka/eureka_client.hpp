#pragma once
// Client of Eureka registries, ours and Netflix's: makes an instance known and keeps a copy of who is there.
//
// Ownership and thread: a shard of its own, named `eureka`, does all the talking; the methods may be called
// from any thread. Lists are immutable and swapped whole. Subscribers' executors must outlive stop().

#include <atomic>
#include <memory>
#include <mutex>
#include <vector>

#include "adapters/eureka/directory_follower.hpp"
#include "adapters/eureka/registrar.hpp"
#include "ports/service_directory.hpp"

namespace doorbuster {

class EurekaClient final : public ServiceDirectory, public ServiceRegistration {
 public:
  struct Options {
    std::vector<RegistryServer> servers;  ///< not empty
    bool directory = false;               ///< keep a copy of the registry
    Duration poll_every = std::chrono::seconds(30);
    bool follow_events = true;
    Duration timeout = std::chrono::seconds(5);  ///< of each exchange, connecting included
  };
  struct Stats {
    DirectoryFollower::Stats directory;
    bool registered = false;
    bool reachable = false;  ///< the last exchange was answered
  };

  explicit EurekaClient(Options options);
  ~EurekaClient() override;

  std::shared_ptr<const ServiceList> instances(std::string_view service) override;
  void subscribe(Executor& on, UniqueFunction<void()> changed) override;

  void announce(ServiceInstance instance, Duration renew_every, Duration lease) override;
  void set_status(InstanceStatus status) override;
  void withdraw(Duration patience) override;

  /// A first list has come.
  bool has_list() const { return has_list_; }
  /// Not from a subscriber's callback.
  Stats stats();
  /// Says nothing more to anybody; does not withdraw().
  void stop();

 private:
  using Lists = std::map<std::string, std::shared_ptr<const ServiceList>, std::less<>>;
  struct Subscription {
    Executor* on;
    std::shared_ptr<UniqueFunction<void()>> changed;
  };

  void take(const discovery::InstanceTable& table);

  Options options_;
  rt::Shard shard_{"eureka"};
  // Of the shard's thread.
  std::unique_ptr<RegistryServers> servers_;
  std::unique_ptr<DirectoryFollower> follower_;
  std::unique_ptr<Registrar> registrar_;

  std::mutex mutex_;
  std::shared_ptr<const Lists> lists_ = std::make_shared<Lists>();  // guarded by mutex_
  std::vector<Subscription> subscriptions_;                         // guarded by mutex_
  std::atomic<bool> has_list_{false};
  std::shared_ptr<std::atomic<bool>> running_ = std::make_shared<std::atomic<bool>>(true);
};

}  // namespace doorbuster
