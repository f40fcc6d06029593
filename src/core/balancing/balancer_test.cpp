#include "core/balancing/balancer.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>

namespace doorbuster::balancing {
namespace {

using namespace std::chrono_literals;
using Index = Balancer::Index;

class BalancerTest : public testing::Test {
 protected:
  Balancer with(int members, BalancerOptions options = {}) {
    Balancer balancer(options, random_);
    for (int i = 0; i < members; ++i) balancer.add(true);
    return balancer;
  }
  static std::map<Index, int> spread(Balancer& balancer, int picks, Moment now = 0s) {
    std::map<Index, int> counts;
    for (int i = 0; i < picks; ++i) {
      if (const auto member = balancer.pick(now)) ++counts[*member];
    }
    return counts;
  }
  static void fail(Balancer& balancer, Index member, int times, Moment now = 0s) {
    for (int i = 0; i < times; ++i) {
      balancer.began(member);
      balancer.ended(member, true, now);
    }
  }
  SeededRandom random_{7};
};

TEST_F(BalancerTest, RoundRobinIsExactlyEven) {
  auto balancer = with(3, {.policy = Policy::round_robin});
  EXPECT_EQ(spread(balancer, 300), (std::map<Index, int>{{0, 100}, {1, 100}, {2, 100}}));
}

TEST_F(BalancerTest, LeastOutstandingTakesTheIdleOneAndSpreadsTies) {
  auto balancer = with(3, {.policy = Policy::least_outstanding});
  balancer.began(0);
  balancer.began(1);
  EXPECT_EQ(balancer.pick(0s), 2u);
  balancer.began(2);
  const auto counts = spread(balancer, 300);
  for (Index i = 0; i < 3; ++i) EXPECT_EQ(counts.at(i), 100);
}

TEST_F(BalancerTest, TwoChoicesIsEvenWhenAllAreIdle) {
  auto balancer = with(5);
  for (const auto& [member, count] : spread(balancer, 10'000)) EXPECT_NEAR(count, 2000, 200) << member;
}

TEST_F(BalancerTest, TwoChoicesKeepsTheLongestQueueShort) {
  auto balancer = with(10);
  for (int i = 0; i < 1000; ++i) balancer.began(*balancer.pick(0s));
  for (Index i = 0; i < 10; ++i) EXPECT_NEAR(balancer.outstanding(i), 100, 6);
}

TEST_F(BalancerTest, TwoChoicesNeverTakesTheBusiestOfTwo) {
  auto balancer = with(2);
  balancer.began(0);
  EXPECT_EQ(spread(balancer, 100), (std::map<Index, int>{{1, 100}}));
}

TEST_F(BalancerTest, ARetryAvoidsWhereItFailedUnlessThereIsNoOther) {
  for (const auto policy : {Policy::round_robin, Policy::least_outstanding, Policy::two_choices}) {
    auto balancer = with(3, {.policy = policy});
    for (int i = 0; i < 100; ++i) EXPECT_NE(balancer.pick(0s, 1), 1u);
    auto alone = with(1, {.policy = policy});
    EXPECT_EQ(alone.pick(0s, 0), 0u);
  }
}

TEST_F(BalancerTest, ARefusedInstanceIsOutAtOnceAndBackAfterAGoodCheck) {
  auto balancer = with(3);
  balancer.refused(1);
  EXPECT_EQ(spread(balancer, 1000).count(1), 0u);
  balancer.checked(1, true);
  EXPECT_GT(spread(balancer, 1000).at(1), 200);
  EXPECT_EQ(balancer.stats().refusals, 1u);
}

TEST_F(BalancerTest, WhenAllAreRefusedNobodyIsPicked) {
  auto balancer = with(3);
  for (Index i = 0; i < 3; ++i) balancer.refused(i);
  EXPECT_EQ(balancer.pick(0s), std::nullopt);
  balancer.checked(2, true);
  EXPECT_EQ(balancer.pick(0s), 2u);
}

TEST_F(BalancerTest, PanicNeverPicksRefusedOrDeregisteredOnes) {
  auto balancer = with(4, {.failures_to_eject = 1, .most_ejected_percent = 100});
  balancer.refused(0);
  balancer.set_admissible(1, false);
  fail(balancer, 2, 1);
  fail(balancer, 3, 1);
  const auto counts = spread(balancer, 100);
  EXPECT_EQ(counts.count(0) + counts.count(1), 0u);
  EXPECT_EQ(counts.size(), 2u) << "both ejected ones, in panic";
  EXPECT_EQ(balancer.stats().panics, 100u);
}

TEST_F(BalancerTest, ABadCheckPutsOneOutExceptInPanic) {
  auto balancer = with(3);
  balancer.checked(0, false);
  EXPECT_EQ(spread(balancer, 100).count(0), 0u);
  balancer.checked(1, false);
  balancer.checked(2, false);
  EXPECT_EQ(spread(balancer, 100).size(), 3u) << "a wrong check must not close the service";
  balancer.checked(1, true);
  balancer.checked(2, true);
  EXPECT_EQ(spread(balancer, 100).count(0), 0u);
}

TEST_F(BalancerTest, FailuresInARowEjectForAWhileTwiceAsLongEachTime) {
  auto balancer = with(3);
  fail(balancer, 0, 4);
  balancer.began(0);
  balancer.ended(0, false, 0s);
  fail(balancer, 0, 4);
  EXPECT_EQ(spread(balancer, 100).size(), 3u) << "a success between begins anew";
  fail(balancer, 0, 1);
  EXPECT_EQ(spread(balancer, 100, 999ms).count(0), 0u);
  EXPECT_EQ(spread(balancer, 100, 1s).count(0), 1u);
  fail(balancer, 0, 5, 1s);
  EXPECT_EQ(spread(balancer, 100, 2999ms).count(0), 0u);
  EXPECT_EQ(spread(balancer, 100, 3s).count(0), 1u);
}

TEST_F(BalancerTest, NotMoreThanAShareIsEjected) {
  auto balancer = with(4);
  for (Index i = 0; i < 4; ++i) fail(balancer, i, 5);
  EXPECT_EQ(balancer.stats().ejections, 2u);
  EXPECT_EQ(balancer.stats().ejections_over_the_cap, 2u);
  EXPECT_EQ(balancer.healthy(0s), 2u);
}

TEST_F(BalancerTest, TheOnlyInstanceIsNeverEjected) {
  auto balancer = with(1);
  fail(balancer, 0, 10);
  EXPECT_EQ(balancer.pick(0s), 0u);
  EXPECT_EQ(balancer.stats().ejections, 0u);
}

TEST_F(BalancerTest, ABrokenInstanceGetsOneTrial) {
  auto balancer = with(3, {.failures_to_eject = 0});
  fail(balancer, 0, 20);
  EXPECT_EQ(balancer.stats().breaker_openings, 1u);
  EXPECT_EQ(spread(balancer, 100, 999ms).count(0), 0u);
  int tries = 0;
  for (int i = 0; i < 100; ++i) {
    const auto member = balancer.pick(1s);
    ASSERT_TRUE(member);
    balancer.began(*member);
    tries += *member == 0 ? 1 : 0;
  }
  EXPECT_EQ(tries, 1);
  balancer.ended(0, false, 1s);
  int after = 0;
  for (int i = 0; i < 100; ++i) after += balancer.pick(1s) == 0u ? 1 : 0;
  EXPECT_GT(after, 50) << "the least busy one again";
}

TEST_F(BalancerTest, AnIndexIsUsedAgainWithoutItsPast) {
  auto balancer = with(2);
  balancer.refused(0);
  balancer.remove(0);
  EXPECT_EQ(balancer.members(), 1u);
  EXPECT_EQ(balancer.add(true), 0u);
  EXPECT_EQ(spread(balancer, 100).size(), 2u);
}

TEST_F(BalancerTest, TenThousandMembersAreAllUsed) {
  auto balancer = with(10'000);
  for (int i = 0; i < 100'000; ++i) balancer.began(*balancer.pick(0s));
  for (Index i = 0; i < 10'000; ++i) EXPECT_GT(balancer.outstanding(i), 0u);
}

}  // namespace
}  // namespace doorbuster::balancing
