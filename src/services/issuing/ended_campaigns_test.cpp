#include "services/issuing/ended_campaigns.hpp"

#include <gtest/gtest.h>

#include "adapters/memory/memory_ledger.hpp"
#include "adapters/memory/memory_repository.hpp"
#include "tests/support/manual_executor.hpp"
#include "tests/support/posting_archive.hpp"
#include "tests/support/samples.hpp"

namespace doorbuster::issuing {
namespace {

using namespace std::chrono_literals;
using test::campaign;
using test::campaign_id;
using test::coupon_event;

class EndedCampaignsTest : public testing::Test {
 protected:
  static UnloadOptions options() {
    UnloadOptions options;
    options.after = 10s;
    options.page = 4;
    return options;
  }
  static CampaignDefinition ended(std::string_view id) {
    auto definition = campaign(id, 1000);
    definition.status = CampaignStatus::ended;
    return definition;
  }
  void restore(const CampaignDefinition& definition, std::uint64_t holders) {
    ASSERT_TRUE(ledger_.restore({++position_, CampaignChanged{definition}}).has_value());
    for (std::uint64_t number = 1; number <= holders; ++number) {
      const auto event = coupon_event(definition.id.text(), number);
      ASSERT_TRUE(ledger_.restore({++position_, event}).has_value());
    }
  }
  void store(const CouponIssued& event) { ASSERT_TRUE(repository_.store({{++stored_, event}}).has_value()); }
  void store(std::string_view id, std::uint64_t first, std::uint64_t last) {
    for (auto number = first; number <= last; ++number) store(coupon_event(id, number));
  }
  void start() {
    ledger_.finish_restore();
    ended_.start();
  }
  Outcome outcome_of(std::string_view id, std::uint64_t number) {
    Outcome outcome{};
    ledger_.decide({{campaign_id(id), UserId::from_integer(1000 + number)}},
                   [&](auto decisions) { outcome = decisions->at(0).outcome; });
    return outcome;
  }

  test::ManualClock clock_;
  test::ManualExecutor executor_{clock_};
  SeededRandom random_{1};
  MemoryRepository repository_;
  test::PostingArchive archive_{executor_, repository_};
  MemoryLedger ledger_{clock_, random_};
  EndedCampaigns ended_{executor_, clock_, ledger_, archive_, options()};
  LogPosition position_ = 0;
  LogPosition stored_ = 0;
};

TEST_F(EndedCampaignsTest, AreUnloadedSomeTimeAfterTheyWereSeenEnded) {
  restore(ended("past"), 10);
  restore(campaign("sale", 10), 2);
  store("past", 1, 10);
  store("sale", 1, 2);
  start();
  executor_.advance(9s);
  EXPECT_EQ(outcome_of("past", 3), Outcome::already_issued);
  EXPECT_EQ(archive_.pages, 0) << "nothing is read before it is time";
  executor_.advance(2s);
  EXPECT_EQ(ended_.stats().unloaded, 1U);
  EXPECT_EQ(ended_.stats().put_off, 0U);
  EXPECT_EQ(archive_.pages, 3) << "ten coupons by four";
  for (std::uint64_t number = 1; number <= 10; ++number)
    EXPECT_EQ(outcome_of("past", number), Outcome::unloaded);
  EXPECT_EQ(outcome_of("sale", 1), Outcome::already_issued);
  executor_.advance(60s);
  EXPECT_EQ(archive_.pages, 3) << "what is unloaded is not looked at again";
}

TEST_F(EndedCampaignsTest, TheirTimeBeginsWhenTheyEnd) {
  restore(campaign("sale", 10), 2);
  store("sale", 1, 2);
  start();
  executor_.advance(60s);
  CampaignPatch end;
  end.status = CampaignStatus::ended;
  ledger_.begin_change(campaign_id("sale"), end,
                       [&](auto next) { ledger_.end_change(next.value(), [](Result<void>) {}); });
  executor_.advance(9s);
  EXPECT_EQ(ended_.stats().unloaded, 0U);
  executor_.advance(3s);
  EXPECT_EQ(ended_.stats().unloaded, 1U);
}

TEST_F(EndedCampaignsTest, AWindowThatIsOverMayBeMovedAndIsNoEnd) {
  auto definition = campaign("sale", 10);
  definition.ends_at = clock_.now() - 1h;
  restore(definition, 2);
  store("sale", 1, 2);
  start();
  executor_.advance(100s);
  EXPECT_EQ(ended_.stats().unloaded, 0U);
  EXPECT_EQ(outcome_of("sale", 1), Outcome::already_issued);
}

TEST_F(EndedCampaignsTest, StayInMemoryUntilEveryCouponIsStored) {
  restore(ended("past"), 8);
  store("past", 1, 7);
  start();
  executor_.advance(11s);
  EXPECT_EQ(ended_.stats().unloaded, 0U);
  EXPECT_EQ(ended_.stats().put_off, 1U);
  EXPECT_EQ(outcome_of("past", 8), Outcome::already_issued);
  store("past", 8, 8);
  executor_.advance(11s);
  EXPECT_EQ(ended_.stats().unloaded, 1U) << "eight by four: the last page is empty";
  EXPECT_EQ(outcome_of("past", 8), Outcome::unloaded);
}

TEST_F(EndedCampaignsTest, StayInMemoryWhenARowDiffers) {
  restore(ended("past"), 5);
  store("past", 1, 4);
  auto other = coupon_event("past", 5);
  other.coupon.code = coupon_event("past", 99).coupon.code;
  store(other);
  start();
  executor_.advance(35s);
  EXPECT_EQ(ended_.stats().unloaded, 0U);
  EXPECT_EQ(ended_.stats().put_off, 3U);
}

TEST_F(EndedCampaignsTest, StayInMemoryWhenTheRepositoryHasMore) {
  restore(ended("past"), 5);
  store("past", 1, 6);
  start();
  executor_.advance(15s);
  EXPECT_EQ(ended_.stats().unloaded, 0U);
  EXPECT_EQ(ended_.stats().put_off, 1U);
}

TEST_F(EndedCampaignsTest, WaitForARepositoryThatDoesNotAnswer) {
  restore(ended("past"), 5);
  store("past", 1, 5);
  repository_.set_available(false);
  start();
  executor_.advance(15s);
  EXPECT_EQ(ended_.stats().put_off, 1U);
  repository_.set_available(true);
  executor_.advance(15s);
  EXPECT_EQ(ended_.stats().unloaded, 1U);
}

TEST_F(EndedCampaignsTest, OneThatIsPutOffKeepsNoOtherBack) {
  restore(ended("a"), 3);
  restore(ended("b"), 0);
  restore(ended("c"), 3);
  store("c", 1, 3);
  start();
  executor_.advance(11s);
  EXPECT_EQ(ended_.stats().put_off, 1U);
  EXPECT_EQ(ended_.stats().unloaded, 2U);
  EXPECT_EQ(outcome_of("b", 1), Outcome::ended);
}

TEST_F(EndedCampaignsTest, TellOnceWhenAllThatWereDueAreUnloaded) {
  for (const char* id : {"a", "b", "c"}) {
    restore(ended(id), 6);
    store(id, 1, 6);
  }
  restore(ended("late"), 1);
  ledger_.finish_restore();
  auto telling = options();
  std::vector<std::uint64_t> told;
  EndedCampaigns* object = nullptr;
  telling.unloaded = [&] { told.push_back(object->stats().unloaded); };
  EndedCampaigns all(executor_, clock_, ledger_, archive_, telling);
  object = &all;
  all.start();
  executor_.advance(60s);
  EXPECT_EQ(told, (std::vector<std::uint64_t>{3})) << "of one that is put off nothing is told";
  store("late", 1, 1);
  executor_.advance(60s);
  EXPECT_EQ(told, (std::vector<std::uint64_t>{3, 4}));
}

TEST_F(EndedCampaignsTest, AChangeThatBeginsMeanwhilePutsItOff) {
  restore(ended("past"), 5);
  store("past", 1, 5);
  start();
  executor_.advance(9s);
  // The first page is on its way when the name is changed.
  CampaignPatch rename;
  rename.name = "renamed";
  CampaignDefinition next;
  while (archive_.pages == 0) {
    clock_.set(clock_.now() + 1s);
    executor_.run_turn();
  }
  ledger_.begin_change(campaign_id("past"), rename, [&](auto begun) { next = begun.value(); });
  executor_.run_until_idle();
  EXPECT_EQ(ended_.stats().put_off, 1U);
  EXPECT_EQ(ended_.stats().unloaded, 0U);
  ledger_.end_change(next, [](Result<void>) {});
  executor_.advance(15s);
  EXPECT_EQ(ended_.stats().unloaded, 1U);
}

TEST_F(EndedCampaignsTest, AnswersThatComeAfterItsEndAreDropped) {
  restore(ended("past"), 5);
  store("past", 1, 5);
  ledger_.finish_restore();
  {
    EndedCampaigns brief(executor_, clock_, ledger_, archive_, options());
    brief.start();
    while (archive_.pages == 0) {
      clock_.set(clock_.now() + 1s);
      executor_.run_turn();
    }
  }
  executor_.run_until_idle();
  EXPECT_EQ(outcome_of("past", 1), Outcome::already_issued);
}

}  // namespace
}  // namespace doorbuster::issuing
