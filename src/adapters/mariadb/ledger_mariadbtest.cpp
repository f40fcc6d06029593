// Strategy db-lock passes what every ledger passes; and several instances, changes that were taken over, a
// server that is killed.

#include "adapters/mariadb/mariadb_ledger.hpp"

#include <gmock/gmock.h>

#include <set>
#include <thread>

#include "adapters/mariadb/mariadb_store.hpp"
#include "adapters/mariadb/test_parts.hpp"
#include "tests/support/await.hpp"
#include "tests/support/ledger_suite.hpp"

namespace doorbuster::mariadb {
namespace {

using test::await;
using test::campaign;
using test::campaign_id;

class LedgerBed {
 public:
  Ledger& ledger() { return ledger_; }
  test::ManualExecutor& executor() { return executor_; }
  test::ManualClock& clock() { return clock_; }

 private:
  test::ManualClock clock_;
  test::ManualExecutor executor_{clock_};
  Pool pool_{pool_of(fresh_database())};
  SystemRandom random_;
  rt::Offload threads_{"db", 2, 100};
  MariaDbLedger ledger_{pool_, threads_, executor_, random_, {std::chrono::seconds(5), &clock_}};
};

/// One api process.
struct Instance {
  Instance(const ServerOptions& database, Clock* clock) : pool(pool_of(database)) {
    ledger = std::make_unique<MariaDbLedger>(pool, threads, executor, random,
                                             LedgerOptions{std::chrono::seconds(5), clock});
  }
  Result<std::vector<Decision>> decide(std::vector<IssueRequest> batch) {
    return await<std::vector<Decision>>(
        executor, [&](auto done) { ledger->decide(std::move(batch), std::move(done)); });
  }
  Result<Decision> decide(std::uint64_t user) {
    auto decisions = decide({{campaign_id("sale"), UserId::from_integer(user)}});
    if (!decisions) return decisions.error();
    return decisions->front();
  }
  Result<void> open(const CampaignDefinition& definition) {
    return await<void>(executor, [&](auto done) { ledger->open(definition, std::move(done)); });
  }
  Result<CampaignDefinition> begin_change(CampaignPatch patch) {
    return await<CampaignDefinition>(executor, [&](auto done) {
      ledger->begin_change(campaign_id("sale"), std::move(patch), std::move(done));
    });
  }
  Result<void> end_change(const CampaignDefinition& definition) {
    return await<void>(executor, [&](auto done) { ledger->end_change(definition, std::move(done)); });
  }
  Result<void> confirm(std::vector<CouponKey> keys) {
    return await<void>(executor, [&](auto done) { ledger->confirm(std::move(keys), std::move(done)); });
  }
  std::optional<CampaignView> show() {
    return await<std::optional<CampaignView>>(
               executor, [&](auto done) { ledger->show(campaign_id("sale"), std::move(done)); })
        .value();
  }
  Result<std::vector<PendingEvent>> take_overdue() {
    return await<std::vector<PendingEvent>>(
        executor, [&](auto done) { ledger->take_overdue(Duration(0), 10'000, std::move(done)); });
  }

  test::ManualExecutor executor;
  Pool pool;
  SystemRandom random;
  rt::Offload threads{"db", 2, 100};
  std::unique_ptr<MariaDbLedger> ledger;
};

class DbLockTest : public testing::Test {
 protected:
  ServerOptions database_ = fresh_database();
  test::ManualClock clock_;
};

TEST_F(DbLockTest, ManyInstancesGiveOutEveryNumberOnceAndNoneAboveTheLimit) {
  constexpr std::uint64_t kLimit = 300, kUsers = 500;
  Instance first(database_, nullptr);
  ASSERT_TRUE(first.open(campaign("sale", kLimit)));
  std::vector<std::vector<Decision>> answers(3);
  std::vector<std::thread> threads;
  for (std::size_t i = 0; i < answers.size(); ++i) {
    threads.emplace_back([&, i] {
      Instance instance(database_, nullptr);
      // Every user asks every instance.
      for (std::uint64_t user = 1; user <= kUsers; user += 20) {
        std::vector<IssueRequest> batch;
        for (auto one = user; one < user + 20; ++one) {
          batch.push_back({campaign_id("sale"), UserId::from_integer(one)});
        }
        auto decisions = instance.decide(batch);
        ASSERT_TRUE(decisions) << decisions.error().detail;
        answers[i].insert(answers[i].end(), decisions->begin(), decisions->end());
      }
    });
  }
  for (auto& thread : threads) thread.join();
  std::map<UserId, Coupon> coupons;
  std::map<std::uint64_t, Timestamp> times;
  std::size_t issued = 0;
  for (const auto& list : answers) {
    for (const auto& decision : list) {
      if (decision.outcome == Outcome::sold_out) continue;
      issued += decision.outcome == Outcome::issued ? 1 : 0;
      const auto at = coupons.emplace(decision.coupon.user, decision.coupon).first;
      EXPECT_EQ(at->second, decision.coupon) << "the same coupon from every instance";
      times[decision.coupon.sequence] = decision.coupon.decided_at;
    }
  }
  EXPECT_EQ(issued, kLimit);
  EXPECT_EQ(coupons.size(), kLimit);
  EXPECT_EQ(times.size(), kLimit);
  EXPECT_EQ(times.rbegin()->first, kLimit);
  Timestamp before{};
  for (const auto& [sequence, time] : times) {
    EXPECT_GE(time, before) << "number " << sequence;
    before = time;
  }
}

TEST_F(DbLockTest, TheWorkerFindsTheRowsThatTheDecisionsHaveMade) {
  Instance instance(database_, &clock_);
  ASSERT_TRUE(instance.open(campaign("sale", 10)));
  ASSERT_TRUE(instance.decide(1));
  ASSERT_TRUE(instance.decide(2));
  clock_.advance(Duration(10));
  const auto overdue = instance.take_overdue().value();
  ASSERT_EQ(overdue.size(), 2U);
  MariaDbCouponStore store(database_, {kTopic, 0, nullptr});
  ASSERT_TRUE(store.store({record(1, overdue[0].event), record(2, overdue[1].event)}));
  EXPECT_EQ(store.stats().repeated, 2U);
  EXPECT_EQ(store.stats().dead_letters, 0U);
  EXPECT_TRUE(instance.take_overdue()->empty()) << "each relay takes an event once in a while";
  ASSERT_TRUE(instance.confirm({{campaign_id("sale"), 1, 1, 0}, {campaign_id("sale"), 1, 2, 0}}));
  EXPECT_EQ(instance.show()->durable, 2U);
}

TEST_F(DbLockTest, AHoldWhoseHolderDiedIsTakenOverAndEndsByANewerRevisionAlone) {
  Instance dead(database_, &clock_), living(database_, &clock_);
  ASSERT_TRUE(dead.open(campaign("sale", 1)));
  ASSERT_TRUE(dead.decide(1));
  ASSERT_TRUE(dead.begin_change({.limit = 2}));
  EXPECT_EQ(living.begin_change({.limit = 3}).error().code, ErrorCode::conflict);
  EXPECT_TRUE(living.show()->held);
  ASSERT_TRUE(living.end_change(campaign("sale", 1)));
  EXPECT_EQ(living.decide(2)->outcome, Outcome::held) << "it was not its own";
  clock_.advance(std::chrono::seconds(5));
  const auto next = living.begin_change({.limit = 3});
  ASSERT_TRUE(next);
  ASSERT_TRUE(living.end_change(campaign("sale", 1)));
  EXPECT_EQ(living.decide(2)->outcome, Outcome::held) << "the dead one's change may still be written";
  ASSERT_TRUE(dead.end_change(campaign("sale", 1)));
  EXPECT_EQ(living.decide(2)->outcome, Outcome::held);
  ASSERT_TRUE(living.end_change(*next));
  EXPECT_EQ(living.decide(2)->outcome, Outcome::issued);
  EXPECT_FALSE(living.show()->held);
  auto other_epoch = *next;
  other_epoch.epoch = 2;
  EXPECT_EQ(living.end_change(other_epoch).error().code, ErrorCode::closed);
  auto too_low = *next;
  too_low.revision = 9;
  too_low.limit = 1;
  EXPECT_EQ(living.end_change(too_low).error().code, ErrorCode::conflict);
}

TEST_F(DbLockTest, AServerKilledBetweenDecisionsKeepsEachOneThatWasAnswered) {
  Instance instance(database_, nullptr);
  ASSERT_TRUE(instance.open(campaign("sale", 1'000'000)));
  std::map<std::uint64_t, Coupon> told;
  std::thread killer;
  for (std::uint64_t user = 1; user <= 600; ++user) {
    if (user == 200) {
      killer = std::thread([] {
        EXPECT_EQ(test::tell_stack("kill9 mariadb"), "");
        EXPECT_EQ(test::tell_stack("start mariadb"), "");
      });
    }
    for (auto decision = instance.decide(user);; decision = instance.decide(user)) {
      if (!decision) {
        EXPECT_TRUE(decision.error().code == ErrorCode::unavailable ||
                    decision.error().code == ErrorCode::unknown_outcome);
        std::this_thread::yield();
        continue;
      }
      told[user] = decision->coupon;
      break;
    }
  }
  killer.join();
  for (const auto& [user, coupon] : told) EXPECT_EQ(instance.decide(user)->coupon, coupon);
  EXPECT_EQ(number(database_, "SELECT COUNT(*) FROM coupon_issued_user"), 600);
  EXPECT_EQ(number(database_, "SELECT issued FROM stock"), 600);
  EXPECT_EQ(number(database_, "SELECT COUNT(*) FROM stock_pending"), 600);
  EXPECT_EQ(number(database_, "SELECT pending FROM stock"), 600);
}

}  // namespace
}  // namespace doorbuster::mariadb

namespace doorbuster::test {

INSTANTIATE_TYPED_TEST_SUITE_P(DbLock, LedgerSuite, mariadb::LedgerBed);

}  // namespace doorbuster::test
