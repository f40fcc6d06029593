#pragma once
// What one shard of the full stack has: its connection to Redis, the ledgers of all strategies over it, the
// latch in front of them, and the keeper that tells them what the database says.
//
//   IssueService ─▶ LatchingLedger ─▶ StrategyLedger ─▶ RedisLedger (atomic), the seed's,
//   db-lock
//
// One thread: the shard's.

#include <memory>
#include <vector>

#include "adapters/mariadb/mariadb_ledger.hpp"
#include "adapters/redis/redis_ledger.hpp"
#include "adapters/redis/redis_request_book.hpp"
#include "adapters/redis/seed_ledger.hpp"
#include "apps/doorbuster/api_stack.hpp"
#include "base/random.hpp"
#include "services/issuing/definition_keeper.hpp"
#include "services/issuing/latching_ledger.hpp"
#include "services/issuing/strategy_ledger.hpp"

namespace doorbuster {

class FullStack;

std::vector<Strategy> offered_strategies();

class FullShard final : public StackShard {
 public:
  FullShard(FullStack& stack, rt::Shard& shard);
  ~FullShard() override;

  Ledger& ledger() override { return latch_; }
  bool relays() const override { return true; }
  void start(api::CampaignService& campaigns, Ledger::Done<void> started) override;
  Result<void> ready() override;
  Strategy strategy_of(const CampaignId& campaign) const override {
    return strategies_.strategy_of(campaign);
  }
  RequestBook* request_book() override { return &request_book_; }
  void write_metrics(obs::MetricsWriter& out) override;

 private:
  FullStack& stack_;
  rt::Shard& shard_;
  SystemRandom random_;
  RedisLedger redis_;
  RedisRequestBook request_book_;
  SeedLedger set_incr_;
  SeedLedger lock_;
  SeedLedger fair_lock_;
  mariadb::MariaDbLedger database_;
  issuing::StrategyLedger strategies_;
  issuing::LatchingLedger latch_;
  std::unique_ptr<issuing::DefinitionKeeper> keeper_;
};

}  // namespace doorbuster
