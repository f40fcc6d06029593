#include "core/issuing/sold_out_latch.hpp"

#include <gtest/gtest.h>

namespace doorbuster {
namespace {

using namespace std::chrono_literals;

constexpr Timestamp kStart{Duration{1'000'000}};

UserId user(std::uint64_t number) {
  return UserId::from_integer(number);
}

HolderFilter filter_of(std::uint64_t holder) {
  HolderFilter filter(10, 1);
  filter.add(user(holder));
  return filter;
}

TEST(SoldOutLatchTest, AnswersOnlyWithAFilterAndForUsersOutsideOfIt) {
  SoldOutLatch latch;
  EXPECT_FALSE(latch.answers(user(1), kStart));
  latch.told_sold_out({1, 1}, kStart);
  EXPECT_FALSE(latch.answers(user(1), kStart)) << "no filter yet";
  latch.take_filter({1, 1}, filter_of(7));
  EXPECT_TRUE(latch.answers(user(1), kStart));
  EXPECT_FALSE(latch.answers(user(7), kStart)) << "a holder goes to the ledger";
}

TEST(SoldOutLatchTest, TrustEndsASecondAfterTheQuestionWasSent) {
  SoldOutLatch latch;
  latch.told_sold_out({1, 1}, kStart);
  latch.take_filter({1, 1}, filter_of(7));
  EXPECT_TRUE(latch.answers(user(1), kStart + 1s - 1us));
  EXPECT_FALSE(latch.answers(user(1), kStart + 1s));
  latch.told_sold_out({1, 1}, kStart + 900ms);
  EXPECT_TRUE(latch.answers(user(1), kStart + 1800ms)) << "the filter fits as long as the version does";
  latch.told_sold_out({1, 1}, kStart + 100ms);
  EXPECT_TRUE(latch.answers(user(1), kStart + 1800ms)) << "a slow answer takes nothing back";
}

TEST(SoldOutLatchTest, AnotherVersionNeedsAFilterOfItsOwn) {
  SoldOutLatch latch;
  latch.told_sold_out({1, 1}, kStart);
  latch.take_filter({1, 1}, filter_of(7));
  latch.told_sold_out({1, 2}, kStart + 10ms);
  EXPECT_FALSE(latch.answers(user(1), kStart + 10ms));
  latch.take_filter({1, 1}, filter_of(7));
  EXPECT_FALSE(latch.has_filter()) << "built for the version before";
  latch.told_sold_out({1, 1}, kStart);
  EXPECT_EQ(latch.version().revision, 2U) << "an answer that came late is no news";
  latch.take_filter({1, 2}, filter_of(7));
  EXPECT_TRUE(latch.answers(user(1), kStart + 20ms));
}

TEST(SoldOutLatchTest, AnotherAnswerOfTheLedgerEndsIt) {
  SoldOutLatch latch;
  latch.told_sold_out({1, 1}, kStart);
  latch.take_filter({1, 1}, filter_of(7));
  latch.told_otherwise();
  EXPECT_FALSE(latch.answers(user(1), kStart));
}

}  // namespace
}  // namespace doorbuster
