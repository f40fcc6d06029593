#include "core/issuing/campaign_ledger.hpp"

#include <gtest/gtest.h>

#include <map>
#include <set>

namespace doorbuster {
namespace {

using namespace std::chrono_literals;

const Timestamp kNoon{std::chrono::hours{24 * 365 * 56 + 12}};

CampaignDefinition sale(std::uint64_t limit) {
  CampaignDefinition definition;
  definition.id = CampaignId::parse("sale").value();
  definition.name = "Sale";
  definition.limit = limit;
  return definition;
}

class CampaignLedgerTest : public testing::Test {
 protected:
  Decision ask(CampaignLedger& ledger, std::uint64_t user, Timestamp now = kNoon) {
    return ledger.decide(UserId::from_integer(user), now, random_);
  }
  Decision ask_safe(CampaignLedger& ledger, std::uint64_t user, Timestamp now = kNoon) {
    const Decision decision = ask(ledger, user, now);
    ledger.confirm(decision.coupon.sequence);
    return decision;
  }
  static CouponIssued event(std::uint64_t user, std::uint64_t sequence) {
    CouponIssued issued;
    issued.campaign = sale(1).id;
    issued.coupon.user = UserId::from_integer(user);
    issued.coupon.sequence = sequence;
    issued.coupon.code = CouponCode({1, 2, 3, static_cast<std::uint8_t>(sequence)});
    issued.coupon.decided_at = kNoon;
    return issued;
  }
  SeededRandom random_{1};
};

TEST_F(CampaignLedgerTest, GivesNumbersInOrderOfDecisionAndDifferentCodes) {
  CampaignLedger ledger(sale(10));
  std::set<CouponCode> codes;
  for (std::uint64_t i = 1; i <= 10; ++i) {
    const Decision decision = ask(ledger, 100 + i, kNoon + Duration{i});
    EXPECT_EQ(decision.outcome, Outcome::issued);
    EXPECT_TRUE(decision.pending);
    EXPECT_FALSE(decision.refilled);
    EXPECT_EQ(decision.epoch, 1U);
    EXPECT_EQ(decision.revision, 1U);
    EXPECT_EQ(decision.coupon.sequence, i);
    EXPECT_EQ(decision.coupon.user, UserId::from_integer(100 + i));
    EXPECT_EQ(decision.coupon.decided_at, kNoon + Duration{i});
    codes.insert(decision.coupon.code);
  }
  EXPECT_EQ(codes.size(), 10U);
}

TEST_F(CampaignLedgerTest, AHolderWhoAsksAgainGetsTheSameCoupon) {
  CampaignLedger ledger(sale(10));
  const Decision first = ask(ledger, 7);
  const Decision second = ask(ledger, 7, kNoon + 1h);
  EXPECT_EQ(second.outcome, Outcome::already_issued);
  EXPECT_TRUE(second.pending);
  EXPECT_EQ(second.coupon, first.coupon);
  ledger.confirm(1);
  EXPECT_FALSE(ask(ledger, 7).pending);
  EXPECT_EQ(ask(ledger, 7).coupon, first.coupon);
  EXPECT_EQ(ledger.issued(), 1U);
}

TEST_F(CampaignLedgerTest, NeverIssuesMoreThanTheLimit) {
  CampaignLedger ledger(sale(3));
  for (std::uint64_t user = 1; user <= 3; ++user) EXPECT_EQ(ask_safe(ledger, user).outcome, Outcome::issued);
  for (std::uint64_t user = 4; user <= 9; ++user) {
    const Decision decision = ask(ledger, user);
    EXPECT_EQ(decision.outcome, Outcome::sold_out);
    EXPECT_FALSE(decision.pending);
  }
  EXPECT_EQ(ledger.issued(), 3U);
  EXPECT_EQ(ledger.durable(), 3U);
}

TEST_F(CampaignLedgerTest, SoldOutIsNotFinalWhileTheLastArePending) {
  CampaignLedger ledger(sale(2));
  ask_safe(ledger, 1);
  ask(ledger, 2);
  EXPECT_EQ(ask(ledger, 3).outcome, Outcome::sold_out);
  EXPECT_TRUE(ask(ledger, 3).pending);
  ledger.confirm(2);
  EXPECT_FALSE(ask(ledger, 3).pending);
}

TEST_F(CampaignLedgerTest, ChecksTheHolderFirstThenTheHoldThenStateThenLimit) {
  CampaignDefinition definition = sale(1);
  definition.ends_at = kNoon + 1h;
  CampaignLedger ledger(definition);
  ask_safe(ledger, 1);
  EXPECT_EQ(ask(ledger, 2, kNoon + 2h).outcome, Outcome::ended) << "rather than sold out";
  EXPECT_EQ(ask(ledger, 1, kNoon + 2h).outcome, Outcome::already_issued);
  ASSERT_TRUE(ledger.begin_change({.status = CampaignStatus::paused}).has_value());
  EXPECT_EQ(ask(ledger, 2, kNoon + 2h).outcome, Outcome::held) << "rather than ended";
  EXPECT_EQ(ask(ledger, 1).outcome, Outcome::already_issued);
}

TEST_F(CampaignLedgerTest, WindowAndStatusDecide) {
  CampaignDefinition definition = sale(5);
  definition.starts_at = kNoon;
  definition.ends_at = kNoon + 1h;
  CampaignLedger ledger(definition);
  EXPECT_EQ(ask(ledger, 1, kNoon - 1us).outcome, Outcome::not_started);
  EXPECT_EQ(ask(ledger, 1, kNoon).outcome, Outcome::issued);
  EXPECT_EQ(ask(ledger, 2, kNoon + 1h).outcome, Outcome::ended);
  const auto paused = ledger.begin_change({.status = CampaignStatus::paused});
  ASSERT_TRUE(paused.has_value());
  ledger.end_change(*paused);
  EXPECT_EQ(ask(ledger, 2, kNoon).outcome, Outcome::paused);
}

TEST_F(CampaignLedgerTest, ChangesHoldDecisionsUntilTheyEnd) {
  CampaignLedger ledger(sale(2));
  ask(ledger, 1);
  const auto next = ledger.begin_change({.limit = 1});
  ASSERT_TRUE(next.has_value());
  EXPECT_TRUE(ledger.changing());
  EXPECT_EQ(ask(ledger, 2).outcome, Outcome::held);
  const auto another = ledger.begin_change({.limit = 5});
  ASSERT_FALSE(another.has_value());
  EXPECT_EQ(another.error().code, ErrorCode::conflict);
  ledger.end_change(*next);
  EXPECT_FALSE(ledger.changing());
  EXPECT_EQ(ask(ledger, 2).outcome, Outcome::sold_out);
  EXPECT_EQ(ask(ledger, 2).revision, 2U);
  EXPECT_EQ(ask(ledger, 1).revision, 1U) << "the revision under which the coupon was decided";
}

TEST_F(CampaignLedgerTest, AChangeThatWasNotWrittenLeavesEverythingAsItWas) {
  CampaignLedger ledger(sale(2));
  const CampaignDefinition old = ledger.definition();
  ASSERT_TRUE(ledger.begin_change({.limit = 1}).has_value());
  ledger.end_change(old);
  EXPECT_EQ(ledger.definition(), old);
  EXPECT_EQ(ask(ledger, 1).outcome, Outcome::issued);
}

TEST_F(CampaignLedgerTest, ADefinitionThatIsNotNewerEndsTheHoldAndNothingElse) {
  CampaignLedger ledger(sale(2));
  const CampaignDefinition old = ledger.definition();
  auto abandoned = ledger.begin_change({.limit = 1}).value();
  --abandoned.revision;
  ledger.end_change(abandoned);
  EXPECT_FALSE(ledger.changing());
  EXPECT_EQ(ledger.definition(), old);
}

TEST_F(CampaignLedgerTest, DefinitionsAreRestoredInTheOrderOfTheirRevisions) {
  CampaignLedger ledger(sale(5));
  for (std::uint64_t user = 1; user <= 3; ++user) ASSERT_TRUE(ledger.restore(event(user, user)).has_value());
  CampaignChanged third{sale(4)};
  third.definition.revision = 3;
  ASSERT_TRUE(ledger.restore(third).has_value());
  ASSERT_TRUE(ledger.restore(third).has_value()) << "the same event twice";
  ASSERT_TRUE(ledger.restore(CampaignChanged{sale(5)}).has_value()) << "an older one again";
  EXPECT_EQ(ledger.definition(), third.definition);
  auto same_revision = third;
  same_revision.definition.limit = 9;
  EXPECT_EQ(ledger.restore(same_revision).error().code, ErrorCode::corrupt);
  auto too_low = third;
  too_low.definition.limit = 2;
  too_low.definition.revision = 4;
  EXPECT_EQ(ledger.restore(too_low).error().code, ErrorCode::corrupt);
  auto other = third;
  other.definition.id = CampaignId::parse("other").value();
  EXPECT_EQ(ledger.restore(other).error().code, ErrorCode::corrupt);
  EXPECT_EQ(ledger.definition(), third.definition);
}

TEST_F(CampaignLedgerTest, ACouponThatIsNotInTheLogYetIsRestoredAsPending) {
  CampaignLedger ledger(sale(2));
  const Timestamp since{Duration{5}};
  ASSERT_TRUE(ledger.restore(event(1, 1), since).has_value());
  ASSERT_TRUE(ledger.restore(event(1, 1), since).has_value()) << "the same event twice";
  EXPECT_EQ(ledger.pending(), 1U);
  EXPECT_EQ(ledger.take_overdue(since + Duration{1}, since, 10).size(), 1U);
  ASSERT_TRUE(ledger.restore(event(1, 1)).has_value()) << "now the log has it";
  EXPECT_EQ(ledger.pending(), 0U);
  ASSERT_TRUE(ledger.restore(event(1, 1), since).has_value());
  EXPECT_EQ(ledger.pending(), 0U) << "what is safe stays safe";
}

TEST_F(CampaignLedgerTest, ARefusedChangeHoldsNothing) {
  CampaignLedger ledger(sale(2));
  ask(ledger, 1);
  ask(ledger, 2);
  const auto lower = ledger.begin_change({.limit = 1});
  ASSERT_FALSE(lower.has_value());
  EXPECT_EQ(lower.error().code, ErrorCode::conflict) << "pending coupons count";
  EXPECT_FALSE(ledger.changing());
}

TEST_F(CampaignLedgerTest, ConfirmingAgainOrUnknownNumbersHasNoEffect) {
  CampaignLedger ledger(sale(3));
  ask(ledger, 1);
  ask(ledger, 2);
  ledger.confirm(2);
  ledger.confirm(2);
  ledger.confirm(3);
  ledger.confirm(0);
  EXPECT_EQ(ledger.pending(), 1U);
  EXPECT_EQ(ledger.durable(), 1U);
  ledger.confirm(1);
  EXPECT_EQ(ledger.durable(), 2U);
}

TEST_F(CampaignLedgerTest, ShowsCountsAndState) {
  CampaignLedger ledger(sale(2));
  ask_safe(ledger, 1);
  ask(ledger, 2);
  const CampaignView view = ledger.view(kNoon);
  EXPECT_EQ(view.definition, ledger.definition());
  EXPECT_EQ(view.issued, 2U);
  EXPECT_EQ(view.durable, 1U);
  EXPECT_EQ(view.state, CampaignState::sold_out);
}

TEST_F(CampaignLedgerTest, ShowsTheMissingNumbersInAscendingOrder) {
  CampaignLedger ledger(sale(9));
  for (const std::uint64_t safe : {1, 3, 7}) ASSERT_TRUE(ledger.restore(event(safe, safe)).has_value());
  ledger.finish_restore();
  EXPECT_EQ(ledger.view(kNoon).missing, (std::vector<NumberRange>{{2, 2}, {4, 6}}));
  ask(ledger, 8);
  ask(ledger, 9);
  EXPECT_EQ(ledger.view(kNoon).missing, (std::vector<NumberRange>{{5, 6}}));
}

TEST_F(CampaignLedgerTest, FindsWithoutDeciding) {
  CampaignLedger ledger(sale(2));
  EXPECT_FALSE(ledger.find(UserId::from_integer(1)).has_value());
  const Decision decision = ask(ledger, 1);
  const auto found = ledger.find(UserId::from_integer(1));
  ASSERT_TRUE(found.has_value());
  EXPECT_EQ(found->outcome, Outcome::already_issued);
  EXPECT_EQ(found->coupon, decision.coupon);
  EXPECT_EQ(ledger.issued(), 1U);
}

TEST_F(CampaignLedgerTest, RestoredCouponsAreSafeAndNumbersGoOn) {
  CampaignLedger ledger(sale(4));
  ASSERT_TRUE(ledger.restore(event(12, 2)).has_value());
  ASSERT_TRUE(ledger.restore(event(11, 1)).has_value());
  ASSERT_TRUE(ledger.restore(event(12, 2)).has_value()) << "the same event twice";
  ledger.finish_restore();
  EXPECT_EQ(ledger.durable(), 2U);
  EXPECT_EQ(ask(ledger, 12).coupon, event(12, 2).coupon);
  const Decision next = ask(ledger, 13);
  EXPECT_EQ(next.coupon.sequence, 3U);
  EXPECT_FALSE(next.refilled);
}

TEST_F(CampaignLedgerTest, MissingNumbersAreGivenOutFirstAndMarked) {
  CampaignLedger ledger(sale(7));
  for (std::uint64_t sequence : {7U, 2U, 5U})
    ASSERT_TRUE(ledger.restore(event(sequence, sequence)).has_value());
  ledger.finish_restore();
  std::vector<std::uint64_t> numbers;
  for (std::uint64_t user = 100; user < 110; ++user) {
    const Decision decision = ask_safe(ledger, user);
    if (decision.outcome != Outcome::issued) continue;
    EXPECT_TRUE(decision.refilled);
    numbers.push_back(decision.coupon.sequence);
  }
  EXPECT_EQ(numbers, (std::vector<std::uint64_t>{1, 3, 4, 6})) << "7 in all, by count";
  EXPECT_TRUE(ask(ledger, 100).refilled);
}

TEST_F(CampaignLedgerTest, LimitIsByCountNotByHighestNumber) {
  CampaignLedger ledger(sale(2));
  ASSERT_TRUE(ledger.restore(event(9, 9)).has_value());
  ledger.finish_restore();
  EXPECT_EQ(ask_safe(ledger, 1).coupon.sequence, 1U);
  EXPECT_EQ(ask(ledger, 2).outcome, Outcome::sold_out);
}

TEST_F(CampaignLedgerTest, ContradictionsInTheLogAreCorrupt) {
  CampaignLedger ledger(sale(2));
  ASSERT_TRUE(ledger.restore(event(1, 1)).has_value());
  auto other_campaign = event(2, 2);
  other_campaign.campaign = CampaignId::parse("other").value();
  auto other_code = event(1, 1);
  other_code.coupon.code = CouponCode();
  auto other_revision = event(1, 1);
  other_revision.revision = 2;
  auto early = event(2, 2);
  early.coupon.decided_at = Timestamp{-1us};
  auto nobody = event(2, 2);
  nobody.coupon.user = {};
  for (const auto& wrong : {event(2, 1), event(1, 2), other_campaign, other_code, other_revision, early,
                            nobody, event(2, 0), event(2, HolderTable::kLargestSequence + 1)}) {
    const auto result = ledger.restore(wrong);
    ASSERT_FALSE(result.has_value());
    EXPECT_EQ(result.error().code, ErrorCode::corrupt);
    EXPECT_EQ(ledger.issued(), 1U);
  }
  ASSERT_TRUE(ledger.restore(event(2, 2)).has_value());
  EXPECT_FALSE(ledger.restore(event(3, 3)).has_value()) << "beyond the limit";
}

TEST_F(CampaignLedgerTest, OverdueCouponsComeOldestFirstAndWaitAnew) {
  CampaignLedger ledger(sale(10));
  for (std::uint64_t i = 0; i < 5; ++i) ask(ledger, i, kNoon + i * 1s);
  ledger.confirm(2);
  const auto numbers = [](const std::vector<CouponIssued>& events) {
    std::vector<std::uint64_t> found;
    for (const auto& event : events) found.push_back(event.coupon.sequence);
    return found;
  };
  using Numbers = std::vector<std::uint64_t>;
  const auto taken = ledger.take_overdue(kNoon + 3s, kNoon + 10s, 2);
  EXPECT_EQ(numbers(taken), (Numbers{1, 3}));
  EXPECT_EQ(taken[0].coupon, ask(ledger, 0).coupon);
  EXPECT_EQ(taken[0].campaign, ledger.definition().id);
  EXPECT_EQ(numbers(ledger.take_overdue(kNoon + 3s, kNoon + 10s, 9)), Numbers{});
  EXPECT_EQ(numbers(ledger.take_overdue(kNoon + 9s, kNoon + 11s, 9)), (Numbers{4, 5}));
  ledger.confirm(3);
  EXPECT_EQ(numbers(ledger.take_overdue(kNoon + 20s, kNoon + 21s, 9)), (Numbers{1, 4, 5}));
  EXPECT_EQ(numbers(ledger.take_overdue(kNoon + 30s, kNoon + 31s, 9)), (Numbers{1, 4, 5}));
}

TEST_F(CampaignLedgerTest, HoldersArePagedByNumber) {
  CampaignLedger ledger(sale(10));
  for (std::uint64_t user = 21; user <= 25; ++user) ask(ledger, user);
  ledger.confirm(4);
  const auto page = ledger.holders(2, 2);
  ASSERT_EQ(page.size(), 2U);
  EXPECT_EQ(page[0].coupon.sequence, 3U);
  EXPECT_TRUE(page[0].pending);
  EXPECT_EQ(page[1].coupon.user, UserId::from_integer(24));
  EXPECT_FALSE(page[1].pending);
  EXPECT_TRUE(ledger.holders(5, 2).empty());
  EXPECT_TRUE(ledger.holders(0, 0).empty());
}

TEST_F(CampaignLedgerTest, RandomTrafficKeepsTheInvariants) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    SeededRandom dice(seed);
    const std::uint64_t limit = 1 + dice.below(50);
    CampaignLedger ledger(sale(limit));
    std::map<std::uint64_t, Coupon> held;
    for (int step = 0; step < 500; ++step) {
      const std::uint64_t user = dice.below(80);
      const Decision decision = ask(ledger, user);
      if (decision.outcome == Outcome::issued) {
        ASSERT_TRUE(held.emplace(user, decision.coupon).second);
        ASSERT_EQ(decision.coupon.sequence, held.size());
      } else if (decision.outcome == Outcome::already_issued) {
        ASSERT_EQ(decision.coupon, held.at(user));
      } else {
        ASSERT_EQ(decision.outcome, Outcome::sold_out);
        ASSERT_EQ(held.size(), limit);
        ASSERT_EQ(decision.pending, ledger.durable() < limit);
      }
      ledger.confirm(dice.below(limit + 2));
      ASSERT_LE(ledger.issued(), limit);
      ASSERT_EQ(ledger.durable() + ledger.pending(), ledger.issued());
      ASSERT_EQ(ledger.issued(), held.size());
    }
  }
}

}  // namespace
}  // namespace doorbuster
