#include "apps/doorbuster/gateway_shard.hpp"

namespace doorbuster {

GatewayShard::GatewayShard(const std::string& name) : name_(name), shard_(name) {
  shard_.start();
}

GatewayShard::~GatewayShard() {
  tear_down();
  shard_.stop();
}

Result<void> GatewayShard::build(ServiceDirectory& directory, InstanceLookup& lookup, obs::Registry& metrics,
                                 Options options) {
  Result<void> result;
  shard_.run([&] {
    server_options_ = options.server;
    random_ = std::make_unique<SeededRandom>(options.seed);
    upstreams_ = std::make_unique<net::UpstreamHost>(shard_);
    result = upstreams_->start();
    if (!result) return;
    // The order is part of what they do: services/gateway/filter.hpp.
    gateway::FilterChain filters;
    filters.push_back(std::make_unique<gateway::HeaderHygiene>());
    filters.push_back(std::make_unique<gateway::RequestId>(*random_));
    filters.push_back(std::make_unique<gateway::TraceContext>(*random_));
    filters.push_back(std::make_unique<gateway::Forwarded>(std::move(options.trusted)));
    if (!options.cors_origins.empty()) {
      filters.push_back(std::make_unique<gateway::Cors>(std::move(options.cors_origins)));
    }
    if (options.access_log_every > 0) {
      filters.push_back(std::make_unique<gateway::AccessLog>(options.access_log_every));
    }
    options.gateway.shard = name_;
    gateway_ =
        std::make_unique<gateway::Gateway>(shard_, *upstreams_, *random_, directory, lookup, options.routes,
                                           std::move(filters), options.gateway, &metrics);
    metrics.add(shard_, [this](obs::MetricsWriter& out) { write_metrics(out); });
  });
  return result;
}

Result<void> GatewayShard::listen() {
  Result<void> result;
  shard_.run([&] {
    server_ = std::make_unique<net::HttpServer>(
        shard_, server_options_, [this](const http::Request& request, net::Responder responder) {
          gateway_->handle(request, std::move(responder));
        });
    result = server_->listen();
  });
  return result;
}

std::uint16_t GatewayShard::port() {
  std::uint16_t port = 0;
  shard_.run([&] { port = server_->port(); });
  return port;
}

void GatewayShard::begin_drain() {
  shard_.run([this] { gateway_->begin_drain(); });
}

void GatewayShard::drain(Duration patience, Work done) {
  shard_.post(
      [this, patience, done = std::move(done)]() mutable { server_->drain(patience, std::move(done)); });
}

void GatewayShard::tear_down() {
  if (!random_) return;  // done before
  shard_.run([this] {
    // Clients first: their connections tell the gateway that they go.
    server_ = nullptr;
    gateway_ = nullptr;
    upstreams_ = nullptr;
    random_ = nullptr;
  });
}

void GatewayShard::write_metrics(obs::MetricsWriter& out) {
  if (!server_) return;
  gateway_->write_metrics(out);
  const auto stats = server_->stats();
  out.gauge("doorbuster_http_connections", "Open connections", static_cast<double>(stats.open),
            {{"shard", name_}});
  out.counter("doorbuster_http_connections_total", "Accepted connections", stats.accepted,
              {{"shard", name_}});
  out.counter("doorbuster_http_connections_refused_total", "Connections over the bound, answered 503",
              stats.refused, {{"shard", name_}});
  out.counter("doorbuster_http_requests_total", "Requests that could be read", stats.requests,
              {{"shard", name_}});
  out.counter("doorbuster_http_bad_requests_total", "Requests that could not be read", stats.bad_requests,
              {{"shard", name_}});
  out.counter("doorbuster_http_timeouts_total", "Connections cut off for their slowness", stats.timed_out,
              {{"shard", name_}});
}

}  // namespace doorbuster
