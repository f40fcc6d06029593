#include "proto/event/event_codec.hpp"

#include <gtest/gtest.h>

namespace doorbuster::event {
namespace {

using namespace std::chrono_literals;

const Timestamp kNine = parse_timestamp("2026-11-25T09:00:00.123456Z").value();

CouponIssued coupon() {
  CouponIssued event;
  event.campaign = CampaignId::parse("sale").value();
  event.epoch = 2;
  event.revision = 3;
  event.coupon = {UserId::from_integer(123), 17, CouponCode::parse("0123456789ABCDEF").value(), kNine};
  event.instance = InstanceName("api-1");
  return event;
}

CampaignChanged definition() {
  CampaignChanged event;
  event.definition.id = CampaignId::parse("sale").value();
  event.definition.name = "Sale";
  event.definition.limit = 100;
  event.definition.created_at = kNine;
  return event;
}

/// `text` with the first `from` replaced by `to`.
std::string with(std::string text, std::string_view from, std::string_view to) {
  const auto at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return text.replace(at, from.size(), to);
}

std::string fault(std::string_view text) {
  const auto result = from_json(text);
  if (result) return "none";
  return std::string(traits(result.error().code).slug) + " " + result.error().field;
}

TEST(EventJson, HasTheNamesOfTheFormat) {
  EXPECT_EQ(
      to_json(coupon()),
      R"({"v":1,"type":"issued","campaign_id":"sale","epoch":2,"revision":3,"sequence":17,"user_id":"123",)"
      R"("code":"0123456789ABCDEF","decided_at":"2026-11-25T09:00:00.123456Z","instance":"api-1"})");
  EXPECT_EQ(to_json(definition()),
            R"({"v":1,"type":"campaign","campaign_id":"sale","name":"Sale","limit":100,"status":"open",)"
            R"("strategy":"atomic","durability":"log","revision":1,"epoch":1,)"
            R"("created_at":"2026-11-25T09:00:00.123456Z"})");
}

TEST(EventJson, CouponsComeBackAsTheyWere) {
  auto event = coupon();
  EXPECT_EQ(from_json(to_json(event)).value(), Event(event));
  event.refilled = true;
  event.coupon.user = UserId::parse("ann@example.org").value();
  event.coupon.sequence = ~std::uint64_t{0};
  event.epoch = ~std::uint32_t{0};
  event.instance = {};
  EXPECT_NE(to_json(event).find(R"("refilled":true)"), std::string::npos);
  EXPECT_EQ(from_json(to_json(event)).value(), Event(event));
}

TEST(EventJson, DefinitionsComeBackAsTheyWere) {
  auto event = definition();
  event.definition.name = "a \"quote\", a \\, a \n and \x01, \xec\xbf\xa0\xed\x8f\xb0";
  event.definition.limit = kLargestLimit;
  event.definition.starts_at = kNine;
  event.definition.ends_at = kNine + 1h;
  event.definition.status = CampaignStatus::paused;
  event.definition.strategy = Strategy::fair_lock;
  event.definition.durability = Durability::ledger;
  event.definition.revision = 9;
  event.definition.epoch = 4;
  EXPECT_EQ(from_json(to_json(event)).value(), Event(event));
}

TEST(EventJson, FieldsOfLaterWritersArePassedOver) {
  EXPECT_EQ(from_json(with(to_json(coupon()), "{", R"({"ticket":"t-1","more":[1,{"a":2}],)")).value(),
            Event(coupon()));
}

TEST(EventJson, LaterVersionsAreUnsupported) {
  EXPECT_EQ(fault(with(to_json(coupon()), "\"v\":1", "\"v\":2")), "unsupported v");
  EXPECT_EQ(fault(R"({"v":99})"), "unsupported v") << "whatever else it has";
  EXPECT_EQ(fault(with(to_json(coupon()), "\"v\":1", "\"v\":0")), "invalid v");
  EXPECT_EQ(fault(with(to_json(coupon()), "\"v\":1", "\"v\":\"1\"")), "invalid v");
}

TEST(EventJson, MissingFieldsAreNamed) {
  for (const char* name : {"v", "type", "campaign_id", "epoch", "revision", "sequence", "user_id", "code",
                           "decided_at", "instance"}) {
    const auto renamed = with(to_json(coupon()), "\"" + std::string(name) + "\":", "\"other\":");
    EXPECT_EQ(fault(renamed), "invalid " + std::string(name));
  }
  for (const char* name : {"campaign_id", "name", "limit", "status", "strategy", "durability", "revision",
                           "epoch", "created_at"}) {
    const auto renamed = with(to_json(definition()), "\"" + std::string(name) + "\":", "\"other\":");
    EXPECT_EQ(fault(renamed), "invalid " + std::string(name));
  }
}

TEST(EventJson, WrongTypesAndValuesAreNamed) {
  const std::string good = to_json(coupon());
  EXPECT_EQ(fault(with(good, "\"sale\"", "7")), "invalid campaign_id");
  EXPECT_EQ(fault(with(good, "\"sale\"", "\"SALE\"")), "invalid campaign_id");
  EXPECT_EQ(fault(with(good, "\"epoch\":2", "\"epoch\":4294967296")), "invalid epoch");
  EXPECT_EQ(fault(with(good, "\"epoch\":2", "\"epoch\":-2")), "invalid epoch");
  EXPECT_EQ(fault(with(good, "\"sequence\":17", "\"sequence\":17.5")), "invalid sequence");
  EXPECT_EQ(fault(with(good, "\"sequence\":17", "\"sequence\":0")), "invalid sequence");
  EXPECT_EQ(fault(with(good, "\"sequence\":17", "\"sequence\":null")), "invalid sequence");
  EXPECT_EQ(fault(with(good, "\"user_id\":\"123\"", "\"user_id\":\"\"")), "invalid user_id");
  EXPECT_EQ(fault(with(good, "0123456789ABCDEF", "0123")), "invalid code");
  EXPECT_EQ(fault(with(good, "2026-11", "2026-13")), "invalid decided_at");
  EXPECT_EQ(fault(with(good, "api-1", std::string(32, 'x'))), "invalid instance");
  EXPECT_EQ(fault(with(good, "\"sequence\"", "\"refilled\":1,\"sequence\"")), "invalid refilled");
  EXPECT_EQ(fault(with(good, "\"issued\"", "\"cancelled\"")), "invalid type");
  const std::string campaign = to_json(definition());
  EXPECT_EQ(fault(with(campaign, "\"atomic\"", "\"fast\"")), "invalid strategy");
  EXPECT_EQ(fault(with(campaign, "\"limit\":100", "\"limit\":1000000001")), "invalid limit");
  EXPECT_EQ(fault(with(campaign, "\"Sale\"", "\"\"")), "invalid name");
  EXPECT_EQ(fault(with(campaign, "\"status\"", "\"ends_at\":5,\"status\"")), "invalid ends_at");
}

TEST(EventJson, WhatIsNoJsonIsMalformedAtAnOffset) {
  for (const char* text : {"", " ", "{", "[]", "7", "{} {}", "{\"v\":1,}", "nonsense", "{\"v\":1}}"}) {
    EXPECT_EQ(fault(text).substr(0, 9), "malformed") << text;
  }
  EXPECT_NE(from_json("{\"v\":1,}").error().detail.find("offset 7"), std::string::npos)
      << from_json("{\"v\":1,}").error().detail;
  EXPECT_EQ(fault(std::string(100, '[') + std::string(100, ']')).substr(0, 9), "malformed");
}

}  // namespace
}  // namespace doorbuster::event
