#pragma once
// The readers of the two formats. Private to src/proto/eureka.

#include <string_view>

#include "base/error.hpp"
#include "core/leases/instance.hpp"

namespace doorbuster::eureka {

Result<leases::InstanceInfo> read_instance_json(std::string_view text);
Result<leases::Application> read_application_json(std::string_view text);
Result<leases::Applications> read_applications_json(std::string_view text);

Result<leases::InstanceInfo> read_instance_xml(std::string_view text);
Result<leases::Application> read_application_xml(std::string_view text);
Result<leases::Applications> read_applications_xml(std::string_view text);

}  // namespace doorbuster::eureka
