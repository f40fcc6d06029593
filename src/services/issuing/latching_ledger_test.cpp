#include "services/issuing/latching_ledger.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "adapters/memory/memory_ledger.hpp"
#include "tests/support/manual_executor.hpp"
#include "tests/support/samples.hpp"

namespace doorbuster::issuing {
namespace {

using namespace std::chrono_literals;
using test::campaign_id;
using testing::ElementsAre;

/// Counts what reaches the ledger behind the latch.
class CountingLedger final : public Ledger {
 public:
  CountingLedger(Clock& clock, RandomSource& random) : ledger_(clock, random) { ledger_.finish_restore(); }
  void decide(std::vector<IssueRequest> batch, Done<std::vector<Decision>> done) override {
    decided += batch.size();
    if (broken) return done(make_error(ErrorCode::unavailable, "broken"));
    ledger_.decide(std::move(batch), std::move(done));
  }
  void confirm(std::vector<CouponKey> batch, Done<void> done) override {
    ledger_.confirm(std::move(batch), std::move(done));
  }
  void find(CampaignId campaign, UserId user, Done<std::optional<Decision>> done) override {
    ledger_.find(campaign, user, std::move(done));
  }
  void show(CampaignId campaign, Done<std::optional<CampaignView>> done) override {
    ++shown;
    if (broken) return done(make_error(ErrorCode::unavailable, "broken"));
    ledger_.show(campaign, std::move(done));
  }
  void list(Done<std::vector<CampaignView>> done) override { ledger_.list(std::move(done)); }
  void take_overdue(Duration older_than, std::size_t max, Done<std::vector<PendingEvent>> done) override {
    ledger_.take_overdue(older_than, max, std::move(done));
  }
  void prepare(CampaignDefinition definition, Done<void> done) override {
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
    ++pages;
    ledger_.holders(campaign, after, max, std::move(done));
  }

  std::size_t decided = 0;
  std::size_t shown = 0;
  std::size_t pages = 0;
  bool broken = false;

 private:
  MemoryLedger ledger_;
};

class LatchingLedgerTest : public testing::Test {
 protected:
  void make(LatchOptions options = {}) {
    options.page = 4;
    ledger_ = std::make_unique<LatchingLedger>(executor_, clock_, counting_, options);
  }
  /// A campaign whose coupons all are given out and safe; users 1..limit hold them.
  void sell_out(std::string_view id, std::uint64_t limit) {
    counting_.open(test::campaign(id, limit), [](Result<void>) {});
    for (std::uint64_t user = 1; user <= limit; ++user) ask(id, user);
    for (std::uint64_t sequence = 1; sequence <= limit; ++sequence)
      counting_.confirm({{campaign_id(id), 1, sequence}}, [](Result<void>) {});
  }
  Outcome ask(std::string_view id, std::uint64_t user) {
    return ask_all({{campaign_id(id), UserId::from_integer(user)}}).at(0);
  }
  std::vector<Outcome> ask_all(std::vector<IssueRequest> batch) {
    std::vector<Outcome> outcomes;
    ledger_->decide(std::move(batch), [&](auto decisions) {
      if (!decisions) return;
      for (const auto& decision : *decisions) outcomes.push_back(decision.outcome);
    });
    return outcomes;
  }
  /// Latches and builds the filter.
  void latch(std::string_view id) {
    EXPECT_EQ(ask(id, 777), Outcome::sold_out);
    executor_.run_until_idle();
  }
  std::size_t reached() { return counting_.decided; }

  test::ManualClock clock_;
  test::ManualExecutor executor_{clock_};
  SeededRandom random_{1};
  CountingLedger counting_{clock_, random_};
  std::unique_ptr<LatchingLedger> ledger_;
};

TEST_F(LatchingLedgerTest, RefusalsDoNotReachTheLedger) {
  make();
  sell_out("drop", 10);
  latch("drop");
  const auto before = reached();
  for (std::uint64_t user = 1000; user < 2000; ++user) EXPECT_EQ(ask("drop", user), Outcome::sold_out);
  // One in a thousand is taken for a holder.
  EXPECT_LE(reached() - before, 5U);
  EXPECT_EQ(ledger_->stats().filters, 1U);
}

TEST_F(LatchingLedgerTest, AHolderIsAskedForInTheLedgerAndTheOthersOfTheBatchAreNot) {
  make();
  sell_out("drop", 10);
  latch("drop");
  const auto before = reached();
  const auto outcomes = ask_all({{campaign_id("drop"), UserId::from_integer(5000)},
                                 {campaign_id("drop"), UserId::from_integer(3)},
                                 {campaign_id("drop"), UserId::from_integer(5001)}});
  EXPECT_THAT(outcomes, ElementsAre(Outcome::sold_out, Outcome::already_issued, Outcome::sold_out));
  EXPECT_EQ(reached() - before, 1U);
}

TEST_F(LatchingLedgerTest, NothingIsLatchedWhileCouponsArePending) {
  make();
  counting_.open(test::campaign("drop", 1), [](Result<void>) {});
  ask("drop", 1);
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(ask("drop", 777), Outcome::sold_out);
    executor_.run_until_idle();
  }
  EXPECT_EQ(ledger_->stats().refusals, 0U);
}

TEST_F(LatchingLedgerTest, ALatchedCampaignIsConfirmedWhileItIsAskedFor) {
  make();
  sell_out("drop", 10);
  latch("drop");
  const auto before = reached();
  for (int i = 0; i < 50; ++i) {  // ten seconds
    executor_.advance(200ms);
    EXPECT_EQ(ask("drop", 1000), Outcome::sold_out);
  }
  EXPECT_EQ(reached(), before);
  EXPECT_NEAR(static_cast<double>(ledger_->stats().confirmations), 33, 5);
  executor_.advance(10s);
  const auto confirmations = ledger_->stats().confirmations;
  executor_.advance(10s);
  EXPECT_EQ(ledger_->stats().confirmations, confirmations) << "nobody asks, nobody confirms";
}

TEST_F(LatchingLedgerTest, WithoutConfirmationTrustEndsAfterASecond) {
  make();
  sell_out("drop", 10);
  latch("drop");
  counting_.broken = true;
  executor_.advance(900ms);
  EXPECT_EQ(ask("drop", 1000), Outcome::sold_out);
  executor_.advance(200ms);
  EXPECT_THAT(ask_all({{campaign_id("drop"), UserId::from_integer(1000)}}), testing::IsEmpty());
}

TEST_F(LatchingLedgerTest, ARaisedLimitElsewhereIsHeardOfWithinASecond) {
  make();
  sell_out("drop", 10);
  latch("drop");
  CampaignPatch more;
  more.limit = 11;
  CampaignDefinition changed;
  counting_.begin_change(campaign_id("drop"), more, [&](auto begun) { changed = *begun; });
  counting_.end_change(changed, [](Result<void>) {});
  EXPECT_EQ(ask("drop", 1000), Outcome::sold_out) << "still within the second";
  executor_.advance(350ms);
  EXPECT_EQ(ask("drop", 1000), Outcome::issued);
}

TEST_F(LatchingLedgerTest, ARaisedLimitHereIsHeardOfAtOnce) {
  make();
  sell_out("drop", 10);
  latch("drop");
  CampaignPatch more;
  more.limit = 11;
  CampaignDefinition changed;
  ledger_->begin_change(campaign_id("drop"), more, [&](auto begun) { changed = *begun; });
  ledger_->end_change(changed, [](Result<void>) {});
  EXPECT_EQ(ask("drop", 1000), Outcome::issued);
}

TEST_F(LatchingLedgerTest, FiltersOfAThousandCampaignsStayWithinTheirBound) {
  LatchOptions options;
  options.most_filter_bytes = 64 * 10;  // ten campaigns of thirty holders
  make(options);
  for (int i = 0; i < 1000; ++i) {
    const auto id = "drop-" + std::to_string(i);
    sell_out(id, 30);
    latch(id);
    clock_.advance(1us);
    EXPECT_LE(ledger_->stats().filter_bytes, options.most_filter_bytes);
  }
  EXPECT_EQ(ledger_->stats().filters, 1000U);
  EXPECT_EQ(ledger_->stats().evicted, 990U);
  const auto before = reached();
  ask("drop-999", 5000);
  EXPECT_EQ(reached(), before) << "the last one asked for is kept";
  ask("drop-0", 5000);
  EXPECT_EQ(reached(), before + 1);
}

TEST_F(LatchingLedgerTest, ACampaignTooLargeForTheBoundGoesToTheLedger) {
  LatchOptions options;
  options.most_filter_bytes = 31;
  make(options);
  sell_out("drop", 10);
  latch("drop");
  const auto before = reached();
  EXPECT_EQ(ask("drop", 1000), Outcome::sold_out);
  EXPECT_EQ(reached(), before + 1);
  EXPECT_EQ(counting_.pages, 0U);
}

TEST_F(LatchingLedgerTest, BatchesOfSeveralCampaignsAreLearnedFrom) {
  make();
  sell_out("one", 2);
  sell_out("two", 2);
  const auto user = UserId::from_integer(777);
  ask_all({{campaign_id("one"), user}, {campaign_id("one"), user}, {campaign_id("two"), user}});
  executor_.run_until_idle();
  EXPECT_EQ(ledger_->stats().filters, 2U);
  const auto before = reached();
  EXPECT_THAT(ask_all({{campaign_id("two"), UserId::from_integer(1000)},
                       {campaign_id("one"), UserId::from_integer(1000)}}),
              ElementsAre(Outcome::sold_out, Outcome::sold_out));
  EXPECT_EQ(reached(), before);
}

}  // namespace
}  // namespace doorbuster::issuing
