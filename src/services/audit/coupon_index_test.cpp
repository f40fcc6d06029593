#include "services/audit/coupon_index.hpp"

#include <gtest/gtest.h>

namespace doorbuster::audit {
namespace {

CouponCode code(std::uint32_t number) {
  CouponCode::Bytes bytes{};
  for (int i = 0; i < 4; ++i)
    bytes[static_cast<std::size_t>(i)] = static_cast<std::uint8_t>(number >> (8 * i));
  return CouponCode(bytes);
}

IndexedCoupon coupon(std::uint64_t user, std::uint64_t sequence, std::uint32_t code_number) {
  IndexedCoupon entry;
  entry.user = user;
  entry.sequence = sequence;
  entry.code = code(code_number);
  return entry;
}

TEST(CouponIndex, FindsEveryCouponByNumberUserAndCodeAfterGrowing) {
  CouponIndex index;
  for (std::uint32_t i = 1; i <= 5000; ++i) index.add(coupon(i + 100'000, i, i + 900'000));
  ASSERT_EQ(index.size(), 5000U);
  for (std::uint32_t i = 1; i <= 5000; ++i) {
    ASSERT_EQ(index.by_sequence(i)->user, i + 100'000);
    ASSERT_EQ(index.by_user(i + 100'000)->sequence, i);
    ASSERT_EQ(index.by_code(code(i + 900'000))->sequence, i);
  }
  EXPECT_EQ(index.by_sequence(5001), nullptr);
  EXPECT_EQ(index.by_user(5), nullptr);
  EXPECT_EQ(index.by_code(code(7)), nullptr);
}

TEST(CouponIndex, IsEmptyAtFirst) {
  CouponIndex index;
  EXPECT_EQ(index.by_sequence(1), nullptr);
  EXPECT_EQ(index.by_user(1), nullptr);
  EXPECT_EQ(index.by_code(code(1)), nullptr);
}

TEST(CouponIndex, FindsTheFirstOfSeveralWithOneKey) {
  CouponIndex index;
  index.add(coupon(1, 10, 100));
  index.add(coupon(1, 11, 100));
  index.add(coupon(2, 10, 102));
  EXPECT_EQ(index.by_user(1)->sequence, 10U);
  EXPECT_EQ(index.by_sequence(10)->user, 1U);
  EXPECT_EQ(index.by_code(code(100))->sequence, 10U);
  EXPECT_EQ(index.by_user(2)->sequence, 10U);
}

TEST(UserKey, KeepsIntegersAndTellsThemFromText) {
  EXPECT_EQ(user_key(UserId::from_integer(17)), 17U);
  EXPECT_NE(user_key(*UserId::parse("017")), 17U);
  EXPECT_NE(user_key(*UserId::parse("alice")), user_key(*UserId::parse("bob")));
  EXPECT_EQ(user_key(*UserId::parse("alice")), user_key(*UserId::parse("alice")));
}

}  // namespace
}  // namespace doorbuster::audit
