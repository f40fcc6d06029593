#include "adapters/memory/owner_ledger.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <set>

#include "adapters/memory/memory_ledger.hpp"
#include "rt/shard.hpp"
#include "tests/support/manual_executor.hpp"
#include "tests/support/samples.hpp"

namespace doorbuster::test {
namespace {

TEST(OwnerLedger, AnswersOnItsOwnExecutorAfterTheOwnersTurn) {
  ManualClock clock;
  ManualExecutor owner_executor(clock);
  ManualExecutor own_executor(clock);
  SeededRandom random(1);
  MemoryLedger owned(clock, random);
  owned.finish_restore();
  OwnerLedger ledger(owned, owner_executor, own_executor);
  bool answered = false;
  ledger.open(campaign("sale", 1), [&](Result<void> result) { answered = result.has_value(); });
  EXPECT_EQ(own_executor.run_until_idle(), 0U);
  owned.show(campaign_id("sale"),
             [](auto view) { EXPECT_FALSE(view->has_value()) << "not there before its turn"; });
  EXPECT_EQ(owner_executor.run_until_idle(), 1U);
  EXPECT_FALSE(answered);
  EXPECT_EQ(own_executor.run_until_idle(), 1U);
  EXPECT_TRUE(answered);
}

/// Asks for coupons of users first, first + 2, ... one after the other, each with its confirmation.
struct Asker {
  rt::Shard& shard;
  OwnerLedger& ledger;
  std::uint64_t next;
  int left;
  std::vector<Decision> decisions;
  std::promise<void> finished;

  void ask() {
    if (left-- == 0) return finished.set_value();
    ledger.decide({{campaign_id("sale"), UserId::from_integer(next)}},
                  [this](Result<std::vector<Decision>> result) {
                    EXPECT_TRUE(shard.on_this_thread());
                    decisions.push_back(result->at(0));
                    next += 2;
                    ledger.confirm({{campaign_id("sale"), 1, decisions.back().coupon.sequence}},
                                   [this](Result<void> confirmed) {
                                     EXPECT_TRUE(confirmed.has_value());
                                     ask();
                                   });
                  });
  }
};

TEST(OwnerLedger, ShardsWithTheirOwnThreadsShareOneLedger) {
  rt::Shard owner_shard("owner");
  rt::Shard shard_a("a");
  rt::Shard shard_b("b");
  ManualClock clock;
  SeededRandom random(1);
  MemoryLedger owned(clock, random);
  owned.finish_restore();
  owned.open(campaign("sale", 300), [](Result<void>) {});
  for (rt::Shard* shard : {&owner_shard, &shard_a, &shard_b}) shard->start();
  OwnerLedger ledger_a(owned, owner_shard, shard_a);
  OwnerLedger ledger_b(owned, owner_shard, shard_b);
  Asker a{shard_a, ledger_a, 0, 200, {}, {}};
  Asker b{shard_b, ledger_b, 1, 200, {}, {}};
  shard_a.post([&a] { a.ask(); });
  shard_b.post([&b] { b.ask(); });
  a.finished.get_future().wait();
  b.finished.get_future().wait();
  for (rt::Shard* shard : {&shard_a, &shard_b, &owner_shard}) shard->stop();
  std::set<std::uint64_t> numbers;
  for (const Asker* asker : {&a, &b}) {
    for (const Decision& decision : asker->decisions) {
      if (decision.outcome != Outcome::issued) continue;
      EXPECT_TRUE(numbers.insert(decision.coupon.sequence).second);
    }
  }
  EXPECT_EQ(numbers.size(), 300U);
  EXPECT_EQ(*numbers.rbegin(), 300U);
}

}  // namespace
}  // namespace doorbuster::test
