#include "loadlab/verdict.hpp"

#include <gtest/gtest.h>

namespace doorbuster::loadlab {
namespace {

using std::chrono::seconds;

Moment at(std::int64_t micros) {
  return Moment(Duration(micros));
}

Sighting sighting(std::uint64_t user, std::string_view code, std::uint64_t sequence, std::int64_t sent,
                  std::int64_t received, int status = 201) {
  Sighting made;
  made.user = user;
  made.code = CodeText(code);
  made.sequence = sequence;
  made.sent = at(sent);
  made.received = at(received);
  made.created = status == 201;
  made.measured = true;
  return made;
}

const Window kWindow{at(0), at(10'000'000)};

/// A tally as the generator leaves it: counted by status alone.
Tally tally_of(std::vector<Sighting> sightings) {
  Tally tally;
  for (const auto& seen : sightings) {
    ReplyFacts facts;
    facts.outcome = seen.created ? Outcome::issued : Outcome::already;
    tally.reply(kWindow, seen.sent, seen.received, facts);
  }
  tally.sightings = std::move(sightings);
  return tally;
}

std::uint64_t outcome(const Tally& tally, Outcome which) {
  return tally.outcomes[static_cast<std::size_t>(which)];
}

TEST(Verdict, FindsNothingWrongWithSoundReplies) {
  auto tally =
      tally_of({sighting(1, "A", 1, 0, 10), sighting(2, "B", 2, 5, 15), sighting(1, "A", 1, 20, 30, 200)});
  const auto verdict = judge(tally, kWindow);
  EXPECT_FALSE(verdict.broken());
  EXPECT_EQ(verdict.issued, 2U);
  EXPECT_EQ(verdict.already, 1U);
  EXPECT_TRUE(verdict.examples.empty());
}

TEST(Verdict, CountsAWinnerWhoseFirstReplyWasLostAsIssued) {
  auto tally = tally_of({sighting(1, "A", 1, 0, 10, 200), sighting(1, "A", 1, 2'000'000, 2'500'000, 200)});
  const auto verdict = judge(tally, kWindow);
  EXPECT_EQ(verdict.issued, 1U);
  EXPECT_EQ(outcome(tally, Outcome::issued), 1U);
  EXPECT_EQ(outcome(tally, Outcome::already), 1U);
  EXPECT_EQ(tally.seconds[0].outcomes[static_cast<std::size_t>(Outcome::issued)], 1U);
  EXPECT_EQ(tally.seconds[2].outcomes[static_cast<std::size_t>(Outcome::already)], 1U);
}

TEST(Verdict, CountsA201ForAKnownCouponAsAlready) {
  auto tally = tally_of({sighting(1, "A", 1, 0, 10), sighting(1, "A", 1, 20, 30)});
  EXPECT_EQ(judge(tally, kWindow).issued, 1U);
  EXPECT_EQ(outcome(tally, Outcome::issued), 1U);
  EXPECT_EQ(outcome(tally, Outcome::already), 1U);
}

TEST(Verdict, CountsAWarmUpSightingAsTheFirst) {
  auto first = sighting(1, "A", 1, 0, 10);
  first.measured = false;
  auto tally = tally_of({sighting(1, "A", 1, 20, 30, 200)});
  tally.sightings.push_back(first);
  EXPECT_EQ(judge(tally, kWindow).issued, 0U);
  EXPECT_EQ(outcome(tally, Outcome::already), 1U);
}

TEST(Verdict, FindsAUserWithTwoCodes) {
  auto tally = tally_of({sighting(1, "A", 1, 0, 10), sighting(1, "B", 2, 0, 10), sighting(1, "C", 3, 0, 10)});
  const auto verdict = judge(tally, kWindow);
  EXPECT_EQ(verdict.users_with_two_codes, 1U);
  EXPECT_TRUE(verdict.broken());
  ASSERT_FALSE(verdict.examples.empty());
  EXPECT_EQ(verdict.examples.front(), "user 1 was given A and B");
}

TEST(Verdict, FindsACodeWithTwoUsers) {
  auto tally =
      tally_of({sighting(1, "A", 1, 0, 10), sighting(2, "A", 2, 0, 10), sighting(1, "A", 1, 0, 10, 200)});
  const auto verdict = judge(tally, kWindow);
  EXPECT_EQ(verdict.codes_with_two_users, 1U);
  EXPECT_EQ(verdict.users_with_two_codes, 0U);
  EXPECT_TRUE(verdict.broken());
}

TEST(Verdict, FindsANumberUsedTwiceButNotARepeatedReply) {
  auto tally = tally_of({sighting(1, "A", 5, 0, 10), sighting(2, "B", 5, 0, 10), sighting(3, "C", 6, 0, 10),
                         sighting(3, "C", 6, 20, 30, 200)});
  EXPECT_EQ(judge(tally, kWindow).sequences_used_twice, 1U);
}

TEST(Verdict, IgnoresRepliesWithoutANumber) {
  auto tally = tally_of({sighting(1, "A", 0, 0, 10), sighting(2, "B", 0, 20, 30)});
  const auto verdict = judge(tally, kWindow);
  EXPECT_FALSE(verdict.broken());
  EXPECT_EQ(verdict.order_inversions, 0U);
}

TEST(Verdict, ReportsACouponOfAnotherUser) {
  Tally tally;
  tally.wrong_users = 1;
  EXPECT_TRUE(judge(tally, kWindow).broken());
}

TEST(Verdict, FindsANumberOverTheLimit) {
  auto tally = tally_of({sighting(1, "A", 3, 0, 10), sighting(2, "B", 4, 0, 10)});
  auto verdict = judge(tally, kWindow);
  check_limit(tally, 4, verdict);
  EXPECT_FALSE(verdict.broken());
  check_limit(tally, 3, verdict);
  EXPECT_EQ(verdict.above_limit, 1U);
  EXPECT_TRUE(verdict.broken());
  EXPECT_EQ(verdict.examples.back(), "user 2 was given number 4, but the limit is 3");
}

TEST(OrderInversions, AreNoneWhereNumbersFollowArrival) {
  EXPECT_EQ(count_order_inversions({}), 0U);
  EXPECT_EQ(count_order_inversions({sighting(1, "A", 1, 0, 10), sighting(2, "B", 2, 20, 30)}), 0U);
}

TEST(OrderInversions, CountARequestAnsweredBeforeOneWithALowerNumberWasSent) {
  EXPECT_EQ(count_order_inversions({sighting(1, "A", 2, 0, 10), sighting(2, "B", 1, 20, 30)}), 1U);
}

TEST(OrderInversions, ProveNothingWhereRequestsOverlap) {
  EXPECT_EQ(count_order_inversions({sighting(1, "A", 2, 0, 20), sighting(2, "B", 1, 10, 30)}), 0U);
  EXPECT_EQ(count_order_inversions({sighting(1, "A", 2, 0, 20), sighting(2, "B", 1, 20, 30)}), 0U);
}

TEST(OrderInversions, CountEveryPair) {
  // 9 stands before 1, 2 and 3; 3 stands before 2: four pairs.
  EXPECT_EQ(count_order_inversions({sighting(1, "A", 9, 0, 10), sighting(2, "B", 1, 20, 30),
                                    sighting(3, "C", 3, 40, 50), sighting(4, "D", 2, 60, 70)}),
            4U);
}

TEST(OrderInversions, LeaveOutRepliesWhoseNumberIsOlderThanTheRequest) {
  EXPECT_EQ(count_order_inversions({sighting(1, "A", 2, 0, 10), sighting(2, "B", 1, 20, 30, 200)}), 0U);
}

TEST(OrderInversions, AgreeWithTheDefinitionWordForWord) {
  std::vector<Sighting> all;
  std::uint64_t state = 7;
  const auto random = [&state](std::uint64_t bound) {
    state = state * 6364136223846793005ULL + 1442695040888963407ULL;
    return (state >> 33) % bound;
  };
  for (std::uint64_t i = 0; i < 200; ++i) {
    const auto sent = static_cast<std::int64_t>(random(1000));
    all.push_back(sighting(i, "A", random(150) + 1, sent, sent + static_cast<std::int64_t>(random(100))));
  }
  std::uint64_t expected = 0;
  for (const auto& a : all) {
    for (const auto& b : all) expected += a.received < b.sent && b.sequence < a.sequence ? 1 : 0;
  }
  EXPECT_GT(expected, 0U);
  EXPECT_EQ(count_order_inversions(all), expected);
}

}  // namespace
}  // namespace doorbuster::loadlab
