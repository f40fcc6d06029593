#include "apps/doorbuster/io_shard.hpp"

#include "apps/doorbuster/stack_metrics.hpp"

namespace doorbuster {
namespace {

std::unique_ptr<OwnerLedger> ledger_elsewhere(rt::Shard& shard, const SharedParts& shared) {
  if (&shard == &shared.ledger_shard) return nullptr;
  return std::make_unique<OwnerLedger>(shared.ledger, shared.ledger_shard, shard);
}

}  // namespace

IoShard::IoShard(rt::Shard& shard, const SharedParts& shared, api::IssueOptions issue,
                 api::ApiOptions options)
    : shard_(shard),
      elsewhere_(ledger_elsewhere(shard, shared)),
      ledger_(elsewhere_ ? static_cast<Ledger&>(*elsewhere_) : shared.ledger),
      issue_(shard, shared.clock, ledger_, shared.log, issue),
      campaigns_(shard, shared.clock, ledger_, shared.catalog),
      endpoints_({shard, shared.clock, ledger_, issue_, campaigns_, shared.repository, shared.offload,
                  shared.log, shared.metrics},
                 options) {
  shared.metrics.add(shard, [this, name = options.shard](obs::MetricsWriter& out) {
    if (server_) write_http_metrics(server_->stats(), name, out);
  });
}

Result<void> IoShard::listen(net::HttpServerOptions options) {
  server_ = std::make_unique<net::HttpServer>(shard_, std::move(options),
                                              [this](const http::Request& request, net::Responder responder) {
                                                endpoints_.handle(request, std::move(responder));
                                              });
  return server_->listen();
}

void IoShard::keep_relaying(Duration interval) {
  shard_.after(interval, [this, interval] {
    issue_.relay();
    keep_relaying(interval);
  });
}

void IoShard::drain(Duration patience, UniqueFunction<void()> done) {
  if (!server_) return done();
  server_->drain(patience, std::move(done));
}

void IoShard::stop() {
  if (server_) server_->stop();
}

}  // namespace doorbuster
