// What the gateway answers by itself: its health and its numbers.

#include <fmt/format.h>

#include "proto/http/problem.hpp"
#include "services/gateway/gateway.hpp"

namespace doorbuster::gateway {
namespace {

void send_status(net::Responder& responder, const char* status) {
  http::Response response;
  response.body = fmt::format(R"({{"status":"{}"}})", status);
  responder.send(response);
}

}  // namespace

/// \returns whether it was one of ours
bool Gateway::answer_own(const http::Request& request, net::Responder& responder) {
  // The longest of the three has eight characters: nearly all other paths are told apart by that.
  if (request.path.size() > 8) return false;
  const bool reads = request.method == http::Method::get || request.method == http::Method::head;
  if (!reads) return false;
  if (request.path == "/healthz") {
    send_status(responder, "ok");
  } else if (request.path == "/readyz") {
    show_readiness(std::move(responder));
  } else if (request.path == "/metrics" && metrics_ != nullptr) {
    metrics_->write(shard_, [held = std::move(responder)](obs::MetricsWriter out) mutable {
      http::Response response;
      response.content_type = obs::kMetricsContentType;
      response.body = out.text();
      held.send(response);
    });
  } else {
    return false;
  }
  return true;
}

/// Ready once every service of the routes has been found. A service that is lost later is no reason to send
/// the crowd elsewhere: its requests are answered 503, the others' go on.
void Gateway::show_readiness(net::Responder responder) {
  if (draining_) return responder.send(http::server_problem(503, "this gateway is stopping"));
  for (const auto& service : services_) {
    if (service->was_found()) continue;
    return responder.send(
        http::server_problem(503, fmt::format("no instance of '{}' has been found yet", service->name())));
  }
  send_status(responder, "ready");
}

void Gateway::write_metrics(obs::MetricsWriter& out) {
  const std::string_view shard = options_.shard;
  constexpr std::string_view kClasses[] = {"", "1xx", "2xx", "3xx", "4xx", "5xx"};
  for (std::size_t i = 2; i < stats_.replies.size(); ++i) {
    out.counter("doorbuster_gateway_replies_total", "Requests answered, by class of status",
                stats_.replies[i], {{"shard", shard}, {"class", kClasses[i]}});
  }
  out.histogram("doorbuster_gateway_seconds", "Time from a request to the beginning of its reply",
                stats_.time, {{"shard", shard}});
  out.gauge("doorbuster_gateway_in_flight", "Requests without a reply", static_cast<double>(in_flight_),
            {{"shard", shard}});
  const std::pair<std::string_view, std::uint64_t> retries[] = {{"unsent", stats_.retries_unsent},
                                                                {"idempotent", stats_.retries_idempotent},
                                                                {"moved", stats_.retries_moved},
                                                                {"denied", stats_.retries_denied}};
  for (const auto& [kind, count] : retries) {
    out.counter("doorbuster_gateway_retries_total",
                "Requests sent once more: certainly not processed, idempotent, moved from behind a slow "
                "reply; or denied by the budget",
                count, {{"shard", shard}, {"kind", kind}});
  }
  const std::pair<std::string_view, std::uint64_t> refused[] = {{"no_route", stats_.no_route},
                                                                {"no_instance", stats_.no_instance},
                                                                {"overflow", stats_.overflows},
                                                                {"timeout", stats_.timeouts},
                                                                {"lost", stats_.lost},
                                                                {"client_gone", stats_.clients_gone},
                                                                {"filter", stats_.answered_by_filters}};
  for (const auto& [why, count] : refused) {
    out.counter("doorbuster_gateway_unserved_total", "Requests that got no instance's reply", count,
                {{"shard", shard}, {"why", why}});
  }
  const auto& upstream = upstreams_.stats();
  out.gauge("doorbuster_gateway_upstream_connections", "Open connections to instances",
            static_cast<double>(upstream.connections), {{"shard", shard}});
  out.gauge("doorbuster_gateway_upstream_waiting", "Requests that wait for a connection",
            static_cast<double>(upstream.waiting), {{"shard", shard}});
  const std::pair<std::string_view, std::uint64_t> events[] = {{"connect", upstream.connects},
                                                               {"connect_failure", upstream.connect_failures},
                                                               {"lost", upstream.lost},
                                                               {"desynchronised", upstream.desynchronised}};
  for (const auto& [kind, count] : events) {
    out.counter("doorbuster_gateway_upstream_connection_events_total",
                "What became of connections to instances", count, {{"shard", shard}, {"kind", kind}});
  }
  out.counter("doorbuster_gateway_upstream_requests_total", "Requests written to instances, repeats included",
              upstream.requests, {{"shard", shard}});
  out.counter("doorbuster_gateway_upstream_writes_total", "System calls that wrote them", upstream.writes,
              {{"shard", shard}});
  for (auto& service : services_) {
    auto& balancer = service->balancer();
    const std::string_view name = service->name();
    out.gauge("doorbuster_gateway_instances", "Instances of a service",
              static_cast<double>(balancer.healthy(upstreams_.now())),
              {{"shard", shard}, {"service", name}, {"state", "healthy"}});
    out.gauge("doorbuster_gateway_instances", "Instances of a service",
              static_cast<double>(balancer.members()),
              {{"shard", shard}, {"service", name}, {"state", "known"}});
    const auto& stats = balancer.stats();
    const std::pair<std::string_view, std::uint64_t> kinds[] = {
        {"refused", stats.refusals},
        {"ejected", stats.ejections},
        {"breaker", stats.breaker_openings},
        {"spared_by_cap", stats.ejections_over_the_cap}};
    for (const auto& [kind, count] : kinds) {
      out.counter("doorbuster_gateway_instance_outs_total", "Instances put out of rotation, by reason", count,
                  {{"shard", shard}, {"service", name}, {"kind", kind}});
    }
    out.counter("doorbuster_gateway_panic_picks_total",
                "Requests sent although too few instances are healthy", stats.panics,
                {{"shard", shard}, {"service", name}});
  }
}

}  // namespace doorbuster::gateway
