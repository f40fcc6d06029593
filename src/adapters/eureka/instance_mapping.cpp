#include "adapters/eureka/instance_mapping.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>

namespace doorbuster {
namespace {

std::string in_upper_case(std::string text) {
  for (auto& c : text) c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
  return text;
}

std::string in_lower_case(std::string_view view) {
  std::string text(view);
  for (auto& c : text) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  return text;
}

std::int64_t in_seconds(Duration duration) {
  return std::max<std::int64_t>(1, std::chrono::ceil<std::chrono::seconds>(duration).count());
}

}  // namespace

leases::InstanceStatus to_eureka(InstanceStatus status) {
  switch (status) {
    case InstanceStatus::up:
      return leases::InstanceStatus::up;
    case InstanceStatus::down:
      return leases::InstanceStatus::down;
    case InstanceStatus::starting:
      return leases::InstanceStatus::starting;
    case InstanceStatus::out_of_service:
      return leases::InstanceStatus::out_of_service;
    case InstanceStatus::unknown:
      break;
  }
  return leases::InstanceStatus::unknown;
}

InstanceStatus from_eureka(leases::InstanceStatus status) {
  switch (status) {
    case leases::InstanceStatus::up:
      return InstanceStatus::up;
    case leases::InstanceStatus::down:
      return InstanceStatus::down;
    case leases::InstanceStatus::starting:
      return InstanceStatus::starting;
    case leases::InstanceStatus::out_of_service:
      return InstanceStatus::out_of_service;
    case leases::InstanceStatus::unknown:
      break;
  }
  return InstanceStatus::unknown;
}

leases::InstanceInfo to_eureka(const ServiceInstance& instance, const std::string& ip_address,
                               Duration renew_every, Duration lease) {
  leases::InstanceInfo info;
  info.instance_id = instance.id;
  info.host_name = instance.host;
  info.ip_address = ip_address;
  info.app = in_upper_case(instance.service);
  info.vip_address = instance.service;
  info.secure_vip_address = instance.service;
  info.port = {instance.secure ? 0 : instance.port, !instance.secure};
  info.secure_port = {instance.secure ? instance.port : 0, instance.secure};
  info.status = to_eureka(instance.status);
  info.lease.renewal_interval_s = in_seconds(renew_every);
  info.lease.duration_s = in_seconds(lease);
  for (const auto& [name, value] : instance.metadata) info.metadata.emplace_back(name, value);
  const bool numeric6 = instance.host.find(':') != std::string::npos;
  const auto base = fmt::format("{}://{}{}{}:{}", instance.secure ? "https" : "http", numeric6 ? "[" : "",
                                instance.host, numeric6 ? "]" : "", instance.port);
  info.home_page_url = base + "/";
  info.status_page_url = base + "/readyz";
  (instance.secure ? info.secure_health_check_url : info.health_check_url) = base + "/healthz";
  return info;
}

void for_each_service(const leases::InstanceInfo& info,
                      const std::function<void(const std::string&, ServiceInstance)>& add) {
  const bool secure = !info.port.enabled && info.secure_port.enabled;
  std::string_view list = secure ? info.secure_vip_address : info.vip_address;
  while (!list.empty()) {
    const auto comma = list.find(',');
    const auto name = in_lower_case(list.substr(0, comma));
    list.remove_prefix(comma == std::string_view::npos ? list.size() : comma + 1);
    if (name.empty()) continue;
    ServiceInstance instance;
    instance.id = info.instance_id;
    instance.service = name;
    instance.host = info.host_name.empty() ? info.ip_address : info.host_name;
    instance.port = static_cast<std::uint16_t>(secure ? info.secure_port.number : info.port.number);
    instance.secure = secure;
    instance.status = from_eureka(info.status);
    for (const auto& [key, value] : info.metadata) instance.metadata.emplace(key, value);
    add(name, std::move(instance));
  }
}

}  // namespace doorbuster
