#include "apps/doorbuster/full_shard.hpp"

#include "apps/doorbuster/full_stack.hpp"
#include "base/log.hpp"

namespace doorbuster {
namespace {

issuing::LatchOptions latch_options(const FullStack& stack) {
  issuing::LatchOptions options;
  options.filter_key = stack.filter_key();
  options.most_filter_bytes = stack.latch_bytes();
  return options;
}

}  // namespace

std::vector<Strategy> offered_strategies() {
  return {Strategy::atomic, Strategy::async_queue, Strategy::db_lock};
}

FullShard::FullShard(FullStack& stack, rt::Shard& shard)
    : stack_(stack),
      shard_(shard),
      redis_(shard, stack.redis_options(), random_,
             redis::LedgerEvents{
                 .needs_recovery = [&stack](const CampaignId& campaign) { stack.needs_recovery(campaign); },
                 .refresh =
                     [this] {
                       if (keeper_) keeper_->refresh();
                     }}),
      database_(stack.writers(), stack.database_threads(), shard, random_),
      strategies_(
          {{Strategy::atomic, &redis_}, {Strategy::async_queue, &redis_}, {Strategy::db_lock, &database_}}),
      latch_(shard, stack.boot_clock(), strategies_, latch_options(stack)) {}

FullShard::~FullShard() {
  keeper_ = nullptr;
  redis_.stop();
}

void FullShard::start(api::CampaignService& campaigns, Ledger::Done<void> started) {
  redis_.start();
  keeper_ = std::make_unique<issuing::DefinitionKeeper>(
      issuing::DefinitionKeeper::Parts{shard_, stack_.boot_clock(), stack_.catalog(), latch_},
      [this](const std::vector<CampaignDefinition>& definitions) {
        strategies_.know_all(definitions);
        redis_.know(definitions);
      },
      [&campaigns](const CampaignId& campaign) {
        campaigns.change(campaign, {}, [campaign](Result<CampaignView> mended) {
          if (!mended) {
            log().warn("campaign {}: a change that was left unfinished could not be mended yet: {}",
                       campaign.text(), mended.error().detail);
          }
        });
      });
  strategies_.ask_before_unknown(stack_.boot_clock(), [this] { keeper_->refresh(); });
  keeper_->start(std::move(started));
}

Result<void> FullShard::ready() {
  return redis_.ready();
}

void FullShard::write_metrics(obs::MetricsWriter& out) {
  out.gauge("doorbuster_redis_up", "1: connected, and Redis is what it must be", redis_.ready() ? 1 : 0);
  const auto& latch = latch_.stats();
  out.counter("doorbuster_latch_refusals_total", "\"sold out\" said without asking the ledger",
              latch.refusals);
  out.counter("doorbuster_latch_confirmations_total", "Questions to the ledger to keep a latch",
              latch.confirmations);
  out.counter("doorbuster_latch_filters_total", "Filters of holders built", latch.filters);
  out.counter("doorbuster_latch_evicted_total", "Filters dropped for want of room", latch.evicted);
  out.gauge("doorbuster_latch_filter_bytes", "Memory of the filters",
            static_cast<double>(latch.filter_bytes));
}

}  // namespace doorbuster
