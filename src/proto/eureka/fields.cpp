#include "proto/eureka/fields.hpp"

#include <fmt/format.h>

#include <array>
#include <limits>

#include "proto/eureka/text.hpp"

namespace doorbuster::eureka {

using leases::InstanceInfo;
using leases::InstanceStatus;
using leases::LeaseInfo;

namespace {

struct TextField {
  std::string_view name;
  std::string InstanceInfo::*field;
};
constexpr std::array kTextFields = {
    TextField{"instanceId", &InstanceInfo::instance_id},
    TextField{"hostName", &InstanceInfo::host_name},
    TextField{"ipAddr", &InstanceInfo::ip_address},
    TextField{"sid", &InstanceInfo::sid},
    TextField{"appGroupName", &InstanceInfo::app_group},
    TextField{"homePageUrl", &InstanceInfo::home_page_url},
    TextField{"statusPageUrl", &InstanceInfo::status_page_url},
    TextField{"healthCheckUrl", &InstanceInfo::health_check_url},
    TextField{"secureHealthCheckUrl", &InstanceInfo::secure_health_check_url},
    TextField{"vipAddress", &InstanceInfo::vip_address},
    TextField{"secureVipAddress", &InstanceInfo::secure_vip_address},
    TextField{"asgName", &InstanceInfo::asg_name},
};

struct LeaseField {
  std::string_view name;
  std::int64_t LeaseInfo::*field;
};
constexpr std::array kLeaseFields = {
    LeaseField{"renewalIntervalInSecs", &LeaseInfo::renewal_interval_s},
    LeaseField{"durationInSecs", &LeaseInfo::duration_s},
    LeaseField{"registrationTimestamp", &LeaseInfo::registered_ms},
    LeaseField{"lastRenewalTimestamp", &LeaseInfo::last_renewal_ms},
    LeaseField{"renewalTimestamp", &LeaseInfo::last_renewal_ms},  // of older servers
    LeaseField{"evictionTimestamp", &LeaseInfo::evicted_ms},
    LeaseField{"serviceUpTimestamp", &LeaseInfo::service_up_ms},
};

Error not_understood(std::string_view field, std::string_view text, std::string_view wanted) {
  return make_error(ErrorCode::invalid,
                    fmt::format("'{}' is no {} for {}", text.substr(0, 64), wanted, field),
                    std::string(field));
}

Result<void> set_number(std::int64_t& number, std::string_view name, std::string_view text,
                        std::int64_t least = std::numeric_limits<std::int64_t>::min(),
                        std::int64_t most = std::numeric_limits<std::int64_t>::max()) {
  if (text.empty()) return {};
  const auto read = parse_number(text);
  if (!read || *read < least || *read > most) return not_understood(name, text, "number");
  number = *read;
  return {};
}

}  // namespace

Result<void> set_field(InstanceInfo& instance, std::string_view name, std::string_view text) {
  for (const auto& known : kTextFields) {
    if (known.name != name) continue;
    instance.*known.field = text;
    return {};
  }
  if (name == "app") {
    instance.app = upper_case(text);
  } else if (name == "status") {
    instance.status = leases::parse_status(upper_case(text)).value_or(InstanceStatus::unknown);
  } else if (name == "overriddenStatus" || name == "overriddenstatus") {
    instance.overridden_status = leases::parse_status(upper_case(text)).value_or(InstanceStatus::unknown);
  } else if (name == "countryId") {
    std::int64_t country = instance.country_id;
    if (const auto set = set_number(country, name, text, 0, std::numeric_limits<std::int32_t>::max()); !set) {
      return set.error();
    }
    instance.country_id = static_cast<std::int32_t>(country);
  } else if (name == "isCoordinatingDiscoveryServer") {
    instance.is_coordinating_discovery_server = text == "true";
  } else if (name == "lastUpdatedTimestamp") {
    return set_number(instance.last_updated_ms, name, text);
  } else if (name == "lastDirtyTimestamp") {
    return set_number(instance.last_dirty_ms, name, text);
  } else if (name == "actionType") {
    instance.action = leases::parse_action(upper_case(text));
  }
  return {};
}

Result<void> set_lease_field(LeaseInfo& lease, std::string_view name, std::string_view text) {
  for (const auto& known : kLeaseFields) {
    if (known.name == name) return set_number(lease.*known.field, name, text);
  }
  return {};
}

Result<void> set_port_number(leases::Port& port, std::string_view field, std::string_view text) {
  std::int64_t number = port.number;
  if (const auto set = set_number(number, field, text, 0, 65'535); !set) {
    return not_understood(field, text, "port");
  }
  port.number = static_cast<std::int32_t>(number);
  return {};
}

void set_port_enabled(leases::Port& port, std::string_view text) {
  if (text == "true") port.enabled = true;
  if (text == "false") port.enabled = false;
}

void set_data_center(InstanceInfo& instance, std::string_view name) {
  instance.data_center = name == "Amazon" || name == "Netflix" ? name : "MyOwn";
}

void complete(InstanceInfo& instance) {
  if (instance.instance_id.empty()) {
    const auto* amazon = leases::find_value(instance.data_center_metadata, "instance-id");
    instance.instance_id = amazon != nullptr ? *amazon : instance.host_name;
  }
  const LeaseInfo standard;
  if (instance.lease.renewal_interval_s <= 0) instance.lease.renewal_interval_s = standard.renewal_interval_s;
  if (instance.lease.duration_s <= 0) instance.lease.duration_s = standard.duration_s;
}

}  // namespace doorbuster::eureka
