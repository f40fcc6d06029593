#include "services/audit/sold_out_phases.hpp"

#include <gtest/gtest.h>

namespace doorbuster::audit {
namespace {

Timestamp at(int microseconds) {
  return Timestamp(Duration(microseconds));
}

TEST(SoldOutPhases, RefusalBeforeTheLastCouponContradicts) {
  SoldOutPhases phases;
  phases.limit_changed(2, 0);
  phases.decided(at(10), 1);
  phases.decided(at(20), 2);
  EXPECT_TRUE(phases.contradicts(at(1), at(19)));
  EXPECT_TRUE(phases.contradicts(std::nullopt, at(19)));
  EXPECT_FALSE(phases.contradicts(at(1), at(20)));
  EXPECT_FALSE(phases.contradicts(at(30), at(31)));
}

TEST(SoldOutPhases, ACampaignThatNeverFillsIsNeverSoldOut) {
  SoldOutPhases phases;
  phases.limit_changed(2, 0);
  EXPECT_TRUE(phases.contradicts(at(1), at(2)));
  phases.decided(at(10), 1);
  EXPECT_TRUE(phases.contradicts(at(100), at(200)));
}

TEST(SoldOutPhases, ALimitOfNothingIsSoldOutAtOnce) {
  SoldOutPhases phases;
  phases.limit_changed(0, 0);
  EXPECT_FALSE(phases.contradicts(at(1), at(2)));
}

TEST(SoldOutPhases, ARaisedLimitOpensAStretchAtTheNextCoupon) {
  SoldOutPhases phases;
  phases.limit_changed(1, 0);
  phases.decided(at(10), 1);
  phases.limit_changed(3, 1);
  phases.decided(at(50), 2);
  phases.decided(at(90), 3);
  EXPECT_FALSE(phases.contradicts(at(20), at(60)));  // sent while it may still have been full
  EXPECT_TRUE(phases.contradicts(at(60), at(70)));
  EXPECT_FALSE(phases.contradicts(std::nullopt, at(70)));
  EXPECT_FALSE(phases.contradicts(at(60), at(95)));
}

TEST(SoldOutPhases, ALimitLoweredToWhatIsOutEndsTheStretchAtTheLastCoupon) {
  SoldOutPhases phases;
  phases.limit_changed(5, 0);
  phases.decided(at(10), 1);
  phases.decided(at(20), 2);
  phases.limit_changed(2, 2);
  EXPECT_TRUE(phases.contradicts(at(1), at(15)));
  EXPECT_FALSE(phases.contradicts(at(1), at(25)));
}

TEST(SoldOutPhases, AChangeThatLeavesTheCampaignOpenEndsNothing) {
  SoldOutPhases phases;
  phases.limit_changed(5, 0);
  phases.decided(at(10), 1);
  phases.limit_changed(6, 1);
  EXPECT_TRUE(phases.contradicts(at(1), at(100)));
}

}  // namespace
}  // namespace doorbuster::audit
