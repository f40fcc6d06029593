// What replies look like, byte by byte.

#include <gtest/gtest.h>

#include <set>

#include "services/api/campaign_json.hpp"
#include "services/api/coupon_json.hpp"
#include "services/api/json_object.hpp"
#include "services/api/json_text.hpp"
#include "services/api/problem.hpp"

namespace doorbuster::api {
namespace {

const Timestamp kTime = *parse_timestamp("2026-11-25T09:00:00.000001Z");

Coupon coupon_of(std::string_view user, std::uint64_t sequence) {
  return {*UserId::parse(user), sequence, *CouponCode::parse("0123456789ABCDEF"), kTime};
}

TEST(CouponJson, HasTheFieldsOfTheContract) {
  std::string out;
  append_coupon_json(out, *CampaignId::parse("sale"), coupon_of("123", 7), "log");
  EXPECT_EQ(out, R"({"code":"0123456789ABCDEF","campaign_id":"sale","user_id":"123","sequence":7,)"
                 R"("issued_at":"2026-11-25T09:00:00.000001Z","durable":"log"})");
}

TEST(CouponJson, ShowsARedemptionOnceThereIsOne) {
  StoredCoupon stored{*CampaignId::parse("sale"), coupon_of("a", 1), false, {}};
  std::string before, after;
  append_coupon_json(before, stored, "log");
  EXPECT_EQ(before.find("redeemed_at"), std::string::npos);
  stored.redeemed_at = kTime;
  append_coupon_json(after, stored, "log");
  EXPECT_EQ(after.substr(after.find(R"("durable")")),
            R"("durable":"log","redeemed_at":"2026-11-25T09:00:00.000001Z"})");
}

TEST(CouponCsv, LeavesTheRedemptionEmptyUntilThereIsOne) {
  StoredCoupon stored{*CampaignId::parse("sale"), coupon_of("a", 1), false, {}};
  std::string out;
  append_coupon_csv(out, stored);
  stored.redeemed_at = kTime;
  append_coupon_csv(out, stored);
  EXPECT_EQ(out,
            "1,0123456789ABCDEF,a,2026-11-25T09:00:00.000001Z,\n"
            "1,0123456789ABCDEF,a,2026-11-25T09:00:00.000001Z,2026-11-25T09:00:00.000001Z\n");
}

TEST(HolderLine, HasWhatTheAuditNeeds) {
  Decision holder;
  holder.coupon = coupon_of("a", 3);
  holder.pending = true;
  holder.epoch = 2;
  holder.revision = 4;
  std::string out;
  append_holder_line(out, holder);
  EXPECT_EQ(out, R"({"sequence":3,"user_id":"a","code":"0123456789ABCDEF",)"
                 R"("decided_at":"2026-11-25T09:00:00.000001Z","pending":true,"refilled":false,)"
                 R"("epoch":2,"revision":4})"
                 "\n");
}

TEST(CouponJson, ListsMissingNumbersAsRanges) {
  std::string out;
  append_missing_json(out, {});
  EXPECT_EQ(out, R"({"missing":[]})");
  out.clear();
  append_missing_json(out, {{2, 2}, {4, 6}});
  EXPECT_EQ(out, R"({"missing":[{"first":2,"last":2},{"first":4,"last":6}]})");
}

TEST(CouponJson, ShowsTheTimeOfEachCouponWhateverWasShownBefore) {
  Coupon coupon;
  coupon.user = *UserId::parse("alice");
  for (const auto time : {kTime, kTime + Duration(1), kTime, Timestamp{}}) {
    coupon.decided_at = time;
    std::string out;
    append_coupon_json(out, *CampaignId::parse("sale"), coupon, "log");
    EXPECT_NE(out.find("\"issued_at\":\"" + to_text(time) + "\""), std::string::npos) << out;
  }
}

TEST(JsonText, EscapesWhatMustBe) {
  std::string out;
  append_json_string(out, "a\"b\\c\n\x01\x7fü");
  EXPECT_EQ(out, "\"a\\\"b\\\\c\\n\\u0001\\u007fü\"");
  const auto object = JsonObject::parse("{\"x\":" + out + "}");
  ASSERT_TRUE(object);
  EXPECT_EQ(std::get<std::string>(*object->find("x")), "a\"b\\c\n\x01\x7fü");
}

TEST(CampaignJson, ShowsDefinitionAndCount) {
  CampaignView view;
  view.definition.id = *CampaignId::parse("sale");
  view.definition.name = "The \"Sale\"";
  view.definition.limit = 10;
  view.definition.starts_at = kTime;
  view.definition.created_at = kTime;
  view.issued = 4;
  std::string out;
  append_campaign_json(out, view);
  EXPECT_EQ(out, R"({"id":"sale","name":"The \"Sale\"","limit":10,"issued":4,"remaining":6,"state":"open",)"
                 R"("starts_at":"2026-11-25T09:00:00.000001Z","ends_at":null,"strategy":"atomic",)"
                 R"("durability":"log","revision":1,"epoch":1,"created_at":"2026-11-25T09:00:00.000001Z"})");
}

TEST(CampaignJson, ReadsACreation) {
  const auto read = parse_campaign(
      R"({"id":"sale","name":"S","limit":5,"starts_at":"2026-11-25T10:00:00.000001+01:00","ends_at":null,)"
      R"("strategy":"atomic","durability":"log"})");
  ASSERT_TRUE(read);
  EXPECT_EQ(read->id.text(), "sale");
  EXPECT_EQ(read->name, "S");
  EXPECT_EQ(read->limit, 5u);
  EXPECT_EQ(read->starts_at, kTime);
  EXPECT_EQ(read->ends_at, std::nullopt);
}

TEST(CampaignJson, ReadsAChangeAndTellsAbsentFromNull) {
  const auto read = parse_campaign_patch(R"({"limit":9,"ends_at":null,"state":"paused"})");
  ASSERT_TRUE(read);
  EXPECT_EQ(read->limit, 9u);
  EXPECT_EQ(read->status, CampaignStatus::paused);
  EXPECT_FALSE(read->starts_at.has_value());
  ASSERT_TRUE(read->ends_at.has_value());
  EXPECT_FALSE(read->ends_at->has_value());
  EXPECT_FALSE(read->name.has_value());
}

TEST(Problem, CarriesTypeTitleStatusDetailAndField) {
  const auto response = problem(make_error(ErrorCode::invalid, "limit is \"wrong\"", "limit"));
  EXPECT_EQ(response.status, 422);
  EXPECT_EQ(response.content_type, "application/problem+json");
  EXPECT_EQ(response.body, R"({"type":"/problems/invalid","title":"A value is not valid","status":422,)"
                           R"("detail":"limit is \"wrong\"","field":"limit"})");
  EXPECT_TRUE(response.headers.empty());
}

TEST(Problem, TellsWhenToAskAgain) {
  using Header = std::pair<std::string, std::string>;
  EXPECT_EQ(problem(make_error(ErrorCode::overloaded, "x")).headers,
            (std::vector<Header>{{"Retry-After", "1"}}));
  EXPECT_EQ(problem(make_error(ErrorCode::unauthorized, "x")).headers,
            (std::vector<Header>{{"WWW-Authenticate", "Bearer"}}));
  EXPECT_EQ(problem(Outcome::closed).headers, (std::vector<Header>{{"Retry-After", "1"}}));
  EXPECT_TRUE(problem(Outcome::sold_out).headers.empty());
}

TEST(Problem, HasOneRowForEachOutcomeWithTheStatusOfTheContract) {
  const std::pair<Outcome, int> expected[] = {{Outcome::issued, 201},      {Outcome::already_issued, 200},
                                              {Outcome::sold_out, 410},    {Outcome::ended, 410},
                                              {Outcome::not_started, 409}, {Outcome::paused, 409},
                                              {Outcome::held, 503},        {Outcome::unknown_campaign, 404},
                                              {Outcome::closed, 503},      {Outcome::unloaded, 503}};
  EXPECT_EQ(all_outcome_traits().size(), std::size(expected));
  for (const auto& [outcome, status] : expected) {
    EXPECT_EQ(traits(outcome).http_status, status) << to_text(outcome);
    if (status >= 300) {
      EXPECT_EQ(problem(outcome).status, status);
      EXPECT_NE(problem(outcome).body.find("/problems/" + std::string(traits(outcome).slug)),
                std::string::npos);
    }
  }
}

}  // namespace
}  // namespace doorbuster::api
