#pragma once
// Asks the registry each time: what a gateway costs that keeps no copy (experiment Q1).
//
// A question that is under way answers those who came before it was sent; whoever comes later waits for the
// next one. So every answer was asked for after its request had come, and there is one question at a time for
// a service, however large the crowd.
//
// One thread: the shard's.

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "adapters/eureka/registry_servers.hpp"
#include "ports/instance_lookup.hpp"

namespace doorbuster {

class RegistryLookup final : public InstanceLookup {
 public:
  RegistryLookup(rt::Shard& shard, std::vector<RegistryServer> servers, Duration timeout)
      : servers_(shard, std::move(servers), timeout) {}
  ~RegistryLookup() override { *alive_ = false; }

  bool is_local() const override { return false; }
  void look_up(std::string_view service, Done done) override;

 private:
  struct Service {
    std::vector<Done> asked;    ///< of the question under way
    std::vector<Done> waiting;  ///< for the next one
  };
  void ask(const std::string& service);
  void answer(const std::string& service, const Result<std::shared_ptr<const ServiceList>>& found);

  RegistryServers servers_;
  std::map<std::string, Service, std::less<>> services_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace doorbuster
