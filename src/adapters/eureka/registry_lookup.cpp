#include "adapters/eureka/registry_lookup.hpp"

#include <utility>

#include "adapters/eureka/instance_mapping.hpp"
#include "proto/eureka/codec.hpp"

namespace doorbuster {
namespace {

Result<std::shared_ptr<const ServiceList>> read_list(const net::ClientResponse& response,
                                                     const std::string& service) {
  auto list = std::make_shared<ServiceList>();
  if (response.status == 404) return std::shared_ptr<const ServiceList>(std::move(list));
  if (response.status != 200) {
    return make_error(ErrorCode::unavailable, "the registry answered " + std::to_string(response.status) +
                                                  " about '" + service + "'");
  }
  const auto all = eureka::read_applications(eureka::Format::json, response.body);
  if (!all) return all.error();
  for (const auto& app : all->applications) {
    for (const auto& info : app.instances) {
      for_each_service(info, [&](const std::string& name, ServiceInstance instance) {
        if (name == service) list->push_back(std::move(instance));
      });
    }
  }
  return std::shared_ptr<const ServiceList>(std::move(list));
}

}  // namespace

void RegistryLookup::ask(const std::string& name) {
  const auto choice = servers_.choose();
  net::AsyncRequest request;
  request.target = "/vips/" + path_segment(name);
  request.headers = {{"Accept", "application/json"}};
  servers_.exchange(
      choice.server, std::move(request),
      [this, name, alive = alive_](std::size_t server, const Result<net::ClientResponse>& response) {
        if (!*alive) return;
        if (!response) {
          servers_.failed(server, response.error().detail);
          return answer(name, make_error(ErrorCode::unavailable, "the registry does not answer"));
        }
        servers_.answered(server);
        answer(name, read_list(*response, name));
      });
}

}  // namespace doorbuster
