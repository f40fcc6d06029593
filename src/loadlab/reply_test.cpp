#include "loadlab/reply.hpp"

#include <gtest/gtest.h>

#include <set>
#include <string>

namespace doorbuster::loadlab {
namespace {

std::string problem(const std::string& slug) {
  return R"({"type":"/problems/)" + slug + R"(","title":"x","status":410})";
}

TEST(Reply, ReadsACoupon) {
  const auto facts = read_reply(
      201, R"({"code":"0123456789ABCDEF","campaign_id":"c","user_id":"17","sequence":42,"durable":"log"})");
  EXPECT_EQ(facts.outcome, Outcome::issued);
  EXPECT_FALSE(facts.error);
  EXPECT_EQ(facts.code, "0123456789ABCDEF");
  EXPECT_EQ(facts.sequence, 42U);
  EXPECT_EQ(facts.user, "17");
}

TEST(Reply, ToleratesSpacesAndAUserThatIsANumber) {
  const auto facts = read_reply(200, R"({ "sequence": 7, "user_id": 12, "code": "AB" })");
  EXPECT_EQ(facts.outcome, Outcome::already);
  EXPECT_EQ(facts.code, "AB");
  EXPECT_EQ(facts.sequence, 7U);
  EXPECT_EQ(facts.user, "12");
}

TEST(Reply, WithoutACouponIsJustAnswered) {
  for (const auto* body : {"", "ok", R"({"code":17})", R"({"code":"cut)"}) {
    const auto facts = read_reply(200, body);
    EXPECT_EQ(facts.outcome, Outcome::answered) << body;
    EXPECT_FALSE(facts.error);
    EXPECT_EQ(facts.code, "");
  }
}

TEST(Reply, TellsTheRefusalsOfACampaignApart) {
  EXPECT_EQ(read_reply(410, problem("sold-out")).outcome, Outcome::sold_out);
  EXPECT_EQ(read_reply(410, problem("ended")).outcome, Outcome::ended);
  EXPECT_EQ(read_reply(409, problem("not-started")).outcome, Outcome::not_started);
  EXPECT_EQ(read_reply(409, problem("paused")).outcome, Outcome::paused);
  EXPECT_FALSE(read_reply(410, problem("sold-out")).error);
  EXPECT_EQ(read_reply(410, "gone").outcome, Outcome::unexpected);
  EXPECT_EQ(read_reply(410, "gone").error, ErrorKind::http_4xx);
}

TEST(Reply, CountsOtherStatusesAsErrors) {
  EXPECT_EQ(read_reply(503, "").outcome, Outcome::unavailable);
  EXPECT_EQ(read_reply(503, "").error, ErrorKind::http_503);
  EXPECT_EQ(read_reply(429, "").error, ErrorKind::http_429);
  EXPECT_EQ(read_reply(404, "").outcome, Outcome::not_found);
  EXPECT_EQ(read_reply(403, "").outcome, Outcome::denied);
  EXPECT_EQ(read_reply(500, "").error, ErrorKind::http_5xx);
  EXPECT_EQ(read_reply(422, "").error, ErrorKind::http_4xx);
  EXPECT_EQ(read_reply(301, "").error, ErrorKind::http_other);
  EXPECT_EQ(read_reply(202, "").outcome, Outcome::accepted);
  EXPECT_EQ(read_reply(204, "").outcome, Outcome::answered);
}

TEST(Reply, HasANameOfItsOwnForEveryOutcomeAndError) {
  std::set<std::string_view> names;
  for (std::size_t i = 0; i < kOutcomes; ++i) names.insert(to_text(static_cast<Outcome>(i)));
  EXPECT_EQ(names.size(), kOutcomes);
  EXPECT_EQ(to_text(Outcome::unexpected), "unexpected");
  names.clear();
  for (std::size_t i = 0; i < kErrorKinds; ++i) names.insert(to_text(static_cast<ErrorKind>(i)));
  EXPECT_EQ(names.size(), kErrorKinds);
  EXPECT_EQ(to_text(ErrorKind::interrupted), "interrupted");
}

TEST(Reply, GivesBackTheReasonThatARefusalCameWith) {
  for (const auto* slug : {"sold-out", "ended", "not-started", "paused"}) {
    const auto facts = read_reply(410, "{\"type\":\"/problems/" + std::string(slug) + "\"}");
    EXPECT_EQ(problem_slug(facts.outcome), slug);
  }
  EXPECT_EQ(problem_slug(Outcome::issued), "");
}

TEST(Outcome, IsReadAsTheAnswerThatItStandsFor) {
  EXPECT_TRUE(read_outcome(R"({"request_id":"R","state":"pending"})")->pending);
  const auto issued = read_outcome(
      R"({"request_id":"R","user_id":"7","state":"issued","coupon":{"code":"C1","user_id":"7","sequence":3}})");
  EXPECT_EQ(issued->status, 201);
  EXPECT_EQ(issued->facts.outcome, Outcome::issued);
  EXPECT_EQ(issued->facts.code, "C1");
  EXPECT_EQ(issued->facts.sequence, 3U);
  EXPECT_EQ(issued->facts.user, "7");
  EXPECT_EQ(read_outcome(R"({"state":"already_issued","coupon":{"code":"C1"}})")->status, 200);
  const std::pair<const char*, std::pair<int, Outcome>> others[] = {
      {"sold_out", {410, Outcome::sold_out}},          {"ended", {410, Outcome::ended}},
      {"not_started", {409, Outcome::not_started}},    {"paused", {409, Outcome::paused}},
      {"unknown_campaign", {404, Outcome::not_found}}, {"failed", {503, Outcome::unavailable}}};
  for (const auto& [state, means] : others) {
    const auto read = read_outcome(std::string(R"({"state":")") + state + "\"}");
    ASSERT_TRUE(read) << state;
    EXPECT_FALSE(read->pending);
    EXPECT_EQ(std::pair(read->status, read->facts.outcome), means) << state;
  }
  EXPECT_FALSE(read_outcome(R"({"state":"lost"})"));
  EXPECT_FALSE(read_outcome("{}"));
}

TEST(RetryAfter, IsReadInSecondsUpToAnHour) {
  EXPECT_EQ(retry_after_seconds("2"), 2U);
  EXPECT_EQ(retry_after_seconds("99999"), 3600U);
  EXPECT_FALSE(retry_after_seconds(""));
  EXPECT_FALSE(retry_after_seconds("Wed, 25 Nov 2026 09:00:00 GMT"));
}

}  // namespace
}  // namespace doorbuster::loadlab
