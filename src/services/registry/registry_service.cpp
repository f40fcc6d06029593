#include "services/registry/registry_service.hpp"

#include <fmt/format.h>

#include <string>

#include "proto/eureka/text.hpp"
#include "proto/http/problem.hpp"
#include "services/registry/answers.hpp"

namespace doorbuster::registry {

using http::Method;
using http::Request;

namespace {

constexpr std::string_view kEventsPath = "/v1/registry/events";

constexpr std::array<std::string_view, kOperations> kOperationNames = {
    "register", "renew", "cancel",   "status", "metadata", "full",
    "delta",    "app",   "instance", "vip",    "events",   "other"};

}  // namespace

RegistryService::RegistryService(RegistryParts parts, const RegistryOptions& options)
    : parts_(parts),
      options_(options),
      table_(options.leases),
      views_(table_, parts.clock),
      hub_(options.events),
      started_(parts.clock.now()),
      kept_alive_(started_) {
  table_.on_change([this](const leases::InstanceInfo& info) { on_change(info); });
  parts_.metrics.add(parts_.executor, [this](obs::MetricsWriter& out) { write_metrics(out); });
}

Answer RegistryService::handle(const Request& request) {
  // The place of the filters that come before everything else: authentication, rate limits.
  auto routed = route(request);
  const auto digit = static_cast<std::size_t>(routed.answer.head.status / 100);
  requests_[static_cast<std::size_t>(routed.operation)][digit].add();
  return std::move(routed.answer);
}

RegistryService::Routed RegistryService::route(const Request& request) {
  if (request.path == kEventsPath) {
    const bool get = request.method == Method::get || request.method == Method::head;
    return {Operation::events, get ? listen() : not_allowed("GET, HEAD")};
  }
  if (const auto target = parse_target(request.path)) return eureka(request, *target);
  if (auto answer = own_page(request)) return {Operation::other, std::move(*answer)};
  Answer answer;
  answer.head = http::problem(404, traits(ErrorCode::not_found).slug, traits(ErrorCode::not_found).title,
                              "Eureka's protocol is under /eureka/, the status page at /");
  return {Operation::other, std::move(answer)};
}

std::optional<Answer> RegistryService::own_page(const Request& request) {
  const auto answer_get = [&](auto make) -> Answer {
    return request.method == Method::get || request.method == Method::head ? make()
                                                                           : not_allowed("GET, HEAD");
  };
  // Browsers end up there when they are given the address that clients are configured with.
  if (request.path == "/" || request.path == "/eureka" || request.path == "/eureka/") {
    return answer_get([&] { return status_page(); });
  }
  if (request.path == "/healthz" || request.path == "/readyz") {
    return answer_get([] { return with_body(200, "application/json", R"({"status":"ok"})"); });
  }
  if (request.path == "/metrics") return answer_get([&] { return metrics_page(); });
  return std::nullopt;
}

bool RegistryService::warming_up() {
  return now() - started_ < options_.wait_time_when_empty;
}

Answer RegistryService::listen() {
  std::string hello = "retry: 1000\n\n";
  hello += server_sent_event("hello", table_.version(),
                             fmt::format(R"({{"version":{},"hash":"{}","instances":{}}})", table_.version(),
                                         table_.hash_code(), table_.size()));
  Answer answer;
  answer.body = hub_.listen(std::move(hello));
  if (!answer.body) {
    answer.head = http::server_problem(503, "as many listen to events as this registry takes");
    return answer;
  }
  answer.head.content_type = "text/event-stream";
  answer.head.headers.emplace_back("Cache-Control", "no-cache");
  answer.head.headers.emplace_back("X-Accel-Buffering", "no");  // nginx would hold events back
  return answer;
}

void RegistryService::on_change(const leases::InstanceInfo& info) {
  if (!hub_.anybody()) return;
  const auto action = *info.action;
  const std::string_view name = action == leases::Action::added      ? "added"
                                : action == leases::Action::modified ? "modified"
                                                                     : "deleted";
  auto data = fmt::format(R"({{"version":{},"hash":"{}","instance":)", table_.version(), table_.hash_code());
  eureka::append_instance(eureka::Format::json, info, data);
  data += '}';
  hub_.publish(std::make_shared<const std::string>(server_sent_event(name, table_.version(), data)));
}

void RegistryService::tick() {
  const auto time = now();
  evicted_ += table_.evict(time);
  if (time - kept_alive_ < options_.keep_alive) return;
  kept_alive_ = time;
  static const auto comment = std::make_shared<const std::string>(": keep-alive\n\n");
  hub_.publish(comment);
}

Answer RegistryService::metrics_page() {
  // Everything that is registered belongs to this shard, so the text is there when write() returns.
  std::string text;
  parts_.metrics.write(parts_.executor, [&text](const obs::MetricsWriter& out) { text = out.text(); });
  return with_body(200, obs::kMetricsContentType, std::move(text));
}

void RegistryService::write_metrics(obs::MetricsWriter& out) {
  for (std::size_t operation = 0; operation < kOperations; ++operation) {
    for (std::size_t digit = 2; digit < 6; ++digit) {
      const auto count = requests_[operation][digit].value();
      if (count == 0 && digit != 2) continue;
      out.counter("doorbuster_registry_requests_total", "Answered requests by operation and class of status",
                  count, {{"operation", kOperationNames[operation]}, {"status", fmt::format("{}xx", digit)}});
    }
  }
  for (std::size_t status = 0; status < leases::kStatuses; ++status) {
    out.gauge("doorbuster_registry_instances", "Registered instances by status",
              static_cast<double>(table_.counts()[status]),
              {{"status", to_text(static_cast<leases::InstanceStatus>(status))}});
  }
  out.gauge("doorbuster_registry_applications", "Applications with an instance",
            static_cast<double>(table_.apps().size()));
  const auto renewals = table_.renewals(now());
  out.gauge("doorbuster_registry_renews_last_minute", "Heartbeats in the last minute",
            static_cast<double>(renewals.last_minute));
  out.gauge("doorbuster_registry_renews_threshold", "Heartbeats a minute under which nothing is evicted",
            static_cast<double>(renewals.threshold));
  out.gauge("doorbuster_registry_expiry_enabled", "0: self-preservation keeps expired instances",
            renewals.expiry_enabled ? 1 : 0);
  out.counter("doorbuster_registry_evictions_total", "Instances removed because they fell silent", evicted_);
  out.gauge("doorbuster_registry_recent_changes", "Entries of the delta",
            static_cast<double>(table_.recent().all().size()));
  out.counter("doorbuster_registry_views_made_total", "Times that a cached answer was made anew",
              views_.made());
  const auto events = hub_.stats();
  out.gauge("doorbuster_registry_listeners", "Open streams of events", static_cast<double>(events.listeners));
  out.counter("doorbuster_registry_listeners_cut_off_total", "Streams that took their events too slowly",
              events.cut_off);
}

}  // namespace doorbuster::registry
