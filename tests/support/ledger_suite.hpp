#pragma once
// What every Ledger does. An adapter instantiates it with a bed of its own:
//
//   struct Bed {                        // made anew for each test, with an open ledger without campaigns
//     Ledger& ledger();
//     ManualExecutor& executor();       // completions run in its turns, or inside the call
//     ManualClock& clock();             // the ledger's
//     // Optional, a weakness that belongs to how the ledger decides: who asks a second time before his first
//     // request is stored gets `held`, and his coupon when he asks again.
//     static constexpr bool kHoldsTwins = true;
//   };
//   INSTANTIATE_TYPED_TEST_SUITE_P(MyLedger, LedgerSuite, Bed);

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>

#include "ports/ledger.hpp"
#include "tests/support/await.hpp"
#include "tests/support/samples.hpp"

namespace doorbuster::test {

template <class Bed>
class LedgerSuite : public testing::Test {
 protected:
  template <class T, class Call>
  Result<T> ask(Call call) {
    return await<T>(bed_.executor(), std::move(call));
  }
  std::vector<Decision> decide(std::vector<IssueRequest> batch) {
    auto decisions = ask<std::vector<Decision>>([&](auto done) { ledger().decide(batch, std::move(done)); });
    for (std::size_t i = 0; i < batch.size(); ++i) {
      const Decision& decision = decisions.value().at(i);
      if (decision.outcome != Outcome::issued) continue;
      outboxes_[{batch[i].campaign, decision.coupon.sequence}] = decision.outbox;
    }
    return std::move(decisions).value();
  }
  Decision decide(std::string_view campaign, std::uint64_t user) {
    return decide({{campaign_id(campaign), UserId::from_integer(user)}}).at(0);
  }
  Result<void> confirm(std::vector<CouponKey> keys) {
    return ask<void>([&](auto done) { ledger().confirm(std::move(keys), std::move(done)); });
  }
  Result<void> open(const CampaignDefinition& definition) {
    auto prepared = ask<void>([&](auto done) { ledger().prepare(definition, std::move(done)); });
    if (!prepared) return prepared;
    return ask<void>([&](auto done) { ledger().open(definition, std::move(done)); });
  }
  std::optional<Decision> find(std::string_view campaign, std::uint64_t user) {
    return ask<std::optional<Decision>>([&](auto done) {
             ledger().find(campaign_id(campaign), UserId::from_integer(user), std::move(done));
           })
        .value();
  }
  std::optional<CampaignView> show(std::string_view campaign) {
    return ask<std::optional<CampaignView>>(
               [&](auto done) { ledger().show(campaign_id(campaign), std::move(done)); })
        .value();
  }
  Result<CampaignDefinition> begin_change(std::string_view campaign, CampaignPatch patch) {
    return ask<CampaignDefinition>(
        [&](auto done) { ledger().begin_change(campaign_id(campaign), std::move(patch), std::move(done)); });
  }
  Result<void> end_change(const CampaignDefinition& definition) {
    return ask<void>([&](auto done) { ledger().end_change(definition, std::move(done)); });
  }
  std::vector<PendingEvent> take_overdue(Duration older_than, std::size_t max) {
    return ask<std::vector<PendingEvent>>(
               [&](auto done) { ledger().take_overdue(older_than, max, std::move(done)); })
        .value();
  }
  Result<std::vector<Decision>> holders(std::string_view campaign, std::uint64_t after, std::size_t max) {
    return ask<std::vector<Decision>>(
        [&](auto done) { ledger().holders(campaign_id(campaign), after, max, std::move(done)); });
  }
  CouponKey key(std::string_view campaign, std::uint64_t sequence, std::uint32_t epoch = 1) {
    const auto found = outboxes_.find({campaign_id(campaign), sequence});
    return {campaign_id(campaign), epoch, sequence, found == outboxes_.end() ? 0 : found->second};
  }
  Ledger& ledger() { return bed_.ledger(); }
  static constexpr bool holds_twins() {
    if constexpr (requires { Bed::kHoldsTwins; }) return Bed::kHoldsTwins;
    return false;
  }

  Bed bed_;
  std::map<std::pair<CampaignId, std::uint64_t>, std::uint64_t> outboxes_;
};
TYPED_TEST_SUITE_P(LedgerSuite);

TYPED_TEST_P(LedgerSuite, KnowsNoCampaignAtFirst) {
  EXPECT_EQ(this->decide("sale", 1).outcome, Outcome::unknown_campaign);
  EXPECT_FALSE(this->find("sale", 1).has_value());
  EXPECT_FALSE(this->show("sale").has_value());
  EXPECT_EQ(this->begin_change("sale", {}).error().code, ErrorCode::not_found);
  EXPECT_EQ(this->holders("sale", 0, 10).error().code, ErrorCode::not_found);
  EXPECT_TRUE(this->take_overdue(Duration{0}, 10).empty());
}

TYPED_TEST_P(LedgerSuite, OpensACampaignOnce) {
  ASSERT_TRUE(this->open(campaign("sale", 2)).has_value());
  EXPECT_EQ(this->open(campaign("sale", 3)).error().code, ErrorCode::conflict);
  const auto view = this->show("sale");
  ASSERT_TRUE(view.has_value());
  EXPECT_EQ(view->definition, campaign("sale", 2));
  EXPECT_EQ(view->issued, 0U);
  EXPECT_EQ(view->state, CampaignState::open);
}

TYPED_TEST_P(LedgerSuite, ABatchIsDecidedInItsOrder) {
  ASSERT_TRUE(this->open(campaign("sale", 3)).has_value());
  ASSERT_TRUE(this->open(campaign("other", 1)).has_value());
  const auto user = [](std::uint64_t number) { return UserId::from_integer(number); };
  const auto sale = campaign_id("sale");
  const auto decisions = this->decide({{sale, user(5)},
                                       {sale, user(4)},
                                       {campaign_id("other"), user(5)},
                                       {sale, user(5)},
                                       {campaign_id("absent"), user(5)},
                                       {sale, user(3)},
                                       {sale, user(2)}});
  ASSERT_EQ(decisions.size(), 7U);
  EXPECT_EQ(decisions[0].outcome, Outcome::issued);
  EXPECT_EQ(decisions[0].coupon.sequence, 1U);
  EXPECT_EQ(decisions[0].coupon.user, user(5));
  EXPECT_EQ(decisions[1].coupon.sequence, 2U);
  EXPECT_EQ(decisions[2].outcome, Outcome::issued);
  EXPECT_EQ(decisions[2].coupon.sequence, 1U);
  if (this->holds_twins()) {
    EXPECT_EQ(decisions[3].outcome, Outcome::held);
  } else {
    EXPECT_EQ(decisions[3].outcome, Outcome::already_issued);
    EXPECT_EQ(decisions[3].coupon, decisions[0].coupon);
  }
  EXPECT_EQ(this->decide("sale", 5).coupon, decisions[0].coupon);
  EXPECT_EQ(decisions[4].outcome, Outcome::unknown_campaign);
  EXPECT_EQ(decisions[5].coupon.sequence, 3U);
  EXPECT_EQ(decisions[6].outcome, Outcome::sold_out);
  EXPECT_TRUE(decisions[6].pending);
  std::set<CouponCode> codes;
  for (const std::size_t i : {0U, 1U, 2U, 5U}) codes.insert(decisions[i].coupon.code);
  EXPECT_EQ(codes.size(), 4U);
}

TYPED_TEST_P(LedgerSuite, NothingIsDecidedForNobody) {
  EXPECT_TRUE(this->decide(std::vector<IssueRequest>()).empty());
  EXPECT_TRUE(this->confirm({}).has_value());
}

TYPED_TEST_P(LedgerSuite, PendingUntilConfirmed) {
  ASSERT_TRUE(this->open(campaign("sale", 2)).has_value());
  const Decision decision = this->decide("sale", 1);
  EXPECT_TRUE(decision.pending);
  EXPECT_TRUE(this->find("sale", 1)->pending);
  EXPECT_EQ(this->show("sale")->durable, 0U);
  ASSERT_TRUE(this->confirm({this->key("sale", 1)}).has_value());
  ASSERT_TRUE(this->confirm({this->key("sale", 1)}).has_value()) << "told again";
  EXPECT_FALSE(this->find("sale", 1)->pending);
  EXPECT_FALSE(this->decide("sale", 1).pending);
  EXPECT_EQ(this->decide("sale", 1).coupon, decision.coupon);
  EXPECT_EQ(this->show("sale")->durable, 1U);
}

TYPED_TEST_P(LedgerSuite, SoldOutIsFinalOnlyWhenAllAreSafe) {
  ASSERT_TRUE(this->open(campaign("sale", 2)).has_value());
  this->decide("sale", 1);
  this->decide("sale", 2);
  ASSERT_TRUE(this->confirm({this->key("sale", 2)}).has_value());
  EXPECT_EQ(this->decide("sale", 3).outcome, Outcome::sold_out);
  EXPECT_TRUE(this->decide("sale", 3).pending);
  ASSERT_TRUE(this->confirm({this->key("sale", 1)}).has_value());
  EXPECT_EQ(this->decide("sale", 3).outcome, Outcome::sold_out);
  EXPECT_FALSE(this->decide("sale", 3).pending);
}

TYPED_TEST_P(LedgerSuite, AnotherEpochConfirmsNothing) {
  auto definition = campaign("sale", 5);
  definition.epoch = 7;
  ASSERT_TRUE(this->open(definition).has_value());
  EXPECT_EQ(this->decide("sale", 1).epoch, 7U);
  this->decide("sale", 2);
  EXPECT_EQ(this->confirm({this->key("sale", 1, 7), this->key("sale", 2, 6)}).error().code,
            ErrorCode::closed);
  EXPECT_EQ(this->show("sale")->durable, 0U) << "all or none";
  EXPECT_TRUE(this->confirm({this->key("sale", 1, 7), this->key("sale", 2, 7)}).has_value());
  EXPECT_EQ(this->show("sale")->durable, 2U);
}

TYPED_TEST_P(LedgerSuite, TheLedgersClockDecidesTheWindow) {
  auto definition = campaign("sale", 5);
  definition.starts_at = this->bed_.clock().now() + Duration{1000};
  definition.ends_at = this->bed_.clock().now() + Duration{2000};
  ASSERT_TRUE(this->open(definition).has_value());
  EXPECT_EQ(this->decide("sale", 1).outcome, Outcome::not_started);
  EXPECT_EQ(this->show("sale")->state, CampaignState::scheduled);
  this->bed_.clock().advance(Duration{1000});
  const Decision decision = this->decide("sale", 1);
  EXPECT_EQ(decision.outcome, Outcome::issued);
  EXPECT_EQ(decision.coupon.decided_at, *definition.starts_at);
  this->bed_.clock().advance(Duration{1000});
  EXPECT_EQ(this->decide("sale", 2).outcome, Outcome::ended);
  EXPECT_EQ(this->decide("sale", 1).outcome, Outcome::already_issued) << "also after the end";
}

TYPED_TEST_P(LedgerSuite, ChangesHoldNewDecisionsUntilTheyEnd) {
  ASSERT_TRUE(this->open(campaign("sale", 1)).has_value());
  this->decide("sale", 1);
  const auto next = this->begin_change("sale", {.limit = 2});
  ASSERT_TRUE(next.has_value());
  EXPECT_EQ(next->limit, 2U);
  EXPECT_EQ(next->revision, 2U);
  EXPECT_EQ(this->decide("sale", 2).outcome, Outcome::held);
  EXPECT_EQ(this->decide("sale", 1).outcome, Outcome::already_issued);
  EXPECT_EQ(this->show("sale")->definition, campaign("sale", 1)) << "not written yet";
  EXPECT_EQ(this->begin_change("sale", {.limit = 3}).error().code, ErrorCode::conflict);
  ASSERT_TRUE(this->end_change(*next).has_value());
  const Decision decision = this->decide("sale", 2);
  EXPECT_EQ(decision.outcome, Outcome::issued);
  EXPECT_EQ(decision.revision, 2U);
  EXPECT_EQ(this->show("sale")->definition, *next);
}

TYPED_TEST_P(LedgerSuite, AChangeThatWasNotWrittenChangesNothing) {
  ASSERT_TRUE(this->open(campaign("sale", 1)).has_value());
  ASSERT_TRUE(this->begin_change("sale", {.limit = 2}).has_value());
  ASSERT_TRUE(this->end_change(campaign("sale", 1)).has_value());
  EXPECT_EQ(this->show("sale")->definition, campaign("sale", 1));
  EXPECT_EQ(this->decide("sale", 1).outcome, Outcome::issued);
}

TYPED_TEST_P(LedgerSuite, ChangesAreChecked) {
  ASSERT_TRUE(this->open(campaign("sale", 5)).has_value());
  this->decide("sale", 1);
  this->decide("sale", 2);
  EXPECT_EQ(this->begin_change("sale", {.limit = 1}).error().code, ErrorCode::conflict);
  EXPECT_EQ(this->begin_change("sale", {.limit = 0}).error().code, ErrorCode::invalid);
  EXPECT_EQ(this->decide("sale", 3).outcome, Outcome::issued) << "nothing is held";
}

TYPED_TEST_P(LedgerSuite, OverdueEventsAreTakenAndThenWaitAgain) {
  ASSERT_TRUE(this->open(campaign("sale", 5)).has_value());
  const Decision decision = this->decide("sale", 1);
  this->decide("sale", 2);
  this->decide("sale", 3);
  ASSERT_TRUE(this->confirm({this->key("sale", 2)}).has_value());
  EXPECT_TRUE(this->take_overdue(Duration{1000}, 10).empty());
  this->bed_.clock().advance(Duration{1001});
  const auto first = this->take_overdue(Duration{1000}, 1);
  ASSERT_EQ(first.size(), 1U);
  EXPECT_EQ(first[0].event.campaign, campaign_id("sale"));
  EXPECT_EQ(first[0].event.coupon, decision.coupon);
  EXPECT_EQ(first[0].event.epoch, decision.epoch);
  const auto second = this->take_overdue(Duration{1000}, 10);
  ASSERT_EQ(second.size(), 1U);
  EXPECT_EQ(second[0].event.coupon.sequence, 3U);
  EXPECT_TRUE(this->take_overdue(Duration{1000}, 10).empty());
  this->bed_.clock().advance(Duration{1001});
  EXPECT_EQ(this->take_overdue(Duration{1000}, 10).size(), 2U);
}

TYPED_TEST_P(LedgerSuite, HoldersArePagedByNumber) {
  ASSERT_TRUE(this->open(campaign("sale", 9)).has_value());
  for (std::uint64_t user = 11; user <= 15; ++user) this->decide("sale", user);
  const auto page = this->holders("sale", 2, 2).value();
  ASSERT_EQ(page.size(), 2U);
  EXPECT_EQ(page[0].coupon.sequence, 3U);
  EXPECT_EQ(page[0].coupon.user, UserId::from_integer(13));
  EXPECT_EQ(page[1].coupon.sequence, 4U);
  EXPECT_TRUE(this->holders("sale", 5, 2).value().empty());
}

TYPED_TEST_P(LedgerSuite, ListsEveryCampaign) {
  for (const char* id : {"b", "c", "a"}) ASSERT_TRUE(this->open(campaign(id, 1)).has_value());
  this->decide("c", 1);
  auto all =
      this->template ask<std::vector<CampaignView>>([&](auto done) { this->ledger().list(std::move(done)); })
          .value();
  std::sort(all.begin(), all.end(),
            [](const auto& x, const auto& y) { return x.definition.id < y.definition.id; });
  ASSERT_EQ(all.size(), 3U);
  EXPECT_EQ(all[0].definition, campaign("a", 1));
  EXPECT_EQ(all[0].issued, 0U);
  EXPECT_EQ(all[2].definition, campaign("c", 1));
  EXPECT_EQ(all[2].issued, 1U);
  EXPECT_EQ(all[2].state, CampaignState::sold_out);
}

REGISTER_TYPED_TEST_SUITE_P(LedgerSuite, KnowsNoCampaignAtFirst, OpensACampaignOnce,
                            ABatchIsDecidedInItsOrder, NothingIsDecidedForNobody, PendingUntilConfirmed,
                            SoldOutIsFinalOnlyWhenAllAreSafe, AnotherEpochConfirmsNothing,
                            TheLedgersClockDecidesTheWindow, ChangesHoldNewDecisionsUntilTheyEnd,
                            AChangeThatWasNotWrittenChangesNothing, ChangesAreChecked,
                            OverdueEventsAreTakenAndThenWaitAgain, HoldersArePagedByNumber,
                            ListsEveryCampaign);

}  // namespace doorbuster::test
