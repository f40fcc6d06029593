#pragma once
// What every CampaignCatalog of an event log does; the bed is that of event_log_suite.hpp.

#include <gtest/gtest.h>

#include <algorithm>

#include "tests/support/await.hpp"
#include "tests/support/samples.hpp"

namespace doorbuster::test {

template <class Bed>
class CatalogSuite : public testing::Test {
 protected:
  Result<void> put(const CampaignDefinition& definition) {
    return test::put(bed_.catalog(), bed_.executor(), definition);
  }
  std::optional<CampaignDefinition> get(std::string_view id) {
    return test::get(bed_.catalog(), bed_.executor(), campaign_id(id)).value();
  }
  std::vector<LogRecord> records() { return bed_.source().read(0, 1'000'000).value(); }
  Bed bed_;
};
TYPED_TEST_SUITE_P(CatalogSuite);

TYPED_TEST_P(CatalogSuite, KnowsNothingAtFirst) {
  EXPECT_EQ(this->get("sale"), std::nullopt);
  EXPECT_TRUE(list(this->bed_.catalog(), this->bed_.executor()).value().empty());
}

TYPED_TEST_P(CatalogSuite, KeepsEveryField) {
  auto definition = campaign("sale", 1'000'000'000);
  definition.name = "\"Sale\", \xec\xbf\xa0\xed\x8f\xb0 \\ \n";
  definition.starts_at = ManualClock::kStart + Duration{1};
  definition.ends_at = ManualClock::kStart + Duration{2};
  definition.status = CampaignStatus::paused;
  definition.strategy = Strategy::fair_lock;
  definition.durability = Durability::ledger;
  definition.epoch = 4'000'000'000;
  ASSERT_TRUE(this->put(definition).has_value());
  EXPECT_EQ(this->get("sale"), definition);
  this->bed_.reopen();
  EXPECT_EQ(this->get("sale"), definition);
  ASSERT_EQ(this->records().size(), 1U);
  EXPECT_EQ(this->records()[0].event, Event(CampaignChanged{definition}));
}

TYPED_TEST_P(CatalogSuite, RevisionsMustFollow) {
  auto first = campaign("sale", 10);
  auto second = first;
  second.revision = 2;
  second.limit = 20;
  auto third = second;
  third.revision = 3;
  EXPECT_EQ(this->put(second).error().code, ErrorCode::conflict) << "nothing is there yet";
  ASSERT_TRUE(this->put(first).has_value());
  EXPECT_EQ(this->put(first).error().code, ErrorCode::conflict);
  EXPECT_EQ(this->put(third).error().code, ErrorCode::conflict);
  EXPECT_EQ(this->get("sale"), first);
  ASSERT_TRUE(this->put(second).has_value());
  EXPECT_EQ(this->get("sale"), second);
  ASSERT_EQ(this->records().size(), 2U) << "a conflict leaves nothing in the log";
  EXPECT_EQ(this->records()[1].event, Event(CampaignChanged{second}));
}

TYPED_TEST_P(CatalogSuite, OfTwoWritersWithOneRevisionOneWins) {
  const auto definition = campaign("sale", 10);
  auto other = definition;
  other.limit = 20;
  auto answers = std::make_shared<std::vector<bool>>();
  const auto note = [answers](Result<void> result) {
    EXPECT_TRUE(result.has_value() || result.error().code == ErrorCode::conflict);
    answers->push_back(result.has_value());
  };
  this->bed_.catalog().put(definition, this->bed_.executor(), note);
  this->bed_.catalog().put(other, this->bed_.executor(), note);
  ASSERT_TRUE(this->bed_.executor().wait_until([&] { return answers->size() == 2; }));
  EXPECT_NE((*answers)[0], (*answers)[1]);
  ASSERT_EQ(this->records().size(), 1U);
  EXPECT_EQ(this->records()[0].event, Event(CampaignChanged{*this->get("sale")}));
}

TYPED_TEST_P(CatalogSuite, ListsTheLatestOfEachCampaign) {
  auto changed = campaign("b", 10);
  ASSERT_TRUE(this->put(changed).has_value());
  ASSERT_TRUE(this->put(campaign("a", 20)).has_value());
  changed.revision = 2;
  changed.name = "Renamed";
  ASSERT_TRUE(this->put(changed).has_value());
  this->bed_.reopen();
  auto all = list(this->bed_.catalog(), this->bed_.executor()).value();
  std::sort(all.begin(), all.end(), [](const auto& x, const auto& y) { return x.id < y.id; });
  EXPECT_EQ(all, (std::vector<CampaignDefinition>{campaign("a", 20), changed}));
}

TYPED_TEST_P(CatalogSuite, StandsInTheLogBetweenTheCoupons) {
  ASSERT_TRUE(this->put(campaign("sale", 10)).has_value());
  ASSERT_TRUE(append(this->bed_.log(), this->bed_.executor(), {coupon_event("sale", 1)}).has_value());
  auto changed = campaign("sale", 20);
  changed.revision = 2;
  ASSERT_TRUE(this->put(changed).has_value());
  const auto records = this->records();
  ASSERT_EQ(records.size(), 3U);
  EXPECT_EQ(records[0].event, Event(CampaignChanged{campaign("sale", 10)}));
  EXPECT_EQ(records[1].event, Event(coupon_event("sale", 1)));
  EXPECT_EQ(records[2].event, Event(CampaignChanged{changed}));
}

REGISTER_TYPED_TEST_SUITE_P(CatalogSuite, KnowsNothingAtFirst, KeepsEveryField, RevisionsMustFollow,
                            OfTwoWritersWithOneRevisionOneWins, ListsTheLatestOfEachCampaign,
                            StandsInTheLogBetweenTheCoupons);

}  // namespace doorbuster::test
