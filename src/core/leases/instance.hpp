#pragma once
// What a registry knows of an instance: Eureka's InstanceInfo, as a value. src/proto/eureka reads and writes
// it.

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace doorbuster::leases {

/// In the order of their names, which is the order of the hash code.
enum class InstanceStatus : std::uint8_t { down, out_of_service, starting, unknown, up };
inline constexpr std::size_t kStatuses = 5;
std::string_view to_text(InstanceStatus status);
/// `UP`, `DOWN` ... in this case; nullopt for anything else.
std::optional<InstanceStatus> parse_status(std::string_view text);

/// What happened last to an instance: the kind of its entry in a delta.
enum class Action : std::uint8_t { added, modified, deleted };
std::string_view to_text(Action action);
std::optional<Action> parse_action(std::string_view text);

using NamedValues = std::vector<std::pair<std::string, std::string>>;
/// The value of the first pair of that name; nullptr when there is none.
const std::string* find_value(const NamedValues& values, std::string_view name);
/// Replaces the value of that name, or adds the pair.
void set_value(NamedValues& values, std::string_view name, std::string_view value);

struct Port {
  std::int32_t number = 0;
  bool enabled = false;
  bool operator==(const Port&) const = default;
};

/// The part of a lease that is told to clients. Times are milliseconds since 1970, 0: never.
struct LeaseInfo {
  std::int64_t renewal_interval_s = 30;
  std::int64_t duration_s = 90;
  std::int64_t registered_ms = 0;
  std::int64_t last_renewal_ms = 0;
  std::int64_t evicted_ms = 0;
  std::int64_t service_up_ms = 0;
  bool operator==(const LeaseInfo&) const = default;
};

struct InstanceInfo {
  std::string instance_id;  ///< unique within its app; never rewritten, whatever it looks like
  std::string host_name;
  std::string app;  ///< upper case
  std::string ip_address;
  std::string sid;
  InstanceStatus status = InstanceStatus::up;
  InstanceStatus overridden_status = InstanceStatus::unknown;  ///< unknown: none
  Port port{7001, true};
  Port secure_port{7002, false};
  std::int32_t country_id = 1;
  std::string data_center = "MyOwn";  ///< MyOwn, Amazon or Netflix
  NamedValues data_center_metadata;   ///< of Amazon
  LeaseInfo lease;
  NamedValues metadata;  ///< in the order of arrival; no name twice
  std::string app_group;
  std::string home_page_url;
  std::string status_page_url;
  std::string health_check_url;
  std::string secure_health_check_url;
  std::string vip_address;  ///< by which Spring finds a service; may be a list with commas
  std::string secure_vip_address;
  std::string asg_name;
  bool is_coordinating_discovery_server = false;
  std::int64_t last_updated_ms = 0;
  std::int64_t last_dirty_ms =
      0;  ///< when the instance itself last changed: the newer copy wins. 0: not told
  std::optional<Action> action;

  bool operator==(const InstanceInfo&) const = default;
};

struct Application {
  std::string name;
  std::vector<InstanceInfo> instances;
  bool operator==(const Application&) const = default;
};

/// A full answer or a delta.
struct Applications {
  std::int64_t version = -1;  ///< -1: not told
  std::string hash_code;      ///< of everything that is registered, also in a delta
  std::vector<Application> applications;
  bool operator==(const Applications&) const = default;
};

/// Instances by status, indexed by InstanceStatus.
using StatusCounts = std::array<std::size_t, kStatuses>;
/// `DOWN_1_UP_7_`: what both sides of a delta must agree on. Empty when nothing is registered.
std::string hash_code(const StatusCounts& counts);

}  // namespace doorbuster::leases
