#pragma once
// A role's place in the registry: announced when its port is open, told to be up when it can serve, left
// before it stops serving.

#include <memory>

#include "adapters/eureka/eureka_client.hpp"
#include "config/settings.hpp"

namespace doorbuster {

/// The client of `registry.urls`. \returns nullptr when there are none; invalid
/// \param directory keep a copy of who is there
Result<std::unique_ptr<EurekaClient>> open_registry_client(const config::Settings& settings, bool directory);

class RegistryMembership {
 public:
  /// \param client may be null: then nothing here does anything
  RegistryMembership(const config::Settings& settings, EurekaClient* client)
      : settings_(settings), client_(client) {}

  /// Registers as STARTING. \param service lower case: `coupon-api`
  void announce(const std::string& service, const std::string& bind, std::uint16_t port,
                std::map<std::string, std::string> metadata = {});
  void up();
  /// Leaves, and waits until gateways have noticed. Before the role stops answering.
  void leave();

 private:
  const config::Settings& settings_;
  EurekaClient* client_;
  bool announced_ = false;
};

}  // namespace doorbuster
