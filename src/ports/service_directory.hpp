#pragma once
// Port: which instances of a service are there, and where?

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/executor.hpp"

namespace doorbuster {

/// As the registry tells it; Eureka's names in capitals on the wire.
enum class InstanceStatus : std::uint8_t { up, down, starting, out_of_service, unknown };

struct ServiceInstance {
  std::string id;       ///< unique in the registry
  std::string service;  ///< lower case; Eureka's vipAddress
  std::string host;     ///< name or IP address
  std::uint16_t port = 0;
  bool secure = false;
  InstanceStatus status = InstanceStatus::up;
  std::map<std::string, std::string> metadata;  ///< `zone`, `doorbuster.pipelining`, ...
  friend bool operator==(const ServiceInstance&, const ServiceInstance&) = default;
};

/// Metadata of an instance whose server handles pipelined requests concurrently and echoes the header
/// `Doorbuster-Correlation`: how many requests one connection takes at once.
inline constexpr std::string_view kPipeliningMetadata = "doorbuster.pipelining";

using ServiceList = std::vector<ServiceInstance>;

/// Keeps the last good list when the registry does not answer. Thread-safe.
class ServiceDirectory {
 public:
  virtual ~ServiceDirectory() = default;
  /// All instances of `service` that are known, of any status; never null. Does not block.
  virtual std::shared_ptr<const ServiceList> instances(std::string_view service) = 0;
  /// Calls `changed` on `on` after each change of any list; until the directory is stopped.
  virtual void subscribe(Executor& on, UniqueFunction<void()> changed) = 0;
};

/// An instance makes itself known. Thread-safe.
class ServiceRegistration {
 public:
  virtual ~ServiceRegistration() = default;
  /// Registers, and renews until withdraw(); tries again by itself when the registry does not answer.
  virtual void announce(ServiceInstance instance, Duration renew_every, Duration lease) = 0;
  /// Changes the status (STARTING → UP → OUT_OF_SERVICE).
  virtual void set_status(InstanceStatus status) = 0;
  /// Deregisters; returns when the registry has answered or after `patience`.
  virtual void withdraw(Duration patience) = 0;
};

}  // namespace doorbuster
