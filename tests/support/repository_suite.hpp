#pragma once
// What every CouponStore with its CouponRepository does. An adapter instantiates it with a bed of its own:
//
//   struct Bed {                        // made anew for each test, with an empty repository
//     CouponStore& store();
//     CouponRepository& repository();   // reads what the store wrote
//     void reopen();                    // stops in order and starts again on the same data
//   };
//   INSTANTIATE_TYPED_TEST_SUITE_P(MyRepository, RepositorySuite, Bed);

#include <gtest/gtest.h>

#include "ports/coupon_repository.hpp"
#include "tests/support/samples.hpp"

namespace doorbuster::test {

template <class Bed>
class RepositorySuite : public testing::Test {
 protected:
  /// Stores the events at the positions that follow.
  Result<void> store(const std::vector<Event>& events) {
    std::vector<LogRecord> records;
    for (const Event& event : events) records.push_back({++position_, event});
    return bed_.store().store(records);
  }
  std::optional<StoredCoupon> by_code(const CouponIssued& event) {
    return bed_.repository().find(event.coupon.code).value();
  }
  std::optional<StoredCoupon> by_user(const CouponIssued& event) {
    return bed_.repository().find(event.campaign, event.coupon.user).value();
  }
  std::vector<std::uint64_t> listed(std::string_view campaign, std::uint64_t after = 0,
                                    std::size_t max = 1000) {
    std::vector<std::uint64_t> found;
    for (const auto& row : bed_.repository().list(campaign_id(campaign), after, max).value()) {
      EXPECT_EQ(row.campaign, campaign_id(campaign));
      found.push_back(row.coupon.sequence);
    }
    return found;
  }
  std::vector<DeadLetter> dead_letters() { return bed_.repository().dead_letters(1000).value(); }
  Bed bed_;
  LogPosition position_ = 0;
};
TYPED_TEST_SUITE_P(RepositorySuite);

TYPED_TEST_P(RepositorySuite, KnowsNothingAtFirst) {
  EXPECT_EQ(this->bed_.store().stored_through().value(), 0U);
  EXPECT_EQ(this->bed_.repository().stored_through().value(), 0U);
  EXPECT_FALSE(this->by_code(coupon_event("sale", 1)).has_value());
  EXPECT_FALSE(this->by_user(coupon_event("sale", 1)).has_value());
  EXPECT_TRUE(this->listed("sale").empty());
  EXPECT_TRUE(this->dead_letters().empty());
}

TYPED_TEST_P(RepositorySuite, FindsByCodeAndByUser) {
  auto refilled = coupon_event("sale", 2, user_id("Ann_9:x@example-host.org"));
  refilled.refilled = true;
  refilled.epoch = 3;
  refilled.revision = 7;
  ASSERT_TRUE(this->store({coupon_event("sale", 1), refilled, coupon_event("other", 1)}).has_value());
  for (int round = 0; round < 2; ++round) {
    for (const auto& event : {coupon_event("sale", 1), refilled, coupon_event("other", 1)}) {
      for (const auto& found : {this->by_code(event), this->by_user(event)}) {
        ASSERT_TRUE(found.has_value());
        EXPECT_EQ(found->campaign, event.campaign);
        EXPECT_EQ(found->coupon, event.coupon);
        EXPECT_EQ(found->refilled, event.refilled);
        EXPECT_EQ(found->redeemed_at, std::nullopt);
        EXPECT_EQ(found->epoch, event.epoch);
        EXPECT_EQ(found->revision, event.revision);
      }
    }
    EXPECT_EQ(this->bed_.repository().stored_through().value(), 3U);
    this->bed_.reopen();
  }
}

TYPED_TEST_P(RepositorySuite, DefinitionsPassByAndThePositionGoesOn) {
  ASSERT_TRUE(this->store({CampaignChanged{campaign("sale", 5)}}).has_value());
  EXPECT_EQ(this->bed_.store().stored_through().value(), 1U);
  ASSERT_TRUE(this->store({}).has_value());
  EXPECT_EQ(this->bed_.store().stored_through().value(), 1U);
  EXPECT_TRUE(this->dead_letters().empty());
}

TYPED_TEST_P(RepositorySuite, RecordsToldAgainChangeNothing) {
  const std::vector<LogRecord> records{{1, coupon_event("sale", 1)}, {2, coupon_event("sale", 2)}};
  ASSERT_TRUE(this->bed_.store().store(records).has_value());
  ASSERT_TRUE(this->bed_.store().store(records).has_value());
  EXPECT_EQ(this->bed_.store().stored_through().value(), 2U);
  EXPECT_EQ(this->listed("sale"), (Sequences{1, 2}));
  EXPECT_TRUE(this->dead_letters().empty());
}

TYPED_TEST_P(RepositorySuite, AnEqualEventAtALaterPositionIsFine) {
  ASSERT_TRUE(this->store({coupon_event("sale", 1), coupon_event("sale", 1)}).has_value());
  ASSERT_TRUE(this->store({coupon_event("sale", 1)}).has_value());
  EXPECT_EQ(this->bed_.store().stored_through().value(), 3U);
  EXPECT_EQ(this->listed("sale"), (Sequences{1}));
  EXPECT_TRUE(this->dead_letters().empty());
}

TYPED_TEST_P(RepositorySuite, ContradictionsBecomeDeadLettersAndTheRestGoesOn) {
  auto same_user = coupon_event("sale", 2, coupon_event("sale", 1).coupon.user);
  auto same_number = coupon_event("sale", 1, user_id("somebody-else"));
  same_number.coupon.code = coupon_event("sale", 77).coupon.code;
  auto same_code = coupon_event("sale", 3);
  same_code.coupon.code = coupon_event("sale", 1).coupon.code;
  auto other_time = coupon_event("sale", 1);
  other_time.coupon.decided_at += Duration{1};
  ASSERT_TRUE(this->store({coupon_event("sale", 1), same_user, same_number, same_code, other_time,
                           coupon_event("sale", 2)})
                  .has_value());
  EXPECT_EQ(this->bed_.store().stored_through().value(), 6U);
  EXPECT_EQ(this->listed("sale"), (Sequences{1, 2}));
  EXPECT_EQ(this->by_code(coupon_event("sale", 1))->coupon, coupon_event("sale", 1).coupon);
  const auto letters = this->dead_letters();
  ASSERT_EQ(letters.size(), 4U);
  for (std::size_t i = 0; i < 4; ++i) {
    EXPECT_EQ(letters[i].position, i + 2);
    EXPECT_EQ(letters[i].reason.substr(0, 10), "conflict: ");
    EXPECT_NE(letters[i].event.find("\"campaign_id\":\"sale\""), std::string::npos);
  }
  EXPECT_EQ(this->bed_.repository().dead_letters(2).value().size(), 2U);
  this->bed_.reopen();
  EXPECT_EQ(this->dead_letters().size(), 4U);
}

TYPED_TEST_P(RepositorySuite, DeadLettersToldAgainAreNotDoubled) {
  const std::vector<LogRecord> records{{1, coupon_event("sale", 1)},
                                       {2, coupon_event("sale", 2, coupon_event("sale", 1).coupon.user)}};
  ASSERT_TRUE(this->bed_.store().store(records).has_value());
  ASSERT_TRUE(this->bed_.store().store(records).has_value());
  EXPECT_EQ(this->dead_letters().size(), 1U);
}

TYPED_TEST_P(RepositorySuite, ListsOnlyUpToTheFirstMissingNumber) {
  ASSERT_TRUE(this->store({coupon_event("sale", 3), coupon_event("sale", 1)}).has_value());
  EXPECT_EQ(this->listed("sale"), (Sequences{1}));
  EXPECT_EQ(this->listed("sale", 1), Sequences{});
  ASSERT_TRUE(this->by_code(coupon_event("sale", 3)).has_value()) << "found all the same";
  ASSERT_TRUE(this->store({coupon_event("sale", 5), coupon_event("sale", 2)}).has_value());
  EXPECT_EQ(this->listed("sale"), (Sequences{1, 2, 3}));
  this->bed_.reopen();
  EXPECT_EQ(this->listed("sale"), (Sequences{1, 2, 3}));
  ASSERT_TRUE(this->store({coupon_event("sale", 4)}).has_value());
  EXPECT_EQ(this->listed("sale"), (Sequences{1, 2, 3, 4, 5}));
}

TYPED_TEST_P(RepositorySuite, ListsInPagesAndByCampaign) {
  std::vector<Event> events{coupon_event("other", 1)};
  for (std::uint64_t i = 1; i <= 7; ++i) events.push_back(coupon_event("sale", i));
  ASSERT_TRUE(this->store(events).has_value());
  EXPECT_EQ(this->listed("sale", 0, 3), (Sequences{1, 2, 3}));
  EXPECT_EQ(this->listed("sale", 3, 3), (Sequences{4, 5, 6}));
  EXPECT_EQ(this->listed("sale", 6, 3), (Sequences{7}));
  EXPECT_EQ(this->listed("sale", 7, 3), Sequences{});
  EXPECT_EQ(this->listed("other"), (Sequences{1}));
}

TYPED_TEST_P(RepositorySuite, RedeemsOnceAndRepeatsTheAnswerForTheSameKey) {
  const auto event = coupon_event("sale", 1);
  ASSERT_TRUE(this->store({event}).has_value());
  const Timestamp then = ManualClock::kStart + std::chrono::hours{1};
  const auto first = this->bed_.repository().redeem(event.coupon.code, "till-7", then);
  ASSERT_TRUE(first.has_value());
  EXPECT_EQ(first->code, event.coupon.code);
  EXPECT_EQ(first->redeemed_at, then);
  EXPECT_FALSE(first->repeated);
  for (int round = 0; round < 2; ++round) {
    const auto again = this->bed_.repository().redeem(event.coupon.code, "till-7", then + Duration{5});
    ASSERT_TRUE(again.has_value());
    EXPECT_EQ(again->redeemed_at, then);
    EXPECT_TRUE(again->repeated);
    const auto other = this->bed_.repository().redeem(event.coupon.code, "till-8", then);
    EXPECT_EQ(other.error().code, ErrorCode::conflict);
    EXPECT_EQ(this->by_code(event)->redeemed_at, then);
    EXPECT_EQ(this->by_user(event)->redeemed_at, then);
    this->bed_.reopen();
  }
}

TYPED_TEST_P(RepositorySuite, WhatIsNotStoredCannotBeRedeemed) {
  const auto event = coupon_event("sale", 1);
  EXPECT_EQ(this->bed_.repository().redeem(event.coupon.code, "till-7", ManualClock::kStart).error().code,
            ErrorCode::not_found);
  ASSERT_TRUE(this->store({event}).has_value());
  EXPECT_FALSE(this->bed_.repository().redeem(event.coupon.code, "till-8", ManualClock::kStart)->repeated);
}

REGISTER_TYPED_TEST_SUITE_P(RepositorySuite, KnowsNothingAtFirst, FindsByCodeAndByUser,
                            DefinitionsPassByAndThePositionGoesOn, RecordsToldAgainChangeNothing,
                            AnEqualEventAtALaterPositionIsFine,
                            ContradictionsBecomeDeadLettersAndTheRestGoesOn,
                            DeadLettersToldAgainAreNotDoubled, ListsOnlyUpToTheFirstMissingNumber,
                            ListsInPagesAndByCampaign, RedeemsOnceAndRepeatsTheAnswerForTheSameKey,
                            WhatIsNotStoredCannotBeRedeemed);

}  // namespace doorbuster::test
