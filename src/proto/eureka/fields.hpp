#pragma once
// Sets the fields of an instance from texts, whatever format they came in. Private to src/proto/eureka.

#include <string_view>

#include "base/error.hpp"
#include "core/leases/instance.hpp"

namespace doorbuster::eureka {

/// A field with one value, by its name in either format; an unknown name is passed over.
/// \returns invalid, naming the field
Result<void> set_field(leases::InstanceInfo& instance, std::string_view name, std::string_view text);
Result<void> set_lease_field(leases::LeaseInfo& lease, std::string_view name, std::string_view text);
/// `null` and nothing at all leave it as it is. \param field `port` or `securePort`
Result<void> set_port_number(leases::Port& port, std::string_view field, std::string_view text);
/// Anything but `true` and `false` leaves it as it is.
void set_port_enabled(leases::Port& port, std::string_view text);
/// Names other than Eureka's three would break other clients: they become MyOwn.
void set_data_center(leases::InstanceInfo& instance, std::string_view name);
/// Fills in what the rest follows from, when all fields have been set.
void complete(leases::InstanceInfo& instance);

}  // namespace doorbuster::eureka
