#pragma once
// Between the port's ServiceInstance and Eureka's InstanceInfo.

#include "core/leases/instance.hpp"
#include "ports/service_directory.hpp"

namespace doorbuster {

leases::InstanceStatus to_eureka(InstanceStatus status);
InstanceStatus from_eureka(leases::InstanceStatus status);

/// App `COUPON-API`, vipAddress `coupon-api`, the pages that Spring's dashboards link to.
/// \param ip_address of the host, where that is a name
leases::InstanceInfo to_eureka(const ServiceInstance& instance, const std::string& ip_address,
                               Duration renew_every, Duration lease);

/// Appends the instance once for each service of its vipAddress, as `add(service, ServiceInstance)`. One
/// without a vipAddress cannot be found, as in Spring.
void for_each_service(const leases::InstanceInfo& info,
                      const std::function<void(const std::string&, ServiceInstance)>& add);

}  // namespace doorbuster
