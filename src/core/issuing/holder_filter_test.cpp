#include "core/issuing/holder_filter.hpp"

#include <gtest/gtest.h>

#include <string>

namespace doorbuster {
namespace {

TEST(HolderFilterTest, EveryHolderIsFound) {
  HolderFilter filter(10'000, 7);
  for (std::uint64_t i = 0; i < 10'000; ++i) filter.add(UserId::from_integer(i));
  for (std::uint64_t i = 0; i < 10'000; ++i) EXPECT_TRUE(filter.may_hold(UserId::from_integer(i)));
}

TEST(HolderFilterTest, TwoMegabytesAMillionAndOneInSixHundredIsTakenForAHolder) {
  constexpr std::uint64_t kHolders = 1'000'000;
  HolderFilter filter(kHolders, 99);
  EXPECT_EQ(filter.memory_bytes(), 2'000'000U);
  for (std::uint64_t i = 0; i < kHolders; ++i) filter.add(UserId::from_integer(i));
  std::uint64_t wrong = 0;
  for (std::uint64_t i = 0; i < kHolders; ++i)
    wrong += filter.may_hold(UserId::from_integer(kHolders + i)) ? 1 : 0;
  RecordProperty("false_positives_per_million", static_cast<int>(wrong));
  EXPECT_LT(wrong, kHolders / 600) << "false positives in a million";
}

TEST(HolderFilterTest, LongIdsDifferInEveryByte) {
  HolderFilter filter(100, 1);
  const std::string base(64, 'a');
  filter.add(*UserId::parse(base));
  int taken = 0;
  for (std::size_t at = 0; at < base.size(); ++at) {
    std::string other = base;
    other[at] = 'b';
    taken += filter.may_hold(*UserId::parse(other)) ? 1 : 0;
  }
  EXPECT_LE(taken, 1);
  EXPECT_TRUE(filter.may_hold(*UserId::parse(base)));
}

TEST(HolderFilterTest, AnotherKeyTakesOthersForHolders) {
  HolderFilter one(50, 1);
  HolderFilter two(50, 2);
  for (std::uint64_t i = 0; i < 400; ++i) {  // overfull, so that there are false positives
    one.add(UserId::from_integer(i));
    two.add(UserId::from_integer(i));
  }
  int differ = 0;
  for (std::uint64_t i = 1000; i < 2000; ++i) {
    differ += one.may_hold(UserId::from_integer(i)) != two.may_hold(UserId::from_integer(i)) ? 1 : 0;
  }
  EXPECT_GT(differ, 0);
}

TEST(HolderFilterTest, AnEmptyFilterHoldsNobody) {
  const HolderFilter filter(0, 1);
  EXPECT_FALSE(filter.may_hold(UserId::from_integer(1)));
  EXPECT_EQ(filter.memory_bytes(), 32U);
}

}  // namespace
}  // namespace doorbuster
