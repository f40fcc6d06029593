#include "apps/doorbuster/io_shard.hpp"

#include <future>

namespace doorbuster {
namespace {

/// How often the relay looks for events that are pending for too long.
constexpr Duration kTick = std::chrono::milliseconds(250);

}  // namespace

IoShard::IoShard(const std::string& name) : shard_(name), name_(name) {
  shard_.start();
}

IoShard::~IoShard() {
  shard_.stop();
  destroy();
}

Result<void> IoShard::build(ApiStack& stack, Clock& clock, obs::Registry& metrics, const Options& options) {
  std::promise<Result<void>> started;
  shard_.run([&] {
    server_options_ = options.server;
    stack_ = stack.attach(shard_);
    auto issue_options = options.issue;
    stack.adjust(issue_options);
    issue_ = std::make_unique<api::IssueService>(shard_, boot_clock_, stack_->ledger(), stack.log(),
                                                 issue_options);
    campaigns_ = std::make_unique<api::CampaignService>(shard_, clock, stack_->ledger(), stack.catalog(),
                                                        stack.campaign_options());
    api::ApiOptions api_options;
    api_options.shard = name_;
    api_options.authorizer = options.authorizer;
    api_options.log_strength = stack.durability_text(Durability::log);
    api_options.default_strategy = options.default_strategy;
    if (RequestBook* book = stack_->request_book()) {
      api::AsyncOptions async_options;
      async_options.most_waiting = issue_options.most_in_flight;
      async_options.log_strength = api_options.log_strength;
      async_ = std::make_unique<api::AsyncIssue>(shard_, clock, *issue_, *book, random_, async_options);
      api_options.async = async_.get();
      api_options.strategy_of = [this](const CampaignId& campaign) { return stack_->strategy_of(campaign); };
    }
    api_options.worker_caught_up = [&stack] { return stack.worker_caught_up(); };
    api_options.ready = [this] { return stack_->ready(); };
    endpoints_ = std::make_unique<api::ApiEndpoints>(
        api::ApiParts{shard_, clock, stack_->ledger(), *issue_, *campaigns_, stack.repository(),
                      stack.lookups(), stack.log(), metrics},
        std::move(api_options));
    metrics.add(shard_, [this](obs::MetricsWriter& out) { write_metrics(out); });
    stack_->start(*campaigns_, [&started](Result<void> result) { started.set_value(std::move(result)); });
    tick();
  });
  return started.get_future().get();
}

Result<void> IoShard::ready() {
  Result<void> result;
  shard_.run([&] { result = stack_->ready(); });
  return result;
}

Result<void> IoShard::listen() {
  Result<void> result;
  shard_.run([&] {
    server_ = std::make_unique<net::HttpServer>(
        shard_, server_options_, [this](const http::Request& request, net::Responder responder) {
          endpoints_->handle(request, std::move(responder));
        });
    result = server_->listen();
  });
  return result;
}

std::uint16_t IoShard::port() {
  std::uint16_t port = 0;
  shard_.run([&] { port = server_->port(); });
  return port;
}

void IoShard::drain(Duration patience, Work done) {
  shard_.post(
      [this, patience, done = std::move(done)]() mutable { server_->drain(patience, std::move(done)); });
}

void IoShard::close() {
  shard_.run([this] {
    *alive_ = false;
    if (server_) server_->stop();
  });
}

void IoShard::destroy() {
  *alive_ = false;
  server_ = nullptr;
  endpoints_ = nullptr;
  async_ = nullptr;
  campaigns_ = nullptr;
  issue_ = nullptr;
  stack_ = nullptr;
}

std::uint64_t IoShard::queued() {
  std::uint64_t waiting = 0;
  shard_.run([&] { waiting = async_ ? async_->stats().waiting : 0; });
  return waiting;
}

void IoShard::write_metrics(obs::MetricsWriter& out) const {
  if (stack_) stack_->write_metrics(out);
  if (!server_) return;
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

void IoShard::tick() {
  if (!stack_->relays()) return;
  shard_.after(kTick, [this, alive = alive_] {
    if (!*alive) return;
    issue_->relay();
    if (async_) async_->tick();
    tick();
  });
}

}  // namespace doorbuster
