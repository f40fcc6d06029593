#include "apps/doorbuster/full_shard.hpp"

#include <fmt/format.h>
#include <unistd.h>

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

SeedOptions seed_options(Strategy strategy, const FullStack& stack, const rt::Shard* shard) {
  SeedOptions options;
  options.strategy = strategy;
  options.lock_campaign = stack.lock_campaign();
  // A shard has no name that it would tell; its address tells it from the process's others.
  options.process = fmt::format("{}-{}-{}", ::getpid(), fmt::ptr(shard), to_text(strategy));
  return options;
}

}  // namespace

std::vector<Strategy> offered_strategies() {
  return {Strategy::atomic, Strategy::set_incr,  Strategy::async_queue,
          Strategy::lock,   Strategy::fair_lock, Strategy::db_lock};
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
      request_book_(redis_.core().connection, random_),
      set_incr_(shard, redis_, random_, seed_options(Strategy::set_incr, stack, &shard)),
      lock_(shard, redis_, random_, seed_options(Strategy::lock, stack, &shard)),
      fair_lock_(shard, redis_, random_, seed_options(Strategy::fair_lock, stack, &shard)),
      database_(stack.writers(), stack.database_threads(), shard, random_),
      strategies_({{Strategy::atomic, &redis_},
                   {Strategy::async_queue, &redis_},
                   {Strategy::set_incr, &set_incr_},
                   {Strategy::lock, &lock_},
                   {Strategy::fair_lock, &fair_lock_},
                   {Strategy::db_lock, &database_}}),
      latch_(shard, stack.boot_clock(), strategies_, latch_options(stack)) {}

FullShard::~FullShard() {
  keeper_ = nullptr;
  redis_.stop();  // before the ledgers over it end
}

void FullShard::start(api::CampaignService& campaigns, Ledger::Done<void> started) {
  redis_.start();
  for (SeedLedger* seed : {&set_incr_, &lock_, &fair_lock_}) seed->start();
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
