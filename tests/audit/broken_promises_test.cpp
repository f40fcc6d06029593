// Each promise is broken on purpose, and the audit must say so, of that promise and of no other.

#include <gmock/gmock.h>

#include "tests/audit/fake_system.hpp"

namespace doorbuster::audit::test {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

TEST(WholeSystem, KeepsEveryPromise) {
  FakeSystem system(20, 20);
  system.refuse(21'000, 22'000);
  const auto report = system.audit(true);
  ASSERT_TRUE(report);
  EXPECT_THAT(broken(report), IsEmpty()) << to_text(*report);
  EXPECT_EQ(report->events, 20U);
  EXPECT_EQ(report->holders, 20U);
  EXPECT_EQ(report->rows, 20U);
  EXPECT_EQ(report->acknowledged_coupons, 20U);
  EXPECT_EQ(report->fairness.inversions, 0U);
  EXPECT_TRUE(report->quiet);
}

TEST(WholeSystem, AnEventThatStandsTwiceInTheLogIsOneCoupon) {
  FakeSystem system(5, 5);
  system.log_only(coupon(5));
  const auto report = system.audit();
  EXPECT_THAT(broken(report), IsEmpty()) << to_text(*report);
  EXPECT_EQ(report->events, 5U);
  EXPECT_EQ(report->repeated_events, 1U);
}

TEST(WholeSystem, OtherCampaignsInTheSameLogAreNotItsBusiness) {
  FakeSystem system(5, 2);
  CouponIssued other;
  other.campaign = *CampaignId::parse("other");
  other.coupon = coupon(1);
  system.log.append(other);
  EXPECT_THAT(broken(system.audit()), IsEmpty());
}

TEST(Promise1, MoreCouponsThanTheLimit) {
  FakeSystem system(5, 6);
  EXPECT_THAT(broken(system.audit()), ElementsAre(Promise::limit));
}

TEST(Promise1, AtEachPointByTheLimitThenInForce) {
  FakeSystem system(5, 6);  // the sixth came before the limit was raised
  system.define(10);
  EXPECT_THAT(broken(system.audit()), ElementsAre(Promise::limit));
}

TEST(Promise1, ARaisedLimitIsNoViolation) {
  FakeSystem system(2, 2);
  system.define(3);
  system.give(coupon(3));
  EXPECT_THAT(broken(system.audit()), IsEmpty());
}

TEST(Promise1, ALimitLoweredBelowWhatIsOut) {
  FakeSystem system(5, 5);
  system.define(4);
  EXPECT_THAT(broken(system.audit()), testing::Contains(Promise::limit));
}

TEST(Promise2, AUserWithTwoCoupons) {
  FakeSystem system(5, 3);
  auto second = coupon(4);
  second.user = coupon(1).user;
  system.give(second);
  EXPECT_THAT(broken(system.audit()), ElementsAre(Promise::one_per_user));
}

TEST(Promise2, AUserWhoWasToldAnotherCodeTheSecondTime) {
  FakeSystem system(5, 3);
  auto other = coupon(2);
  other.code = code(999);
  system.ack_only(other, 200);
  EXPECT_THAT(broken(system.audit()), ElementsAre(Promise::one_per_user));
}

TEST(Promise2, TheSameCodeAgainIsNoViolation) {
  FakeSystem system(5, 3);
  system.ack_only(coupon(2), 200);
  EXPECT_THAT(broken(system.audit()), IsEmpty());
}

TEST(Promise3, AnAcknowledgedCouponThatIsNowhere) {
  FakeSystem system(5, 3);
  system.ack_only(coupon(4));
  EXPECT_THAT(broken(system.audit()), ElementsAre(Promise::nothing_lost));
}

TEST(Promise3, AnAcknowledgedCouponWithoutARow) {
  FakeSystem system(5, 3);
  system.rows.erase(system.rows.begin() + 1);
  EXPECT_THAT(broken(system.audit()), ElementsAre(Promise::nothing_lost));
}

TEST(Promise4, ARowThatComesFromNoRequest) {
  FakeSystem system(5, 3);
  system.row_only(coupon(4));
  EXPECT_THAT(broken(system.audit()), ElementsAre(Promise::numbers));
}

TEST(Promise4, ANumberGivenToTwo) {
  FakeSystem system(5, 3);
  auto second = coupon(4);
  second.sequence = 3;
  system.give(second);
  EXPECT_THAT(broken(system.audit()), ElementsAre(Promise::numbers));
}

TEST(Promise4, ACodeGivenToTwo) {
  FakeSystem system(5, 3);
  auto second = coupon(4);
  second.code = code(1);
  system.give(second);
  EXPECT_THAT(broken(system.audit()), ElementsAre(Promise::numbers));
}

TEST(Promise4, AMissingNumberWhenQuiet) {
  FakeSystem system(5, 3);
  system.give(coupon(5));
  const auto report = system.audit();
  EXPECT_THAT(broken(report), ElementsAre(Promise::numbers));
  EXPECT_THAT(to_text(*report),
              testing::HasSubstr("number 4 is missing, and the ledger does not know of it"));
}

TEST(Promise5, SoldOutWasSaidWithCouponsLeft) {
  FakeSystem system(5, 5);
  system.refuse(4'000, 4'999);
  EXPECT_THAT(broken(system.audit()), ElementsAre(Promise::sold_out));
}

TEST(Promise5, SoldOutWasSaidOfACampaignThatNeverWas) {
  FakeSystem system(5, 4);
  system.refuse(90'000, 91'000);
  EXPECT_THAT(broken(system.audit()), ElementsAre(Promise::sold_out));
}

TEST(Promise5, TheMomentOfTheLastCouponIsSoldOut) {
  FakeSystem system(5, 5);
  system.refuse(4'000, 5'000);
  EXPECT_THAT(broken(system.audit()), IsEmpty());
}

TEST(Promise5, ARefusalForAnotherReasonIsNotItsBusiness) {
  FakeSystem system(5, 4);
  system.refuse(1'000, 2'000);
  system.acks.back().problem = "ended";
  EXPECT_THAT(broken(system.audit()), IsEmpty());
}

TEST(Promise5, ARefusalWithoutAReasonIsNotJudgedOfACampaignThatMayHaveEnded) {
  FakeSystem system(5, 4);
  system.refuse(1'000, 2'000);
  system.acks.back().problem.clear();
  EXPECT_THAT(broken(system.audit()), ElementsAre(Promise::sold_out));
  std::get<CampaignChanged>(system.log.records[0].event).definition.ends_at = at(1'500);
  EXPECT_THAT(broken(system.audit()), IsEmpty());
}

TEST(Promise6, AnEventThatTheLedgerDoesNotHave) {
  FakeSystem system(5, 3);
  system.holders.erase(system.holders.begin());
  EXPECT_THAT(broken(system.audit()), ElementsAre(Promise::agreement));
}

TEST(Promise6, AHolderThatTheLogDoesNotHave) {
  FakeSystem system(5, 3);
  system.holder_only(coupon(4));
  EXPECT_THAT(broken(system.audit()), ElementsAre(Promise::agreement));
}

TEST(Promise6, AHolderWithAnotherTimeThanTheLog) {
  FakeSystem system(5, 3);
  system.holders[1].coupon.decided_at += Duration(1);
  EXPECT_THAT(broken(system.audit()), ElementsAre(Promise::agreement));
}

TEST(Promise6, AnEventWithoutARowThatNobodyWasToldOf) {
  FakeSystem system(5, 3);
  system.log_only(coupon(4));
  system.holder_only(coupon(4));
  EXPECT_THAT(broken(system.audit()), ElementsAre(Promise::agreement));
}

TEST(Promise6, ARowWithAnotherTimeThanTheLog) {
  FakeSystem system(5, 3);
  system.rows[1].coupon.decided_at += Duration(1);
  EXPECT_THAT(broken(system.audit()), ElementsAre(Promise::agreement));
}

TEST(Promise6, ARecordThatTheWorkerPutAside) {
  FakeSystem system(5, 3);
  system.letters.push_back({4, "conflict: another code", "{}"});
  EXPECT_THAT(broken(system.audit()), ElementsAre(Promise::agreement));
}

TEST(Promise7, ALaterNumberDecidedEarlier) {
  FakeSystem system(5, 2);
  auto early = coupon(3);
  early.decided_at = at(1'500);
  system.give(early);
  EXPECT_THAT(broken(system.audit()), ElementsAre(Promise::order));
}

TEST(Promise7, ARequestSentAfterAnAnswerHasTheLowerNumber) {
  FakeSystem system(5, 2);
  std::swap(system.acks[0].sent_at, system.acks[1].sent_at);
  std::swap(system.acks[0].received_at, system.acks[1].received_at);
  EXPECT_THAT(broken(system.audit(true)), ElementsAre(Promise::order));
}

}  // namespace
}  // namespace doorbuster::audit::test
