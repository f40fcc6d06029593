#include "apps/doorbuster/up_plan.hpp"

#include <fmt/format.h>

#include <filesystem>
#include <set>

#include "adapters/sqlite/data_directory.hpp"
#include "net/http_server.hpp"
#include "services/api/auth.hpp"

namespace doorbuster {
namespace {

constexpr int kFirstCampaign = 1000;  // coupons of `default`, made when there is no campaign
constexpr const char* kLocal = "127.0.0.1";

// Of what stops first, the others are still there.
constexpr int kStopGateway = 0;
constexpr int kStopApi = 1;
constexpr int kStopWorker = 2;
constexpr int kStopRegistry = 3;

Error wrong(std::string detail) {
  return make_error(ErrorCode::invalid, std::move(detail));
}

/// `make stack` writes it beside the binary's folder: build/release/doorbuster, build/stack/stack.yaml.
std::string stack_of_this_checkout() {
  std::error_code error;
  const auto binary = std::filesystem::read_symlink("/proc/self/exe", error);
  const auto file = binary.parent_path().parent_path() / "stack" / "stack.yaml";
  return !error && std::filesystem::is_regular_file(file, error) ? file.string() : "";
}

/// Gives out ports, and complains about those that are in use.
class Ports {
 public:
  Result<std::uint16_t> take(const std::string& role, const std::string& bind, std::int64_t wanted) {
    if (wanted > 65535) return wrong(fmt::format("the {}'s port {} is above 65535", role, wanted));
    auto port = static_cast<std::uint16_t>(wanted);
    if (port == 0) {
      do {
        const auto any = net::any_free_port(bind);
        if (!any) return any.error();
        port = *any;
      } while (taken_.count(port) > 0);
    }
    if (!taken_.insert(port).second) return wrong(fmt::format("port {} is wanted twice", port));
    if (const auto free = net::probe_port(bind, port); !free) {
      return make_error(free.error().code, fmt::format("{}: {}", role, free.error().detail));
    }
    return port;
  }

 private:
  std::set<std::uint16_t> taken_;
};

std::string shown_host(const std::string& bind) {
  const std::string local = bind == "0.0.0.0" ? kLocal : bind == "::" ? "::1" : bind;
  return local.find(':') == std::string::npos ? local : "[" + local + "]";
}

std::string greeting_of(const std::string& url, const std::string& where) {
  return fmt::format(
      "\nDoorbuster is up: {0}   ({1}; Ctrl-C stops it)\n\n"
      "  curl -i {0}/v1/campaigns/default/coupons -d '{{\"user_id\": \"alice\"}}'\n\n"
      "  campaigns  {0}/v1/campaigns\n"
      "  health     {0}/readyz\n"
      "  metrics    {0}/metrics\n",
      url, where);
}

class Planner {
 public:
  Planner(const config::Settings& settings, const UpFlags& flags) : settings_(settings), flags_(flags) {}

  Result<UpPlan> plan() {
    if (const auto checked = check(); !checked) return checked.error();
    if (const auto ports = take_ports(); !ports) return ports.error();
    if (!full_) {
      // Only to see whether it can be had; the api takes it for good.
      const auto data = sqlite::DataDirectory::acquire(settings_.text("up.data"), "up");
      if (!data) return data.error();
    }
    UpPlan plan;
    if (registry_port_ != 0) plan.children.push_back(registry());
    for (std::size_t i = 0; i < api_ports_.size(); ++i) plan.children.push_back(api(i));
    if (full_) plan.children.push_back(worker());
    if (with_gateway_) plan.children.push_back(gateway());
    const auto url = fmt::format("http://{}:{}", shown_host(bind_), settings_.text("up.port"));
    plan.greeting = greeting_of(
        url, full_ ? "Redis, Kafka and MariaDB of " + config_file_ : "data in " + settings_.text("up.data"));
    if (registry_port_ != 0)
      plan.greeting += fmt::format("  registry   http://{}:{}/\n", kLocal, registry_port_);
    plan.greeting += "\n";
    return plan;
  }

 private:
  Result<void> check() {
    const auto& stack = settings_.text("up.stack");
    full_ = stack == "full";
    if (!full_ && stack != "embedded")
      return wrong(fmt::format("there is no stack '{}'; embedded and full are the ones there are", stack));
    instances_ = static_cast<std::size_t>(settings_.integer("up.instances"));
    with_gateway_ = settings_.boolean("up.gateway");
    bind_ = settings_.text("up.bind");
    if (!full_ && instances_ > 1) {
      return wrong(fmt::format(
          "--instances {}: an embedded ledger has one owner; several api processes need --stack full",
          instances_));
    }
    if (instances_ > 1 && !with_gateway_)
      return wrong(fmt::format("--instances {}: without a gateway nobody spreads the crowd", instances_));
    if (with_gateway_ && !api::is_loopback(bind_)) {
      // The gateway lets everybody through: the instances behind it must ask who they are.
      config::Settings::Sources sources;
      sources.file = flags_.config_file;
      const auto api = config::Settings::load("api", sources);
      if (!api) return api.error();
      if (api->tokens().empty())
        return wrong(fmt::format("without api.tokens the system listens on loopback only, not on {}", bind_));
    }
    config_file_ = flags_.config_file;
    if (full_ && config_file_.empty()) {
      config_file_ = stack_of_this_checkout();
      if (config_file_.empty()) {
        return wrong(
            "--stack full needs Redis, Kafka and MariaDB: start those of `make stack`, or name yours "
            "with --config FILE");
      }
    }
    return {};
  }

  Result<void> take_ports() {
    const auto entry = ports_.take(with_gateway_ ? "gateway" : "api", bind_, settings_.integer("up.port"));
    if (!entry) return entry.error();
    if (settings_.boolean("up.registry")) {
      const auto port = ports_.take("registry", kLocal, settings_.integer("up.registry_port"));
      if (!port) return port.error();
      registry_port_ = *port;
    }
    if (!with_gateway_) {
      api_ports_.push_back(*entry);
    } else {
      const auto first = settings_.integer("up.api_port");
      for (std::size_t i = 0; i < instances_; ++i) {
        const auto port =
            ports_.take(api_name(i), kLocal, first == 0 ? 0 : first + static_cast<std::int64_t>(i));
        if (!port) return port.error();
        api_ports_.push_back(*port);
      }
    }
    if (full_) {
      const auto port = ports_.take("worker", kLocal, settings_.integer("up.worker_port"));
      if (!port) return port.error();
      worker_port_ = *port;
    }
    return {};
  }

  std::string api_name(std::size_t index) const {
    return instances_ == 1 ? "api" : fmt::format("api-{}", index + 1);
  }

  ChildPlan child(const std::string& name, const std::string& role, const std::string& bind,
                  std::uint16_t port) const {
    ChildPlan plan;
    plan.name = name;
    plan.arguments = {
        role, "--bind", bind, "--port", std::to_string(port), "--log-level", settings_.text("log.level")};
    if (!config_file_.empty()) plan.arguments.insert(plan.arguments.end(), {"--config", config_file_});
    const std::string local = bind == "0.0.0.0" ? kLocal : bind == "::" ? "::1" : bind;
    plan.target.url = {local, std::to_string(port), ""};
    plan.target.ready_path = "/readyz";
    return plan;
  }

  void know_registry(ChildPlan& plan) const {
    if (registry_port_ == 0) return;
    plan.arguments.insert(plan.arguments.end(),
                          {"--registry", fmt::format("http://{}:{}/eureka/", kLocal, registry_port_)});
  }

  ChildPlan registry() const {
    auto plan = child("registry", "registry", kLocal, registry_port_);
    plan.first = true;
    plan.stop_order = kStopRegistry;
    return plan;
  }

  ChildPlan api(std::size_t index) const {
    auto plan = child(api_name(index), "api", with_gateway_ ? kLocal : bind_, api_ports_[index]);
    plan.stop_order = kStopApi;
    plan.is_entry = !with_gateway_;
    plan.arguments.insert(plan.arguments.end(), {"--default-campaign", std::to_string(kFirstCampaign)});
    if (full_) {
      plan.arguments.insert(plan.arguments.end(), {"--stack", "full"});
    } else {
      plan.arguments.insert(plan.arguments.end(), {"--data", settings_.text("up.data")});
    }
    know_registry(plan);
    plan.arguments.insert(plan.arguments.end(), flags_.api.begin(), flags_.api.end());
    return plan;
  }

  ChildPlan worker() const {
    auto plan = child("worker", "worker", kLocal, worker_port_);
    plan.stop_order = kStopWorker;
    know_registry(plan);
    plan.arguments.insert(plan.arguments.end(), flags_.worker.begin(), flags_.worker.end());
    return plan;
  }

  ChildPlan gateway() const {
    auto plan = child("gateway", "gateway", bind_, static_cast<std::uint16_t>(settings_.integer("up.port")));
    plan.stop_order = kStopGateway;
    plan.is_entry = true;
    plan.target.ready_path = "/v1/campaigns";  // all the way to an api that is ready
    if (!api::is_loopback(bind_)) plan.arguments.insert(plan.arguments.end(), {"--allow-public", "true"});
    if (registry_port_ == 0) {
      std::string addresses;
      for (const auto port : api_ports_)
        addresses += fmt::format("{}http://{}:{}", addresses.empty() ? "" : ",", kLocal, port);
      plan.arguments.insert(plan.arguments.end(), {"--upstream", addresses});
    }
    know_registry(plan);
    plan.arguments.insert(plan.arguments.end(), flags_.gateway.begin(), flags_.gateway.end());
    return plan;
  }

  const config::Settings& settings_;
  const UpFlags& flags_;
  Ports ports_;
  bool full_ = false;
  bool with_gateway_ = false;
  std::size_t instances_ = 1;
  std::string bind_;
  std::string config_file_;
  std::uint16_t registry_port_ = 0;  // 0: none
  std::uint16_t worker_port_ = 0;
  std::vector<std::uint16_t> api_ports_;
};

}  // namespace

Result<UpPlan> plan_up(const config::Settings& settings, const UpFlags& flags) {
  return Planner(settings, flags).plan();
}

}  // namespace doorbuster
