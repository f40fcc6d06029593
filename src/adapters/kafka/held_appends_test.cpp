#include "adapters/kafka/held_appends.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace doorbuster::kafka {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

class HeldAppendsTest : public testing::Test {
 protected:
  /// \returns the sizes of the appends that leave
  std::vector<std::size_t> add(std::size_t events) {
    return sizes(held_.add({nullptr, std::vector<CouponIssued>(events)}, now_));
  }
  std::vector<std::size_t> release() { return sizes(held_.release(now_)); }

  HeldAppends held_;
  HeldAppends::Now now_{};

 private:
  static std::vector<std::size_t> sizes(const std::vector<HeldAppend>& appends) {
    std::vector<std::size_t> all;
    for (const auto& append : appends) all.push_back(append.events.size());
    return all;
  }
};

TEST_F(HeldAppendsTest, AloneAnAppendGoesAtOnce) {
  EXPECT_THAT(add(3), ElementsAre(3));
  held_.handed_over(3);
  held_.answered(3);
  EXPECT_THAT(add(1), ElementsAre(1));
}

TEST_F(HeldAppendsTest, WhatComesMeanwhileGoesTogetherWhenHalfIsAnswered) {
  EXPECT_THAT(add(4), ElementsAre(4));
  held_.handed_over(4);
  EXPECT_THAT(add(5), IsEmpty());
  EXPECT_THAT(add(2), IsEmpty());
  held_.answered(1);
  EXPECT_THAT(release(), IsEmpty());
  held_.answered(1);
  EXPECT_THAT(release(), ElementsAre(5, 2)) << "in the order of their coming";
  held_.handed_over(7);
  EXPECT_THAT(release(), IsEmpty());
}

TEST_F(HeldAppendsTest, NothingOvertakesWhatIsBeingHandedOver) {
  EXPECT_THAT(add(2), ElementsAre(2));
  EXPECT_THAT(add(1), IsEmpty());
  held_.answered(2);  // the answer comes before handed_over() was called
  EXPECT_THAT(release(), IsEmpty());
  held_.handed_over(2);
  EXPECT_THAT(release(), ElementsAre(1));
}

TEST_F(HeldAppendsTest, NobodyWaitsForABrokerThatDoesNotAnswer) {
  EXPECT_THAT(add(2), ElementsAre(2));
  held_.handed_over(2);
  EXPECT_THAT(add(1), IsEmpty());
  now_ += HeldAppends::kLongest;
  EXPECT_THAT(release(), ElementsAre(1));
}

TEST_F(HeldAppendsTest, AGroupThatIsLargeEnoughGoes) {
  EXPECT_THAT(add(2), ElementsAre(2));
  held_.handed_over(2);
  EXPECT_THAT(add(HeldAppends::kLargeEnough - 1), IsEmpty());
  EXPECT_THAT(add(1), ElementsAre(HeldAppends::kLargeEnough - 1, 1));
}

TEST_F(HeldAppendsTest, GivesBackWhatWaitsWhenTheProducerIsGone) {
  EXPECT_THAT(add(2), ElementsAre(2));
  held_.handed_over(2);
  held_.sent_beside(1);
  EXPECT_THAT(add(1), IsEmpty());
  EXPECT_EQ(held_.reset().size(), 1U);
  EXPECT_THAT(add(3), ElementsAre(3));
}

}  // namespace
}  // namespace doorbuster::kafka
