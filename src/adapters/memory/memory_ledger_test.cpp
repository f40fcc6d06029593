#include "adapters/memory/memory_ledger.hpp"

#include <gtest/gtest.h>

#include <set>

#include "adapters/memory/owner_ledger.hpp"
#include "tests/support/ledger_suite.hpp"

namespace doorbuster::test {
namespace {

class MemoryBed {
 public:
  MemoryBed() { ledger_.finish_restore(); }
  Ledger& ledger() { return ledger_; }
  ManualExecutor& executor() { return executor_; }
  ManualClock& clock() { return clock_; }

 private:
  ManualClock clock_;
  ManualExecutor executor_{clock_};
  SeededRandom random_{1};
  MemoryLedger ledger_{clock_, random_};
};

/// Two shards on one executor: each step is a turn.
class OwnerBed {
 public:
  OwnerBed() { owned_.finish_restore(); }
  Ledger& ledger() { return ledger_; }
  ManualExecutor& executor() { return executor_; }
  ManualClock& clock() { return clock_; }

 private:
  ManualClock clock_;
  ManualExecutor executor_{clock_};
  SeededRandom random_{1};
  MemoryLedger owned_{clock_, random_};
  OwnerLedger ledger_{owned_, executor_, executor_};
};

INSTANTIATE_TYPED_TEST_SUITE_P(Memory, LedgerSuite, MemoryBed);
INSTANTIATE_TYPED_TEST_SUITE_P(Owner, LedgerSuite, OwnerBed);

class MemoryLedgerTest : public testing::Test {
 protected:
  std::vector<Decision> decide(std::vector<IssueRequest> batch) {
    std::vector<Decision> decisions;
    ledger_.decide(std::move(batch),
                   [&](Result<std::vector<Decision>> result) { decisions = result.value(); });
    return decisions;
  }
  Decision decide(std::string_view campaign, std::uint64_t user) {
    return decide({{campaign_id(campaign), UserId::from_integer(user)}}).at(0);
  }
  Result<void> restore(Event event) { return ledger_.restore({++position_, std::move(event)}); }
  Result<void> confirm(std::string_view campaign, std::uint64_t sequence) {
    Result<void> answer;
    ledger_.confirm({{campaign_id(campaign), 1, sequence}},
                    [&](Result<void> result) { answer = std::move(result); });
    return answer;
  }

  ManualClock clock_;
  SeededRandom random_{1};
  MemoryLedger ledger_{clock_, random_};
  LogPosition position_ = 0;
};

TEST_F(MemoryLedgerTest, IsClosedUntilEverythingIsReadBack) {
  ASSERT_TRUE(restore(CampaignChanged{campaign("sale", 5)}).has_value());
  EXPECT_EQ(decide("sale", 1).outcome, Outcome::closed);
  EXPECT_EQ(confirm("sale", 1).error().code, ErrorCode::closed);
  ErrorCode code = ErrorCode::internal;
  ledger_.open(campaign("other", 5), [&](Result<void> result) { code = result.error().code; });
  EXPECT_EQ(code, ErrorCode::closed);
  ledger_.find(campaign_id("sale"), UserId::from_integer(1),
               [&](auto result) { code = result.error().code; });
  EXPECT_EQ(code, ErrorCode::closed);
  ledger_.finish_restore();
  EXPECT_EQ(decide("sale", 1).outcome, Outcome::issued);
}

TEST_F(MemoryLedgerTest, IsRebuiltFromTheLogWithRepeatsAndGaps) {
  auto raised = campaign("sale", 5);
  raised.revision = 2;
  for (const Event& event : std::vector<Event>{CampaignChanged{campaign("sale", 2)}, coupon_event("sale", 1),
                                               CampaignChanged{campaign("other", 1)}, CampaignChanged{raised},
                                               coupon_event("sale", 4), coupon_event("sale", 1),
                                               coupon_event("other", 1), coupon_event("sale", 2)}) {
    ASSERT_TRUE(restore(event).has_value());
  }
  ledger_.finish_restore();
  EXPECT_EQ(decide("sale", 1004).coupon, coupon_event("sale", 4).coupon);
  EXPECT_FALSE(decide("sale", 1004).pending);
  EXPECT_EQ(decide("other", 1).outcome, Outcome::sold_out);
  EXPECT_EQ(decide("sale", 1).coupon.sequence, 3U) << "the missing one first";
  EXPECT_TRUE(decide("sale", 1).refilled);
  EXPECT_EQ(decide("sale", 2).coupon.sequence, 5U);
  EXPECT_EQ(decide("sale", 3).outcome, Outcome::sold_out);
}

TEST_F(MemoryLedgerTest, ALogThatContradictsItselfIsCorruptAndThePositionIsNamed) {
  const auto unknown = restore(coupon_event("sale", 1));
  EXPECT_EQ(unknown.error().code, ErrorCode::corrupt);
  ASSERT_TRUE(restore(CampaignChanged{campaign("sale", 5)}).has_value());
  ASSERT_TRUE(restore(coupon_event("sale", 1)).has_value());
  const auto again = restore(coupon_event("sale", 2, UserId::from_integer(1001)));
  EXPECT_EQ(again.error().code, ErrorCode::corrupt);
  EXPECT_NE(again.error().detail.find("log position 4"), std::string::npos) << again.error().detail;
}

TEST_F(MemoryLedgerTest, EndedCampaignsCanBeUnloaded) {
  auto ended = campaign("past", 5);
  ended.status = CampaignStatus::ended;
  ASSERT_TRUE(restore(CampaignChanged{ended}).has_value());
  ASSERT_TRUE(restore(coupon_event("past", 1)).has_value());
  ASSERT_TRUE(restore(CampaignChanged{campaign("sale", 5)}).has_value());
  ledger_.finish_restore();
  EXPECT_EQ(ledger_.unload(campaign_id("absent")).error().code, ErrorCode::not_found);
  EXPECT_EQ(ledger_.unload(campaign_id("sale")).error().code, ErrorCode::conflict);
  EXPECT_EQ(decide("past", 1001).outcome, Outcome::already_issued);
  const std::size_t before = ledger_.memory_bytes();
  ASSERT_TRUE(ledger_.unload(campaign_id("past")).has_value());
  EXPECT_LT(ledger_.memory_bytes(), before);
  EXPECT_EQ(decide("past", 1001).outcome, Outcome::unknown_campaign);
  EXPECT_EQ(decide("sale", 1001).outcome, Outcome::issued);
}

TEST_F(MemoryLedgerTest, OverdueEventsComeFromAllCampaignsUpToTheMaximum) {
  for (const char* id : {"a", "b", "c"}) ASSERT_TRUE(restore(CampaignChanged{campaign(id, 9)}).has_value());
  ledger_.finish_restore();
  for (const char* id : {"a", "b", "c"}) {
    decide(id, 1);
    decide(id, 2);
  }
  clock_.advance(Duration{10});
  std::set<std::pair<CampaignId, std::uint64_t>> taken;
  for (int round = 0; round < 2; ++round) {
    ledger_.take_overdue(Duration{5}, 4, [&](Result<std::vector<PendingEvent>> events) {
      EXPECT_LE(events->size(), 4U);
      for (const auto& event : *events) taken.emplace(event.event.campaign, event.event.coupon.sequence);
    });
  }
  EXPECT_EQ(taken.size(), 6U);
}

}  // namespace
}  // namespace doorbuster::test
