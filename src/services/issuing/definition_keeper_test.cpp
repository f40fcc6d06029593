#include "services/issuing/definition_keeper.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "adapters/memory/memory_catalog.hpp"
#include "adapters/memory/memory_ledger.hpp"
#include "tests/support/await.hpp"
#include "tests/support/samples.hpp"

namespace doorbuster::issuing {
namespace {

using namespace std::chrono_literals;
using test::campaign_id;
using testing::ElementsAre;
using testing::IsEmpty;

class DefinitionKeeperTest : public testing::Test {
 protected:
  DefinitionKeeperTest() {
    ledger_.finish_restore();
    put(definition_);
    ledger_.open(definition_, [](Result<void>) {});
  }
  void put(const CampaignDefinition& definition) { ASSERT_TRUE(test::put(catalog_, executor_, definition)); }
  void start() {
    keeper_.start([this](Result<void> refreshed) { refreshed_ = refreshed.has_value(); });
    executor_.run_until_idle();
  }
  CampaignDefinition definition_ = test::campaign("drop", 5);
  test::ManualClock clock_;
  test::ManualExecutor executor_{clock_};
  SeededRandom random_{1};
  MemoryLedger ledger_{clock_, random_};
  MemoryEventLog log_;
  MemoryCatalog catalog_{log_};
  std::vector<std::uint32_t> known_;
  std::vector<std::string> mended_;
  bool refreshed_ = false;
  DefinitionKeeper keeper_{{executor_, clock_, catalog_, ledger_},
                           [this](const std::vector<CampaignDefinition>& all) {
                             for (const auto& each : all) known_.push_back(each.revision);
                           },
                           [this](const CampaignId& id) { mended_.emplace_back(id.text()); }};
};

TEST_F(DefinitionKeeperTest, TellsEveryDefinitionAtEachRefresh) {
  start();
  EXPECT_TRUE(refreshed_);
  executor_.advance(1s);
  EXPECT_THAT(known_, ElementsAre(1, 1));
}

TEST_F(DefinitionKeeperTest, RefreshesBeforeItsTimeWhenAsked) {
  start();
  keeper_.refresh();
  keeper_.refresh();
  executor_.run_until_idle();
  EXPECT_THAT(known_, ElementsAre(1, 1)) << "one at a time";
}

TEST_F(DefinitionKeeperTest, WhatWasWrittenAndNotToldToTheLedgerIsMended) {
  start();
  auto changed = definition_;
  changed.revision = 2;
  put(changed);
  executor_.advance(5s);
  EXPECT_THAT(mended_, IsEmpty()) << "somebody may be at it";
  executor_.advance(2s);
  EXPECT_THAT(mended_, ElementsAre("drop"));
}

TEST_F(DefinitionKeeperTest, AHoldThatNobodyEndsIsMended) {
  start();
  ledger_.begin_change(definition_.id, {}, [](auto) {});
  executor_.advance(5s);  // looked at
  EXPECT_THAT(mended_, IsEmpty());
  executor_.advance(5s);
  EXPECT_THAT(mended_, ElementsAre("drop"));
}

TEST_F(DefinitionKeeperTest, AHoldThatEndsByItselfIsNot) {
  start();
  ledger_.begin_change(definition_.id, {}, [](auto) {});
  executor_.advance(6s);
  ledger_.end_change(definition_, [](Result<void>) {});
  executor_.advance(20s);
  EXPECT_THAT(mended_, IsEmpty());
}

}  // namespace
}  // namespace doorbuster::issuing
