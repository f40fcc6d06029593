#pragma once
// Carries out a RegistrationPlan. One thread: the shard's.

#include <memory>
#include <optional>

#include "adapters/eureka/registry_servers.hpp"
#include "core/discovery/registration_plan.hpp"

namespace doorbuster {

class Registrar {
 public:
  Registrar(rt::Shard& shard, RegistryServers& servers, leases::InstanceInfo info, Duration renew_every);
  ~Registrar() { *alive_ = false; }

  void start() { pump(); }
  void set_status(leases::InstanceStatus status);
  /// `done` when the registry knows it no more.
  void withdraw(UniqueFunction<void()> done);

  bool registered() const { return plan_.registered(); }

 private:
  void pump();
  void wake_at(discovery::Moment due);
  void send(std::size_t server, discovery::RegistrationPlan::Call call);
  net::AsyncRequest request_for(discovery::RegistrationPlan::Call call);
  void on_answer(std::size_t server, discovery::RegistrationPlan::Call call,
                 const Result<net::ClientResponse>& answer);

  rt::Shard& shard_;
  RegistryServers& servers_;
  leases::InstanceInfo info_;
  discovery::RegistrationPlan plan_;
  bool in_flight_ = false;
  std::uint64_t timer_ = 0;  // those with another number are out of date
  UniqueFunction<void()> withdrawn_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace doorbuster
