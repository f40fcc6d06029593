#include "adapters/redis/rebuildable_ledger.hpp"

#include <gtest/gtest.h>

#include "adapters/redis/test_redis.hpp"
#include "tests/support/await.hpp"
#include "tests/support/samples.hpp"

namespace doorbuster::test {
namespace {

using redis::ScriptSet;

class RebuildableLedgerTest : public testing::Test {
 protected:
  RebuildableLedgerTest() { EXPECT_TRUE(instance_.wait_ready()); }

  static Each<CouponIssued> into(std::map<std::uint64_t, CouponIssued>& found) {
    return [&found](CouponIssued&& event) {
      found.insert_or_assign(event.coupon.sequence, event);
      return Result<void>();
    };
  }
  static std::vector<CouponIssued> events(std::uint64_t first, std::uint64_t last) {
    std::vector<CouponIssued> made;
    for (auto number = first; number <= last; ++number) {
      made.push_back(coupon_event("sale", number));
      made.back().instance = {};
    }
    return made;
  }
  Decision decide(std::uint64_t user) {
    instance_.know({sale_});
    return await<std::vector<Decision>>(
               executor_,
               [&](auto done) {
                 instance_.ledger().decide({{sale_.id, UserId::from_integer(user)}}, std::move(done));
               })
        .value()
        .at(0);
  }

  RedisProbe probe_;
  ManualExecutor executor_;
  RedisInstance instance_{executor_, 1, redis_options(), ScriptSet::production()};
  CampaignDefinition sale_ = campaign("sale", 10);
};

TEST_F(RebuildableLedgerTest, FillsAnEmptyRedis) {
  sale_.epoch = 3;
  RedisRebuildableLedger ledger(redis_options());
  EXPECT_FALSE(ledger.is_open(sale_).value());
  ASSERT_TRUE(ledger.close(sale_).has_value());
  ASSERT_TRUE(ledger.close(sale_).has_value()) << "told again";
  EXPECT_EQ(decide(1).outcome, Outcome::closed);
  ASSERT_TRUE(ledger.begin_rebuild(sale_).has_value());
  ASSERT_TRUE(ledger.add(sale_, events(1, 2), true).has_value());
  ASSERT_TRUE(ledger.add(sale_, events(5, 5), true).has_value());
  ASSERT_TRUE(ledger.add(sale_, events(7, 8), false).has_value());
  EXPECT_FALSE(ledger.is_open(sale_).value());
  const std::vector<NumberRange> missing{{3, 4}, {6, 6}};
  ASSERT_TRUE(ledger.finish_rebuild(sale_, missing).has_value());
  EXPECT_TRUE(ledger.is_open(sale_).value());

  const Decision safe = decide(1001);
  EXPECT_EQ(safe.outcome, Outcome::already_issued);
  EXPECT_FALSE(safe.pending);
  EXPECT_EQ(safe.coupon, events(1, 1)[0].coupon);
  EXPECT_EQ(safe.epoch, 1U) << "as it stands in the log";
  const Decision pending = decide(1007);
  EXPECT_TRUE(pending.pending);
  EXPECT_EQ(pending.epoch, 3U) << "it is appended again under the new one";
  for (const std::uint64_t number : {3U, 4U, 6U}) {
    const Decision refilled = decide(number);
    EXPECT_EQ(refilled.coupon.sequence, number);
    EXPECT_TRUE(refilled.refilled);
  }
  EXPECT_EQ(decide(9).coupon.sequence, 9U);
  EXPECT_FALSE(decide(9).refilled);
  EXPECT_EQ(decide(10).coupon.sequence, 10U);
  EXPECT_EQ(decide(11).outcome, Outcome::sold_out);
  const auto overdue = await<std::vector<PendingEvent>>(executor_, [&](auto done) {
    instance_.ledger().take_overdue(Duration{-10'000'000}, 100, std::move(done));
  });
  EXPECT_EQ(overdue->size(), 7U) << "7 and 8, and those decided here";
}

TEST_F(RebuildableLedgerTest, KilledAnywhereAndRunAgainGivesTheSame) {
  // Pending coupons that nobody but Redis knows.
  ASSERT_TRUE(await<void>(executor_, [&](auto done) { instance_.ledger().prepare(sale_, std::move(done)); }));
  ASSERT_TRUE(await<void>(executor_, [&](auto done) { instance_.ledger().open(sale_, std::move(done)); }));
  std::map<std::uint64_t, CouponIssued> before;
  for (std::uint64_t user = 1; user <= 4; ++user) decide(user);
  for (int killed_after = 0; killed_after <= 5; ++killed_after) {
    SCOPED_TRACE("killed after step " + std::to_string(killed_after));
    std::map<std::uint64_t, CouponIssued> found;
    for (const bool whole : {false, true}) {
      ++sale_.epoch;
      RedisRebuildableLedger ledger(redis_options());
      int step = 0;
      const auto goes_on = [&] { return whole || step++ < killed_after; };
      if (!goes_on()) continue;
      ASSERT_TRUE(ledger.close(sale_).has_value());
      found.clear();
      ASSERT_TRUE(ledger.read_holders(sale_.id, into(found)).has_value());
      std::vector<CouponIssued> left;
      for (const auto& [number, event] : found) left.push_back(event);
      if (!goes_on()) continue;
      ASSERT_TRUE(ledger.begin_rebuild(sale_).has_value());
      if (!goes_on()) continue;
      ASSERT_TRUE(ledger.add(sale_, std::span(left).first(2), false).has_value());
      if (!goes_on()) continue;
      ASSERT_TRUE(ledger.add(sale_, std::span(left).subspan(2), false).has_value());
      if (!goes_on()) continue;
      ASSERT_TRUE(ledger.finish_rebuild(sale_, {}).has_value());
    }
    ASSERT_EQ(found.size(), 4U);
    for (std::uint64_t user = 1; user <= 4; ++user) {
      EXPECT_EQ(found[user].coupon.user, UserId::from_integer(user));
      EXPECT_EQ(decide(user).coupon, found[user].coupon);
      EXPECT_TRUE(decide(user).pending);
    }
    EXPECT_EQ(probe_.call({"EXISTS", redis::CampaignKeys(sale_.id).aside})->integer(), 0);
  }
}

TEST_F(RebuildableLedgerTest, EachStepChecksTheEpoch) {
  RedisRebuildableLedger older(redis_options());
  RedisRebuildableLedger newer(redis_options());
  auto next = sale_;
  ++next.epoch;
  ASSERT_TRUE(older.close(sale_).has_value());
  ASSERT_TRUE(older.begin_rebuild(sale_).has_value());
  ASSERT_TRUE(older.add(sale_, events(1, 1), true).has_value());
  ASSERT_TRUE(newer.close(next).has_value());
  EXPECT_EQ(older.finish_rebuild(sale_, {}).error().code, ErrorCode::conflict);
  EXPECT_EQ(older.begin_rebuild(sale_).error().code, ErrorCode::conflict);
  EXPECT_EQ(older.close(sale_).error().code, ErrorCode::conflict);
  ASSERT_TRUE(newer.begin_rebuild(next).has_value());
  ASSERT_TRUE(older.add(sale_, events(2, 2), true).has_value()) << "told by the next call";
  EXPECT_EQ(older.finish_rebuild(sale_, {}).error().code, ErrorCode::conflict);
  ASSERT_TRUE(newer.finish_rebuild(next, {}).has_value());
  EXPECT_EQ(newer.begin_rebuild(next).error().code, ErrorCode::conflict) << "it is open";
}

TEST_F(RebuildableLedgerTest, ARestartInTheMiddleIsRefused) {
  RedisRebuildableLedger ledger(redis_options());
  ASSERT_TRUE(ledger.close(sale_).has_value());
  ASSERT_TRUE(ledger.begin_rebuild(sale_).has_value());
  ASSERT_EQ(tell_stack("kill9 redis"), "");
  ASSERT_EQ(tell_stack("start redis"), "");
  const auto added = ledger.add(sale_, events(1, 1), true);
  const auto finished = ledger.finish_rebuild(sale_, {});
  EXPECT_FALSE(added.has_value() && finished.has_value());
  ASSERT_TRUE(instance_.wait_ready());
  EXPECT_EQ(decide(1).outcome, Outcome::closed);
  EXPECT_EQ(ledger.finish_rebuild(sale_, {}).error().code, ErrorCode::conflict);
}

TEST_F(RebuildableLedgerTest, AServerThatStandsStillIsGivenUpAfterTheTimeout) {
  auto options = redis_options();
  options.command_timeout = std::chrono::milliseconds(100);
  RedisRebuildableLedger ledger(options);
  ASSERT_TRUE(ledger.close(sale_).has_value());
  ASSERT_EQ(tell_stack("pause redis"), "");
  const auto begun = ledger.begin_rebuild(sale_);
  ASSERT_EQ(tell_stack("resume redis"), "");
  ASSERT_TRUE(begun.has_error());
  EXPECT_EQ(begun.error().code, ErrorCode::unknown_outcome) << begun.error().detail;
  EXPECT_TRUE(ledger.begin_rebuild(sale_).has_value()) << "with a new connection";
}

TEST_F(RebuildableLedgerTest, ManyAreFilledInAndPagedThrough) {
  constexpr std::uint64_t kMany = 60'000;
  sale_.limit = kMany + 10;
  RedisRebuildableLedger ledger(redis_options());
  ASSERT_TRUE(ledger.close(sale_).has_value());
  ASSERT_TRUE(ledger.begin_rebuild(sale_).has_value());
  ASSERT_TRUE(ledger.add(sale_, events(1, kMany), true).has_value());
  ASSERT_TRUE(ledger.finish_rebuild(sale_, {}).has_value());
  EXPECT_EQ(decide(1).coupon.sequence, kMany + 1);
  std::uint64_t after = 0;
  while (true) {
    const auto page = await<std::vector<Decision>>(
        executor_, [&](auto done) { instance_.ledger().holders(sale_.id, after, 10'000, std::move(done)); });
    ASSERT_TRUE(page.has_value()) << page.error().detail;
    if (page->empty()) break;
    for (const auto& holder : *page) {
      ASSERT_EQ(holder.coupon.sequence, ++after);
      ASSERT_EQ(holder.pending, after > kMany);
    }
  }
  EXPECT_EQ(after, kMany + 1);
}

}  // namespace
}  // namespace doorbuster::test
