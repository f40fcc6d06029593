#include "adapters/eureka/registry_lookup.hpp"

#include <utility>

#include "adapters/eureka/instance_mapping.hpp"
#include "proto/eureka/codec.hpp"

namespace doorbuster {
namespace {

/// More than any crowd in the air; beyond, the answer is an error at once.
constexpr std::size_t kMostWaiting = 65'536;

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

void RegistryLookup::look_up(std::string_view name, Done done) {
  auto found = services_.find(name);
  if (found == services_.end()) found = services_.emplace(std::string(name), Service()).first;
  auto& service = found->second;
  if (service.waiting.size() >= kMostWaiting) {
    return done(make_error(ErrorCode::overloaded, "too many requests wait for the registry"));
  }
  service.waiting.push_back(std::move(done));
  if (service.asked.empty()) ask(found->first);
}

void RegistryLookup::ask(const std::string& name) {
  auto& service = services_.find(name)->second;
  service.asked.swap(service.waiting);
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

void RegistryLookup::answer(const std::string& name,
                            const Result<std::shared_ptr<const ServiceList>>& found) {
  auto& service = services_.find(name)->second;
  auto answered = std::exchange(service.asked, {});
  if (!service.waiting.empty()) ask(name);
  for (auto& done : answered) done(found);
}

}  // namespace doorbuster
