#include "core/issuing/ledger_image.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace doorbuster {
namespace {

using Added = LedgerImage::Added;
using testing::ElementsAre;
using testing::IsEmpty;

CampaignId drop() {
  return *CampaignId::parse("drop");
}

CouponIssued event(std::uint64_t sequence, std::uint64_t user, std::uint8_t code) {
  CouponIssued made;
  made.campaign = drop();
  CouponCode::Bytes bytes{};
  bytes[0] = code;
  made.coupon = {UserId::from_integer(user), sequence, CouponCode(bytes), Timestamp{Duration{1}}};
  return made;
}

std::vector<std::uint64_t> numbers(const std::vector<CouponIssued>& events) {
  std::vector<std::uint64_t> found;
  for (const auto& each : events) found.push_back(each.coupon.sequence);
  return found;
}

TEST(LedgerImageTest, WhatTheDatabaseHasComesFirstAndTheSameAgainIsKnown) {
  LedgerImage image(drop());
  EXPECT_EQ(image.add_safe(event(1, 10, 1)), Added::taken);
  EXPECT_EQ(image.add_safe(event(1, 10, 1)), Added::known);
  EXPECT_EQ(image.add_safe(event(2, 10, 2)), Added::contradicts) << "another number for the user";
  EXPECT_EQ(image.add_safe(event(1, 11, 3)), Added::contradicts) << "another user for the number";
  EXPECT_EQ(image.size(), 1U);
}

TEST(LedgerImageTest, ValuesOutOfRangeAndOfOtherCampaignsContradict) {
  LedgerImage image(drop());
  EXPECT_EQ(image.add_safe(event(0, 10, 1)), Added::contradicts);
  EXPECT_EQ(image.add_safe(event(HolderTable::kLargestSequence + 1, 10, 1)), Added::contradicts);
  CouponIssued other = event(1, 10, 1);
  other.campaign = *CampaignId::parse("other");
  EXPECT_EQ(image.add_safe(other), Added::contradicts);
}

TEST(LedgerImageTest, LeftoversGoBackAsPendingCouponsOfTheNewEpoch) {
  LedgerImage image(drop());
  image.add_safe(event(1, 10, 1));
  EXPECT_EQ(image.offer(event(1, 10, 1)), Added::known);
  EXPECT_EQ(image.offer(event(4, 12, 4)), Added::taken);
  EXPECT_EQ(image.offer(event(3, 11, 3)), Added::taken);
  const auto settled = image.settle(10, 7);
  EXPECT_EQ(settled.kept, 2U);
  EXPECT_THAT(numbers(image.page(0, 10, true)), ElementsAre(1));
  const auto pending = image.page(0, 10, false);
  EXPECT_THAT(numbers(pending), ElementsAre(3, 4));
  EXPECT_EQ(pending[0].epoch, 7U);
  EXPECT_THAT(image.missing(), ElementsAre(NumberRange{2, 2}));
}

TEST(LedgerImageTest, ALeftoverThatContradictsByUserNumberOrCodeIsDropped) {
  LedgerImage image(drop());
  image.add_safe(event(1, 10, 1));
  EXPECT_EQ(image.offer(event(2, 10, 2)), Added::contradicts);
  EXPECT_EQ(image.offer(event(1, 11, 3)), Added::contradicts);
  EXPECT_EQ(image.offer(event(3, 12, 1)), Added::taken) << "the code is looked at by settle()";
  EXPECT_EQ(image.offer(event(4, 13, 5)), Added::taken);
  EXPECT_EQ(image.offer(event(5, 13, 6)), Added::taken) << "offers meet each other in settle()";
  const auto settled = image.settle(10, 2);
  EXPECT_EQ(settled.kept, 1U);
  EXPECT_EQ(settled.contradicting, 2U);
  EXPECT_THAT(numbers(image.page(0, 10, false)), ElementsAre(4));
}

TEST(LedgerImageTest, LeftoversNeverLiftTheCountAboveTheLimit) {
  LedgerImage image(drop());
  image.add_safe(event(5, 10, 1));
  for (std::uint8_t i = 1; i <= 4; ++i) image.offer(event(i, 20U + i, static_cast<std::uint8_t>(10 + i)));
  const auto settled = image.settle(3, 2);
  EXPECT_EQ(settled.kept, 2U);
  EXPECT_EQ(settled.over_limit, 2U);
  EXPECT_THAT(numbers(image.page(0, 10, false)), ElementsAre(1, 2));
  EXPECT_THAT(image.missing(), ElementsAre(NumberRange{3, 4}));
}

TEST(LedgerImageTest, PagesGoOnBehindTheNumberThatIsGiven) {
  LedgerImage image(drop());
  for (std::uint8_t i = 1; i <= 5; ++i) image.add_safe(event(i, 20U + i, i));
  image.settle(10, 2);
  EXPECT_THAT(numbers(image.page(0, 2, true)), ElementsAre(1, 2));
  EXPECT_THAT(numbers(image.page(2, 2, true)), ElementsAre(3, 4));
  EXPECT_THAT(numbers(image.page(4, 2, true)), ElementsAre(5));
  EXPECT_THAT(image.page(5, 2, true), IsEmpty());
  EXPECT_THAT(image.missing(), IsEmpty());
}

}  // namespace
}  // namespace doorbuster
