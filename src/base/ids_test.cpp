#include "base/ids.hpp"

#include <gtest/gtest.h>

namespace doorbuster {
namespace {

TEST(CampaignId, TakesWhatTheContractAllows) {
  EXPECT_EQ(CampaignId::parse("black-friday-26")->text(), "black-friday-26");
  EXPECT_EQ(CampaignId::parse(std::string(64, 'a'))->text().size(), 64U);
}

TEST(CampaignId, RefusesEverythingElse) {
  for (const auto* text : {"", "Upper", "under_score", "space ", "a/b", "\xc3\xa4"}) {
    EXPECT_TRUE(CampaignId::parse(text).has_error()) << text;
  }
  EXPECT_TRUE(CampaignId::parse(std::string(65, 'a')).has_error());
}

TEST(UserId, TakesWhatTheContractAllows) {
  EXPECT_EQ(UserId::parse("a.b:c@d-e_F9")->text(), "a.b:c@d-e_F9");
  EXPECT_EQ(UserId::from_integer(18446744073709551615U).text(), "18446744073709551615");
}

TEST(UserId, RefusesEverythingElse) {
  for (const auto* text : {"", "a b", "a/b", "a\n", "\xc3\xa4", "a%20"}) {
    EXPECT_TRUE(UserId::parse(text).has_error()) << text;
  }
  EXPECT_TRUE(UserId::parse(std::string(65, 'a')).has_error());
}

TEST(UserId, IsAnIntegerOnlyWhenItsDigitsComeBackTheSame) {
  EXPECT_EQ(UserId::parse("0")->integer(), 0U);
  EXPECT_EQ(UserId::parse("9223372036854775807")->integer(), 9223372036854775807U);
  for (const auto* text : {"007", "9223372036854775808", "99999999999999999999", "-1", "1a", "1.0"}) {
    EXPECT_EQ(UserId::parse(text)->integer(), std::nullopt) << text;
  }
}

TEST(CouponCode, ComesBackFromItsText) {
  const CouponCode code(CouponCode::Bytes{0, 1, 2, 0x80, 0xff, 0xfe, 7, 99, 200, 31});
  EXPECT_EQ(code.text().size(), 16U);
  EXPECT_EQ(*CouponCode::parse(code.text()), code);
}

TEST(CouponCode, KnowsCrockfordsAlphabet) {
  EXPECT_EQ(CouponCode().text(), "0000000000000000");
  EXPECT_EQ(CouponCode::parse("ZZZZZZZZZZZZZZZZ")->bytes()[9], 0xff);
  EXPECT_EQ(*CouponCode::parse("oOiIlL0011223344"), *CouponCode::parse("0011110011223344"));
  EXPECT_EQ(*CouponCode::parse("abcdefghjkmnpqrs"), *CouponCode::parse("ABCDEFGHJKMNPQRS"));
}

TEST(CouponCode, RefusesOtherTexts) {
  for (const auto* text : {"", "123", "UUUUUUUUUUUUUUUU", "0000000000000000 ", "00000000000000-0"}) {
    EXPECT_TRUE(CouponCode::parse(text).has_error()) << text;
  }
}

}  // namespace
}  // namespace doorbuster
