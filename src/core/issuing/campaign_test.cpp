#include "core/issuing/campaign.hpp"

#include <gtest/gtest.h>

#include "core/issuing/decision.hpp"

namespace doorbuster {
namespace {

using namespace std::chrono_literals;

const Timestamp kNoon{std::chrono::hours{24 * 365 * 50 + 12}};

CampaignDefinition sale() {
  CampaignDefinition definition;
  definition.id = CampaignId::parse("sale").value();
  definition.name = "Sale";
  definition.limit = 100;
  return definition;
}

std::string fault(const CampaignDefinition& definition) {
  const auto result = validate(definition);
  return result ? "" : result.error().field;
}

TEST(Campaign, TextsOfEnumsAreReadBack) {
  for (auto status : {CampaignStatus::open, CampaignStatus::paused, CampaignStatus::ended}) {
    EXPECT_EQ(parse_campaign_status(to_text(status)), status);
  }
  for (auto strategy : {Strategy::atomic, Strategy::set_incr, Strategy::async_queue, Strategy::lock,
                        Strategy::fair_lock, Strategy::db_lock}) {
    EXPECT_EQ(parse_strategy(to_text(strategy)), strategy);
  }
  for (auto durability : {Durability::log, Durability::ledger}) {
    EXPECT_EQ(parse_durability(to_text(durability)), durability);
  }
  EXPECT_EQ(to_text(Strategy::set_incr), "set-incr");
  EXPECT_EQ(to_text(CampaignState::sold_out), "sold_out");
  EXPECT_EQ(to_text(Outcome::already_issued), "already_issued");
  EXPECT_EQ(parse_campaign_status("sold_out"), std::nullopt);
  EXPECT_EQ(parse_strategy("set_incr"), std::nullopt);
}

TEST(Campaign, ValidatesEachFieldAndNamesIt) {
  EXPECT_EQ(fault(sale()), "");
  auto d = sale();
  d.id = {};
  EXPECT_EQ(fault(d), "id");
  d = sale();
  d.limit = 0;
  EXPECT_EQ(fault(d), "limit");
  d.limit = kLargestLimit;
  EXPECT_EQ(fault(d), "");
  d.limit = kLargestLimit + 1;
  EXPECT_EQ(fault(d), "limit");
  d = sale();
  d.starts_at = kNoon;
  d.ends_at = kNoon;
  EXPECT_EQ(fault(d), "ends_at");
  d.ends_at = kNoon + 1us;
  EXPECT_EQ(fault(d), "");
}

TEST(Campaign, NamesAreBoundedUtf8) {
  auto d = sale();
  d.name = "";
  EXPECT_EQ(fault(d), "name");
  d.name = std::string(kLongestCampaignName, 'x');
  EXPECT_EQ(fault(d), "");
  d.name += 'x';
  EXPECT_EQ(fault(d), "name");
  for (const char* good : {"\xc3\xa9t\xc3\xa9", "\xec\xbf\xa0\xed\x8f\xb0", "\xf0\x9f\x8e\x81",
                           "\xf4\x8f\xbf\xbf", "\xed\x9f\xbf"}) {
    d.name = good;
    EXPECT_EQ(fault(d), "") << good;
  }
  for (const char* bad :
       {"\xc3", "\x80", "\xc0\x80", "\xc1\xbf", "\xe0\x9f\xbf", "\xed\xa0\x80", "\xf0\x8f\xbf\xbf",
        "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xe2\x82", "\xe2\x82z", "a\xff"}) {
    d.name = bad;
    EXPECT_EQ(fault(d), "name") << testing::PrintToString(d.name);
  }
}

TEST(Campaign, PatchChangesWhatItNamesAndCountsTheRevision) {
  auto d = sale();
  d.ends_at = kNoon;
  const auto next = patched(d, {.name = "Winter", .limit = 200, .starts_at = std::optional(kNoon - 1h)}, 100);
  ASSERT_TRUE(next.has_value());
  EXPECT_EQ(next->name, "Winter");
  EXPECT_EQ(next->limit, 200U);
  EXPECT_EQ(next->starts_at, kNoon - 1h);
  EXPECT_EQ(next->ends_at, kNoon);
  EXPECT_EQ(next->revision, d.revision + 1);
  EXPECT_EQ(next->epoch, d.epoch);
  const auto unbounded = patched(*next, {.ends_at = std::optional<Timestamp>{}}, 100);
  ASSERT_TRUE(unbounded.has_value());
  EXPECT_EQ(unbounded->ends_at, std::nullopt);
}

TEST(Campaign, LimitIsNeverLoweredBelowWhatIsIssued) {
  EXPECT_TRUE(patched(sale(), {.limit = 40}, 40).has_value());
  const auto lower = patched(sale(), {.limit = 39}, 40);
  ASSERT_FALSE(lower.has_value());
  EXPECT_EQ(lower.error().code, ErrorCode::conflict);
  EXPECT_EQ(lower.error().field, "limit");
}

TEST(Campaign, PatchIsValidated) {
  const auto result = patched(sale(), {.limit = 0}, 0);
  ASSERT_FALSE(result.has_value());
  EXPECT_EQ(result.error().code, ErrorCode::invalid);
  EXPECT_EQ(result.error().field, "limit");
}

TEST(Campaign, EndIsFinalButTheNameMayChange) {
  const auto ended = patched(sale(), {.status = CampaignStatus::ended}, 5).value();
  EXPECT_TRUE(patched(ended, {.name = "Past sale"}, 5).has_value());
  EXPECT_TRUE(patched(ended, {.status = CampaignStatus::ended}, 5).has_value()) << "the same PATCH again";
  const auto field = [&](const CampaignPatch& patch) {
    const auto result = patched(ended, patch, 5);
    return result ? "" : result.error().code == ErrorCode::conflict ? result.error().field : "not a conflict";
  };
  EXPECT_EQ(field({.status = CampaignStatus::open}), "state");
  EXPECT_EQ(field({.limit = 200}), "limit");
  EXPECT_EQ(field({.starts_at = std::optional(kNoon)}), "starts_at");
  EXPECT_EQ(field({.ends_at = std::optional(kNoon)}), "ends_at");
}

TEST(Campaign, StateFollowsStatusWindowAndCount) {
  auto d = sale();
  d.starts_at = kNoon;
  d.ends_at = kNoon + 1h;
  EXPECT_EQ(state_at(d, kNoon - 1us, 0), CampaignState::scheduled);
  EXPECT_EQ(state_at(d, kNoon, 0), CampaignState::open);
  EXPECT_EQ(state_at(d, kNoon, 99), CampaignState::open);
  EXPECT_EQ(state_at(d, kNoon, 100), CampaignState::sold_out);
  EXPECT_EQ(state_at(d, kNoon + 1h - 1us, 0), CampaignState::open);
  EXPECT_EQ(state_at(d, kNoon + 1h, 100), CampaignState::ended);
  d.status = CampaignStatus::paused;
  EXPECT_EQ(state_at(d, kNoon - 1h, 0), CampaignState::paused);
  EXPECT_EQ(state_at(d, kNoon, 100), CampaignState::paused);
  EXPECT_EQ(state_at(d, kNoon + 1h, 0), CampaignState::ended);
  d.status = CampaignStatus::ended;
  EXPECT_EQ(state_at(d, kNoon, 0), CampaignState::ended);
}

}  // namespace
}  // namespace doorbuster
