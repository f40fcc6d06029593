#include "adapters/memory/memory_ledger.hpp"

#include <gtest/gtest.h>

#include <set>

#include "adapters/memory/memory_repository.hpp"
#include "adapters/memory/owner_ledger.hpp"
#include "tests/support/ledger_suite.hpp"
#include "tests/support/posting_archive.hpp"

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

  /// A campaign of `holders` coupons that has ended, in the ledger and in the repository.
  void restore_ended(std::string_view id, std::uint64_t holders) {
    auto definition = campaign(id, holders + 1);
    definition.status = CampaignStatus::ended;
    ASSERT_TRUE(restore(CampaignChanged{definition}).has_value());
    for (std::uint64_t number = 1; number <= holders; ++number) {
      ASSERT_TRUE(restore(coupon_event(id, number)).has_value());
      ASSERT_TRUE(repository_.store({{position_, coupon_event(id, number)}}).has_value());
    }
  }
  Result<void> unload(std::string_view id, std::uint64_t holders) {
    HolderFilter filter(holders, 7);
    for (std::uint64_t number = 1; number <= holders; ++number)
      filter.add(UserId::from_integer(1000 + number));
    return ledger_.unload(campaign_id(id), std::move(filter), holders, archive_);
  }
  Result<std::optional<Decision>> find(std::string_view campaign, std::uint64_t user) {
    Result<std::optional<Decision>> found = make_error(ErrorCode::internal, "no answer");
    ledger_.find(campaign_id(campaign), UserId::from_integer(user),
                 [&](auto result) { found = std::move(result); });
    executor_.run_until_idle();
    return found;
  }
  std::vector<Decision> holders(std::string_view campaign, std::uint64_t after, std::size_t max) {
    std::vector<Decision> page;
    ledger_.holders(campaign_id(campaign), after, max, [&](auto result) { page = result.value(); });
    executor_.run_until_idle();
    return page;
  }
  std::vector<CampaignView> listed() {
    std::vector<CampaignView> views;
    ledger_.list([&](auto result) { views = result.value(); });
    return views;
  }

  ManualClock clock_;
  ManualExecutor executor_{clock_};
  SeededRandom random_{1};
  MemoryRepository repository_;
  PostingArchive archive_{executor_, repository_};
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

TEST_F(MemoryLedgerTest, OnlyWhatHasEndedAndIsQuietAndWholeIsUnloaded) {
  restore_ended("past", 20);
  ASSERT_TRUE(restore(CampaignChanged{campaign("sale", 5)}).has_value());
  ledger_.finish_restore();
  EXPECT_EQ(unload("absent", 0).error().code, ErrorCode::not_found);
  EXPECT_EQ(unload("sale", 0).error().code, ErrorCode::conflict) << "not ended";
  EXPECT_EQ(unload("past", 19).error().code, ErrorCode::conflict) << "one holder is not there";
  EXPECT_EQ(ledger_.unloadable(), (std::vector{campaign_id("past")}));
  CampaignPatch rename;
  rename.name = "renamed";
  CampaignDefinition next;
  ledger_.begin_change(campaign_id("past"), rename, [&](auto begun) { next = begun.value(); });
  EXPECT_TRUE(ledger_.unloadable().empty());
  EXPECT_EQ(unload("past", 20).error().code, ErrorCode::conflict) << "being changed";
  ledger_.end_change(next, [](Result<void>) {});
  EXPECT_TRUE(unload("past", 20).has_value());
  EXPECT_TRUE(ledger_.unloadable().empty());
  EXPECT_EQ(unload("past", 20).error().code, ErrorCode::not_found) << "only once";

  // A campaign that ends while a coupon is pending waits for it.
  EXPECT_EQ(decide("sale", 1).outcome, Outcome::issued);
  CampaignPatch end;
  end.status = CampaignStatus::ended;
  ledger_.begin_change(campaign_id("sale"), end, [&](auto begun) { next = begun.value(); });
  ledger_.end_change(next, [](Result<void>) {});
  EXPECT_TRUE(ledger_.unloadable().empty());
  EXPECT_EQ(unload("sale", 1).error().code, ErrorCode::conflict);
  ASSERT_TRUE(confirm("sale", 1).has_value());
  EXPECT_EQ(ledger_.unloadable(), (std::vector{campaign_id("sale")}));
}

TEST_F(MemoryLedgerTest, AnUnloadedCampaignAnswersAsItDidInASmallPartOfTheMemory) {
  constexpr std::uint64_t kHolders = 5000;
  restore_ended("past", kHolders);
  ASSERT_TRUE(restore(CampaignChanged{campaign("sale", 5)}).has_value());
  ledger_.finish_restore();
  const auto views = listed();
  const auto held = holders("past", 10, 50);
  ASSERT_EQ(held.size(), 50U);
  const std::size_t before = ledger_.memory_bytes();
  ASSERT_TRUE(unload("past", kHolders).has_value());
  const std::size_t after = ledger_.memory_bytes();
  EXPECT_LT(after * 10, before) << "a filter of two bytes a holder is left";
  EXPECT_EQ(ledger_.unloaded(), 1U);

  const auto views_after = listed();
  ASSERT_EQ(views_after.size(), views.size());
  for (std::size_t i = 0; i < views.size(); ++i) {
    EXPECT_EQ(views_after[i].definition, views[i].definition);
    EXPECT_EQ(views_after[i].issued, views[i].issued);
    EXPECT_EQ(views_after[i].durable, views[i].durable);
    EXPECT_EQ(views_after[i].state, views[i].state);
  }
  const auto held_after = holders("past", 10, 50);
  ASSERT_EQ(held_after.size(), held.size());
  for (std::size_t i = 0; i < held.size(); ++i) {
    EXPECT_EQ(held_after[i].coupon, held[i].coupon);
    EXPECT_EQ(held_after[i].epoch, held[i].epoch);
    EXPECT_EQ(held_after[i].revision, held[i].revision);
    EXPECT_FALSE(held_after[i].pending);
  }
  EXPECT_EQ(decide("past", 1001).outcome, Outcome::unloaded) << "a holder";
  const auto found = find("past", 1001);
  ASSERT_TRUE(found.has_value() && found->has_value());
  EXPECT_EQ((*found)->outcome, Outcome::already_issued);
  EXPECT_EQ((*found)->coupon, coupon_event("past", 1).coupon);
  EXPECT_FALSE((*found)->pending);

  int refused = 0;
  for (std::uint64_t user = 1'000'000; user < 1'001'000; ++user) {
    const auto outcome = decide("past", user).outcome;
    if (outcome == Outcome::ended) ++refused;
    if (outcome == Outcome::unloaded) {
      EXPECT_FALSE(find("past", user)->has_value());
    }
  }
  EXPECT_GT(refused, 980) << "nearly all strangers are answered from memory";
  EXPECT_EQ(decide("sale", 1001).outcome, Outcome::issued);

  EXPECT_TRUE(confirm("past", 1).has_value()) << "told again by the relay";
  ErrorCode code{};
  ledger_.open(campaign("past", 5), [&](Result<void> result) { code = result.error().code; });
  EXPECT_EQ(code, ErrorCode::conflict);
}

TEST_F(MemoryLedgerTest, AnArchiveThatFailsIsNoRefusal) {
  restore_ended("past", 3);
  ledger_.finish_restore();
  ASSERT_TRUE(unload("past", 3).has_value());
  repository_.set_available(false);
  EXPECT_EQ(find("past", 1001).error().code, ErrorCode::unavailable);
  EXPECT_EQ(decide("past", 1001).outcome, Outcome::unloaded);
  repository_.set_available(true);
  EXPECT_TRUE(find("past", 1001)->has_value());
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
