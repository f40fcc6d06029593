#include "adapters/redis/seed_ledger.hpp"

#include <gtest/gtest.h>

#include <map>

#include "adapters/redis/test_redis.hpp"
#include "tests/support/await.hpp"
#include "tests/support/ledger_suite.hpp"
#include "tests/support/samples.hpp"

namespace doorbuster::test {
namespace {

using redis::ScriptSet;

/// A process that decides by a strategy of the seed.
class SeedInstance {
 public:
  SeedInstance(ManualExecutor& executor, std::uint64_t seed, SeedOptions options,
               const ScriptSet& scripts = ScriptSet::production())
      : instance_(executor, seed, redis_options(), scripts), random_(seed + 100) {
    EXPECT_TRUE(instance_.wait_ready());
    options.process = "api-" + std::to_string(seed);
    instance_.shard().run([&] {
      seed_ = std::make_unique<SeedLedger>(instance_.shard(), instance_.own(), random_, options);
      seed_->start();
    });
    forwarding_ = std::make_unique<OwnerLedger>(*seed_, instance_.shard(), executor);
  }
  ~SeedInstance() {
    instance_.shard().run([this] { seed_.reset(); });
  }
  Ledger& ledger() { return *forwarding_; }
  RedisInstance& instance() { return instance_; }

 private:
  RedisInstance instance_;
  SeededRandom random_;
  std::unique_ptr<SeedLedger> seed_;
  std::unique_ptr<OwnerLedger> forwarding_;
};

struct Case {
  const char* name;
  SeedOptions options;
};

class SeedLedgerTest : public testing::TestWithParam<Case> {
 protected:
  void start(SeedOptions options) {
    for (std::uint64_t i = 1; i <= 2; ++i) {
      instances_.push_back(std::make_unique<SeedInstance>(executor_, i, options));
    }
    instances_[0]->instance().know({});
    ASSERT_TRUE(await<void>(executor_, [&](auto done) {
                  instances_[0]->ledger().prepare(sale_, std::move(done));
                }).has_value());
    ASSERT_TRUE(await<void>(executor_, [&](auto done) {
                  instances_[0]->ledger().open(sale_, std::move(done));
                }).has_value());
    for (auto& instance : instances_) instance->instance().know({sale_});
  }
  Decision decide(std::uint64_t user, std::size_t instance = 0) {
    return await<std::vector<Decision>>(executor_,
                                        [&](auto done) {
                                          instances_[instance]->ledger().decide(
                                              {{sale_.id, UserId::from_integer(user)}}, std::move(done));
                                        })
        .value()
        .at(0);
  }

  RedisProbe probe_;
  ManualExecutor executor_;
  CampaignDefinition sale_ = campaign("sale", 20);
  redis::CampaignKeys keys_{sale_.id};
  std::vector<std::unique_ptr<SeedInstance>> instances_;
};

TEST_P(SeedLedgerTest, SellsExactlyTheLimitToTwoInstancesAtOnce) {
  start(GetParam().options);
  std::map<std::uint64_t, std::pair<UserId, CouponCode>> coupons;
  std::map<UserId, std::uint64_t> holders;
  constexpr std::uint64_t kUsers = 30;
  int rounds = 0;
  bool unsettled = true;
  while (unsettled && ++rounds < 50) {
    unsettled = false;
    std::size_t answered = 0;
    for (std::size_t at = 0; at < 2; ++at) {
      std::vector<IssueRequest> batch;
      for (std::uint64_t user = 1; user <= kUsers; ++user)
        batch.push_back({sale_.id, UserId::from_integer(user)});
      instances_[at]->ledger().decide(batch, [&](Result<std::vector<Decision>> decisions) {
        ++answered;
        for (const auto& decision : *decisions) {
          if (decision.coupon.sequence != 0) {
            const auto& coupon = decision.coupon;
            const auto known = coupons.try_emplace(coupon.sequence, coupon.user, coupon.code).first->second;
            EXPECT_EQ(known, std::pair(coupon.user, coupon.code));
            EXPECT_EQ(holders.try_emplace(coupon.user, coupon.sequence).first->second, coupon.sequence);
          } else if (decision.outcome == Outcome::held || decision.pending) {
            unsettled = holders.size() < sale_.limit;
          } else {
            EXPECT_EQ(to_text(decision.outcome), "sold_out");
          }
        }
      });
    }
    ASSERT_TRUE(executor_.wait_until([&] { return answered == 2; }));
  }
  EXPECT_EQ(coupons.size(), sale_.limit);
  EXPECT_EQ(coupons.rbegin()->first, sale_.limit) << "numbers without gaps";
  EXPECT_EQ(probe_.call({"HGET", keys_.definition, "issued"})->number(), 20)
      << "refused ones are not counted";
  EXPECT_EQ(probe_.call({"SCARD", keys_.members})->integer(), 20) << "nor marked";
  EXPECT_EQ(probe_.call({"HLEN", keys_.holders})->integer(), 20);
  EXPECT_EQ(decide(99).outcome, Outcome::sold_out);
  EXPECT_TRUE(decide(99).pending);
  const auto page = await<std::vector<PendingEvent>>(executor_, [&](auto done) {
    instances_[1]->ledger().take_overdue(Duration{-10'000'000}, 100, std::move(done));
  });
  ASSERT_EQ(page->size(), 20U);
  std::vector<CouponKey> keys;
  for (const auto& [event, outbox] : *page)
    keys.push_back({sale_.id, event.epoch, event.coupon.sequence, outbox});
  ASSERT_TRUE(await<void>(executor_, [&](auto done) {
                instances_[0]->ledger().confirm(keys, std::move(done));
              }).has_value());
  EXPECT_FALSE(decide(99).pending);
}

SeedOptions with(Strategy strategy, bool lock_campaign = false) {
  SeedOptions options;
  options.strategy = strategy;
  options.lock_campaign = lock_campaign;
  options.lock_wait = std::chrono::seconds(15);
  return options;
}

INSTANTIATE_TEST_SUITE_P(Strategies, SeedLedgerTest,
                         testing::Values(Case{"SetIncr", with(Strategy::set_incr)},
                                         Case{"LockOfUser", with(Strategy::lock)},
                                         Case{"LockOfCampaign", with(Strategy::lock, true)},
                                         Case{"FairLock", with(Strategy::fair_lock, true)}),
                         [](const auto& tested) { return tested.param.name; });

using SeedWeakness = SeedLedgerTest;

TEST_F(SeedWeakness, AProcessThatDiesAfterSaddLeavesAUserWhoNeverGetsACoupon) {
  start(with(Strategy::set_incr));
  probe_.call({"SADD", keys_.members, "7"}).value();  // what it leaves
  for (int i = 0; i < 3; ++i) EXPECT_EQ(decide(7).outcome, Outcome::held);
  EXPECT_EQ(decide(8).outcome, Outcome::issued);
}

TEST_F(SeedWeakness, AProcessThatDiesAfterIncrLeavesACouponThatNobodyGets) {
  sale_.limit = 2;
  start(with(Strategy::set_incr));
  probe_.call({"SADD", keys_.members, "7"}).value();
  probe_.call({"HINCRBY", keys_.definition, "issued", "1"}).value();
  EXPECT_EQ(decide(8).outcome, Outcome::issued);
  for (std::uint64_t user = 9; user < 12; ++user) {
    EXPECT_EQ(decide(user).outcome, Outcome::sold_out);
    EXPECT_TRUE(decide(user).pending) << "never said for good: one is left";
  }
}

TEST_F(SeedWeakness, NumbersFollowTheOrderOfStoringAndNotOfCounting) {
  start(with(Strategy::set_incr));
  probe_.call({"SADD", keys_.members, "7"}).value();  // counted first, and not stored yet
  EXPECT_EQ(probe_.call({"HINCRBY", keys_.definition, "issued", "1"})->integer(), 1);
  const Decision second = decide(8);
  EXPECT_EQ(probe_.call({"HGET", keys_.definition, "issued"})->number(), 2);
  EXPECT_EQ(second.coupon.sequence, 1U);
}

TEST_F(SeedWeakness, WhileSomebodyIsTakenBackOthersAreTurnedAwayThoughOneIsLeft) {
  sale_.limit = 2;
  start(with(Strategy::set_incr));
  EXPECT_EQ(decide(1).outcome, Outcome::issued);
  probe_.call({"HINCRBY", keys_.definition, "issued", "1"}).value();  // counted, and about to be taken back
  const Decision refused = decide(2);
  EXPECT_EQ(refused.outcome, Outcome::sold_out);
  EXPECT_TRUE(refused.pending) << "503: one is left";
  probe_.call({"HINCRBY", keys_.definition, "issued", "-1"}).value();
  EXPECT_EQ(decide(2).outcome, Outcome::issued);
}

TEST_F(SeedWeakness, ABatchWaitsForItsSlowestLock) {
  start(with(Strategy::lock));
  const std::string lock = keys_.members + ":lock:1";
  probe_.call({"SET", lock, "somebody else", "PX", "60000"}).value();
  bool answered = false;
  instances_[0]->ledger().decide({{sale_.id, UserId::from_integer(1)}, {sale_.id, UserId::from_integer(2)}},
                                 [&](auto decisions) {
                                   answered = true;
                                   EXPECT_EQ(decisions->at(1).outcome, Outcome::issued);
                                 });
  // The second user's coupon is stored, and nobody tells him.
  ASSERT_TRUE(executor_.wait_until([&] { return probe_.call({"HLEN", keys_.holders})->integer() == 1; }));
  EXPECT_FALSE(answered);
  probe_.call({"DEL", lock}).value();
  probe_.call({"PUBLISH", lock + ":free:", "free"}).value();
  EXPECT_TRUE(executor_.wait_until([&] { return answered; }));
}

TEST_F(SeedWeakness, UnderALockTheAnswerDoesNotWaitForTheLog) {
  start(with(Strategy::lock));
  const Decision decision = decide(1);
  EXPECT_EQ(decision.outcome, Outcome::issued);
  EXPECT_EQ(decision.durability, Durability::ledger) << "and says so";
}

TEST_F(SeedWeakness, ALockThatEndsBeforeItsHolderIsDoneStoresNothing) {
  auto options = with(Strategy::lock, true);
  options.lock_lease = std::chrono::milliseconds(1);
  start(options);
  // Some end in time and some do not; whoever was late is not stored under somebody else's lock, and not
  // counted.
  std::uint64_t stored = 0;
  for (std::uint64_t user = 1; user <= 10; ++user) stored += decide(user).outcome == Outcome::issued ? 1 : 0;
  EXPECT_EQ(probe_.call({"HLEN", keys_.holders})->integer(), static_cast<std::int64_t>(stored));
  EXPECT_TRUE(executor_.wait_until([&] {
    return probe_.call({"HGET", keys_.definition, "issued"})->number() == static_cast<std::int64_t>(stored);
  }));
}

/// What every ledger does, with the clock that the suite moves.
template <Strategy kStrategy, bool kLockCampaign>
class SeedBed {
 public:
  /// A lock makes the second request of a user wait for the first; without, it finds him marked.
  static constexpr bool kHoldsTwins = kStrategy == Strategy::set_incr;

  SeedBed() { instance_.instance().know({}); }
  Ledger& ledger() {
    probe_.set_time(clock_.now());
    return instance_.ledger();
  }
  ManualExecutor& executor() { return executor_; }
  ManualClock& clock() { return clock_; }

 private:
  RedisProbe probe_;
  ManualClock clock_;
  ManualExecutor executor_{clock_};
  SeedInstance instance_{executor_, 1, with(kStrategy, kLockCampaign), scripts_with_test_clock()};
};

using SetIncrBed = SeedBed<Strategy::set_incr, false>;
using LockOfUserBed = SeedBed<Strategy::lock, false>;
using LockOfCampaignBed = SeedBed<Strategy::lock, true>;
using FairLockOfUserBed = SeedBed<Strategy::fair_lock, false>;
using FairLockOfCampaignBed = SeedBed<Strategy::fair_lock, true>;
INSTANTIATE_TYPED_TEST_SUITE_P(SetIncr, LedgerSuite, SetIncrBed);
INSTANTIATE_TYPED_TEST_SUITE_P(LockOfUser, LedgerSuite, LockOfUserBed);
INSTANTIATE_TYPED_TEST_SUITE_P(LockOfCampaign, LedgerSuite, LockOfCampaignBed);
INSTANTIATE_TYPED_TEST_SUITE_P(FairLockOfUser, LedgerSuite, FairLockOfUserBed);
INSTANTIATE_TYPED_TEST_SUITE_P(FairLockOfCampaign, LedgerSuite, FairLockOfCampaignBed);

}  // namespace
}  // namespace doorbuster::test
