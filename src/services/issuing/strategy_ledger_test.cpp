#include "services/issuing/strategy_ledger.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "adapters/memory/memory_ledger.hpp"
#include "tests/support/samples.hpp"

namespace doorbuster::issuing {
namespace {

using test::campaign_id;
using testing::ElementsAre;

/// A memory ledger that can be broken.
class Breakable final : public Ledger {
 public:
  Breakable(Clock& clock, RandomSource& random) : ledger_(clock, random) { ledger_.finish_restore(); }
  void decide(std::vector<IssueRequest> batch, Done<std::vector<Decision>> done) override {
    ++decides;
    if (broken) return done(make_error(ErrorCode::unavailable, "broken"));
    ledger_.decide(std::move(batch), std::move(done));
  }
  void confirm(std::vector<CouponKey> batch, Done<void> done) override {
    if (broken) return done(make_error(ErrorCode::unavailable, "broken"));
    ledger_.confirm(std::move(batch), std::move(done));
  }
  void find(CampaignId campaign, UserId user, Done<std::optional<Decision>> done) override {
    ledger_.find(campaign, user, std::move(done));
  }
  void show(CampaignId campaign, Done<std::optional<CampaignView>> done) override {
    ledger_.show(campaign, std::move(done));
  }
  void list(Done<std::vector<CampaignView>> done) override { ledger_.list(std::move(done)); }
  void take_overdue(Duration older_than, std::size_t max, Done<std::vector<PendingEvent>> done) override {
    ledger_.take_overdue(older_than, max, std::move(done));
  }
  void prepare(CampaignDefinition definition, Done<void> done) override {
    ++prepared;
    ledger_.prepare(std::move(definition), std::move(done));
  }
  void open(CampaignDefinition definition, Done<void> done) override {
    ledger_.open(std::move(definition), std::move(done));
  }
  void begin_change(CampaignId campaign, CampaignPatch patch, Done<CampaignDefinition> done) override {
    ledger_.begin_change(campaign, std::move(patch), std::move(done));
  }
  void end_change(CampaignDefinition definition, Done<void> done) override {
    ledger_.end_change(std::move(definition), std::move(done));
  }
  void holders(CampaignId campaign, std::uint64_t after, std::size_t max,
               Done<std::vector<Decision>> done) override {
    ledger_.holders(campaign, after, max, std::move(done));
  }

  bool broken = false;
  int decides = 0;
  int prepared = 0;

 private:
  MemoryLedger ledger_;
};

class StrategyLedgerTest : public testing::Test {
 protected:
  StrategyLedgerTest() {
    open("fast", Strategy::atomic);
    open("later", Strategy::async_queue);
    open("slow", Strategy::lock);
  }
  Result<void> open(std::string_view id, Strategy strategy) {
    auto definition = test::campaign(id, 5);
    definition.strategy = strategy;
    Result<void> result;
    ledger_.open(definition, [&](Result<void> opened) { result = std::move(opened); });
    return result;
  }
  std::vector<Outcome> decide(const std::vector<std::string>& campaigns) {
    std::vector<IssueRequest> batch;
    for (const auto& each : campaigns)
      batch.push_back({campaign_id(each), UserId::from_integer(next_user_++)});
    std::vector<Outcome> outcomes;
    ledger_.decide(std::move(batch), [&](auto decisions) {
      ASSERT_TRUE(decisions);
      for (const Decision& decision : *decisions) outcomes.push_back(decision.outcome);
    });
    return outcomes;
  }

  test::ManualClock clock_;
  SeededRandom random_{1};
  Breakable atomic_{clock_, random_};
  Breakable lock_{clock_, random_};
  StrategyLedger ledger_{
      {{Strategy::atomic, &atomic_}, {Strategy::async_queue, &atomic_}, {Strategy::lock, &lock_}}};
  std::uint64_t next_user_ = 1;
};

TEST_F(StrategyLedgerTest, EachCampaignIsDecidedByItsStrategysLedger) {
  EXPECT_THAT(decide({"fast", "slow", "later", "fast"}),
              ElementsAre(Outcome::issued, Outcome::issued, Outcome::issued, Outcome::issued));
  EXPECT_EQ(atomic_.decides, 1);
  EXPECT_EQ(lock_.decides, 1);
  EXPECT_EQ(ledger_.strategy_of(campaign_id("slow")), Strategy::lock);
}

TEST_F(StrategyLedgerTest, OneCampaignsBatchGoesOnAsItIs) {
  EXPECT_THAT(decide({"slow", "slow"}), ElementsAre(Outcome::issued, Outcome::issued));
  EXPECT_EQ(atomic_.decides, 0);
}

TEST_F(StrategyLedgerTest, ABrokenPartLeavesTheOthersAlone) {
  lock_.broken = true;
  EXPECT_THAT(decide({"fast", "slow"}), ElementsAre(Outcome::issued, Outcome::closed));
}

TEST_F(StrategyLedgerTest, UnknownCampaignsAreTheFirstPartsToRefuse) {
  EXPECT_THAT(decide({"nobody-knows"}), ElementsAre(Outcome::unknown_campaign));
}

TEST_F(StrategyLedgerTest, NobodyIsToldThatACampaignIsUnknownBeforeTheCatalogWasAskedAgain) {
  int asked = 0;
  ledger_.ask_before_unknown(clock_, [&] { ++asked; });
  EXPECT_THAT(decide({"new", "fast"}), ElementsAre(Outcome::held, Outcome::issued));
  EXPECT_EQ(asked, 1);
  ledger_.know_all({});
  EXPECT_THAT(decide({"new"}), ElementsAre(Outcome::held)) << "that may have been read before";
  ledger_.know_all({});
  EXPECT_THAT(decide({"new"}), ElementsAre(Outcome::unknown_campaign));
  clock_.advance(StrategyLedger::kUnknownLasts);
  EXPECT_THAT(decide({"new"}), ElementsAre(Outcome::held)) << "it may have been created since";
}

TEST_F(StrategyLedgerTest, AStrategyThatIsNotOfferedIsNamed) {
  const auto opened = open("other", Strategy::db_lock);
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, ErrorCode::invalid);
  EXPECT_EQ(opened.error().field, "strategy");
}

TEST_F(StrategyLedgerTest, ACampaignIsPreparedWhereItWillBeOpened) {
  auto definition = test::campaign("next", 5);
  definition.strategy = Strategy::lock;
  ledger_.prepare(definition, [](Result<void> prepared) { EXPECT_TRUE(prepared); });
  EXPECT_EQ(lock_.prepared, 1);
  definition.strategy = Strategy::db_lock;
  ledger_.prepare(definition, [](Result<void> prepared) { EXPECT_EQ(prepared.error().field, "strategy"); });
}

TEST_F(StrategyLedgerTest, AConfirmationSucceedsOnlyWhenAllPartsDo) {
  decide({"fast", "slow"});
  const std::vector<CouponKey> keys{{campaign_id("fast"), 1, 1}, {campaign_id("slow"), 1, 1}};
  std::optional<Result<void>> result;
  lock_.broken = true;
  ledger_.confirm(keys, [&](Result<void> confirmed) { result = std::move(confirmed); });
  ASSERT_TRUE(result);
  EXPECT_FALSE(*result);
  lock_.broken = false;
  ledger_.confirm(keys, [&](Result<void> confirmed) { result = std::move(confirmed); });
  EXPECT_TRUE(*result);
}

TEST_F(StrategyLedgerTest, ListsAndOverdueEventsComeFromAllParts) {
  decide({"fast", "slow"});
  std::vector<std::string> ids;
  ledger_.list([&](auto views) {
    for (const auto& view : *views) ids.emplace_back(view.definition.id.text());
  });
  EXPECT_THAT(ids, ElementsAre("fast", "later", "slow"));
  clock_.advance(std::chrono::seconds(1));
  std::size_t overdue = 0;
  ledger_.take_overdue(Duration{1}, 10, [&](auto events) { overdue = events->size(); });
  EXPECT_EQ(overdue, 2U);
}

}  // namespace
}  // namespace doorbuster::issuing
