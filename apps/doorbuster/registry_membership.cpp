#include "apps/doorbuster/registry_membership.hpp"

#include <fmt/format.h>

#include <thread>
#include <utility>

namespace doorbuster {
namespace {

constexpr Duration kLeavePatience = std::chrono::seconds(1);

/// By which others reach what listens on `bind`.
std::string advertised_host(const config::Settings& settings, const std::string& bind) {
  if (!settings.text("eureka.host").empty()) return settings.text("eureka.host");
  if (bind == "localhost") return "127.0.0.1";
  if (bind != "0.0.0.0" && bind != "::") return bind;
  const auto servers = parse_registry_servers(settings.text("registry.urls"));
  const auto own = servers ? local_address_towards(servers->front().url) : std::string();
  return own.empty() ? "127.0.0.1" : own;
}

}  // namespace

Result<std::unique_ptr<EurekaClient>> open_registry_client(const config::Settings& settings, bool directory) {
  if (settings.text("registry.urls").empty()) return nullptr;
  auto servers = parse_registry_servers(settings.text("registry.urls"));
  if (!servers) {
    return make_error(ErrorCode::invalid, "registry.urls: " + servers.error().detail, "registry.urls");
  }
  if (settings.duration("eureka.lease") <= settings.duration("eureka.renew_interval")) {
    return make_error(ErrorCode::invalid,
                      fmt::format("eureka.lease ({}) must be longer than eureka.renew_interval ({})",
                                  settings.text("eureka.lease"), settings.text("eureka.renew_interval")),
                      "eureka.lease");
  }
  EurekaClient::Options options;
  options.servers = std::move(*servers);
  options.directory = directory;
  options.poll_every = settings.duration("eureka.poll_interval");
  return std::make_unique<EurekaClient>(std::move(options));
}

void RegistryMembership::announce(const std::string& service, const std::string& bind, std::uint16_t port,
                                  std::map<std::string, std::string> metadata) {
  if (client_ == nullptr) return;
  ServiceInstance instance;
  instance.service = service;
  instance.host = advertised_host(settings_, bind);
  instance.port = port;
  instance.id = settings_.text("eureka.instance_id");
  if (instance.id.empty()) instance.id = fmt::format("{}:{}:{}", instance.host, service, port);
  instance.status = InstanceStatus::starting;
  instance.metadata = std::move(metadata);
  instance.metadata.emplace("zone", settings_.text("eureka.zone"));
  client_->announce(std::move(instance), settings_.duration("eureka.renew_interval"),
                    settings_.duration("eureka.lease"));
  announced_ = true;
}

void RegistryMembership::up() {
  if (announced_) client_->set_status(InstanceStatus::up);
}

void RegistryMembership::leave() {
  if (!std::exchange(announced_, false)) return;
  client_->withdraw(kLeavePatience);
  // Requests that were on their way are still served meanwhile.
  std::this_thread::sleep_for(settings_.duration("eureka.leave_wait"));
}

}  // namespace doorbuster
