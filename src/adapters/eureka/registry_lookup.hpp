#pragma once
// Asks the registry each time: what a gateway costs that keeps no copy (experiment Q1).
//
// One thread: the shard's.

#include <memory>
#include <string>
#include <vector>

#include "adapters/eureka/registry_servers.hpp"
#include "ports/asking_lookup.hpp"

namespace doorbuster {

class RegistryLookup final : public AskingLookup {
 public:
  RegistryLookup(rt::Shard& shard, std::vector<RegistryServer> servers, Duration timeout)
      : servers_(shard, std::move(servers), timeout) {}
  ~RegistryLookup() override { *alive_ = false; }

 private:
  void ask(const std::string& service) override;

  RegistryServers servers_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace doorbuster
