#include "services/api/issue_service.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <deque>

#include "services/api/batch_gate.hpp"
#include "tests/support/manual_executor.hpp"

namespace doorbuster::api {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::IsEmpty;

Decision decision(Outcome outcome, bool pending = false, std::uint64_t sequence = 0) {
  Decision made;
  made.outcome = outcome;
  made.pending = pending;
  made.epoch = 1;
  made.coupon.sequence = sequence;
  return made;
}

/// Says what the test has put into `next` (one decision a request), or fails as a whole.
class ScriptedLedger final : public Ledger {
 public:
  void decide(std::vector<IssueRequest> batch, Done<std::vector<Decision>> done) override {
    batches.push_back(batch.size());
    if (broken) return done(*broken);
    std::vector<Decision> decisions;
    for (const auto& request : batch) {
      DOORBUSTER_ASSERT(!next.empty());
      decisions.push_back(next.front());
      decisions.back().coupon.user = request.user;
      next.pop_front();
    }
    done(std::move(decisions));
  }
  void confirm(std::vector<CouponKey> batch, Done<void> done) override {
    ++confirmations;
    for (const auto& key : batch) confirmed.push_back(key.sequence);
    if (refuse_confirmation) return done(make_error(ErrorCode::closed, "another epoch"));
    done({});
  }
  void find(CampaignId, UserId, Done<std::optional<Decision>> done) override { done(std::optional(holder)); }
  void show(CampaignId, Done<std::optional<CampaignView>>) override { FAIL() << "not asked here"; }
  void list(Done<std::vector<CampaignView>>) override { FAIL() << "not asked here"; }
  void take_overdue(Duration older_than, std::size_t, Done<std::vector<PendingEvent>> done) override {
    asked_older_than.push_back(older_than);
    done(std::exchange(overdue, {}));
  }
  void prepare(CampaignDefinition, Done<void>) override { FAIL() << "not asked here"; }
  void open(CampaignDefinition, Done<void>) override { FAIL() << "not asked here"; }
  void begin_change(CampaignId, CampaignPatch, Done<CampaignDefinition>) override {
    FAIL() << "not asked here";
  }
  void end_change(CampaignDefinition, Done<void>) override { FAIL() << "not asked here"; }
  void holders(CampaignId, std::uint64_t, std::size_t, Done<std::vector<Decision>>) override {
    FAIL() << "not asked here";
  }

  std::deque<Decision> next;
  std::vector<std::size_t> batches;
  std::vector<std::uint64_t> confirmed;
  std::size_t confirmations = 0;
  std::vector<PendingEvent> overdue;
  std::vector<Duration> asked_older_than;
  Decision holder;
  std::optional<Error> broken;
  bool refuse_confirmation = false;
};

/// Keeps every append until the test ends it.
class ScriptedLog final : public EventLog {
 public:
  explicit ScriptedLog(test::ManualExecutor& on) : executor(on) {}
  void append(std::vector<CouponIssued> events, Executor&, Appended done) override {
    appends.push_back(std::move(events));
    waiting.push_back(std::move(done));
  }
  bool accepting() const override { return open; }
  void finish(Result<void> result = {}) {
    auto done = std::move(waiting.front());
    waiting.pop_front();
    done(std::move(result));
    executor.run_turn();
  }

  test::ManualExecutor& executor;
  std::vector<std::vector<CouponIssued>> appends;
  std::deque<Appended> waiting;
  bool open = true;
};

class IssueServiceTest : public testing::Test {
 protected:
  void ask(std::uint64_t user, std::string_view campaign = "drop") {
    service_->submit({*CampaignId::parse(campaign), UserId::from_integer(user)},
                     [this](Result<IssueAnswer> answer) {
                       answers_.push_back(answer ? std::string(to_text(answer->outcome))
                                                 : std::string(traits(answer.error().code).slug));
                     });
  }

  test::ManualExecutor executor_;
  ScriptedLedger ledger_;
  ScriptedLog log_{executor_};
  std::vector<std::string> answers_;
  std::unique_ptr<IssueService> service_ = make({});

  std::unique_ptr<IssueService> make(IssueOptions options) {
    return std::make_unique<IssueService>(executor_, executor_.clock(), ledger_, log_, options);
  }
};

TEST_F(IssueServiceTest, DecidesTheRequestsOfOneTurnTogether) {
  ledger_.next = {decision(Outcome::issued, true, 1), decision(Outcome::issued, true, 2),
                  decision(Outcome::ended)};
  ask(1);
  ask(2);
  ask(3);
  executor_.run_turn();
  EXPECT_THAT(ledger_.batches, ElementsAre(3));
  ASSERT_EQ(log_.appends.size(), 1U);
  EXPECT_EQ(log_.appends[0].size(), 2U);
}

class GatheringIssueServiceTest : public IssueServiceTest {
 protected:
  GatheringIssueServiceTest() {
    IssueOptions options;
    options.longest_gathering = 5ms;
    service_ = make(options);
  }
  void ask_for_new(std::uint64_t user) {
    ledger_.next.push_back(decision(Outcome::issued, true, user));
    ask(user);
    executor_.run_turn();
  }
};

TEST_F(GatheringIssueServiceTest, WhatComesWhileABatchIsAwayGoesTogetherWhenItReturns) {
  ask_for_new(1);
  EXPECT_THAT(ledger_.batches, ElementsAre(1)) << "alone, it goes at once";
  ask_for_new(2);
  ask_for_new(3);
  EXPECT_THAT(ledger_.batches, ElementsAre(1));
  log_.finish();
  EXPECT_THAT(ledger_.batches, ElementsAre(1, 2));
  log_.finish();
  EXPECT_THAT(answers_, ElementsAre("issued", "issued", "issued"));
}

TEST_F(GatheringIssueServiceTest, NobodyWaitsForABatchThatDoesNotReturn) {
  ask_for_new(1);
  ask_for_new(2);
  executor_.advance(5ms);
  EXPECT_THAT(ledger_.batches, ElementsAre(1, 1));
}

TEST_F(GatheringIssueServiceTest, ATimerThatWasMeantForOthersMakesNobodyWaitLonger) {
  ask_for_new(1);
  executor_.advance(1ms);
  ask_for_new(2);  // for this one the timer is set
  executor_.advance(1ms);
  log_.finish();
  EXPECT_THAT(ledger_.batches, ElementsAre(1, 1));
  ask_for_new(3);
  executor_.advance(4ms);  // the timer has found number 3 too young
  EXPECT_EQ(ledger_.batches.size(), 2U);
  executor_.advance(1ms);
  EXPECT_EQ(ledger_.batches.size(), 3U);
}

TEST_F(GatheringIssueServiceTest, WhatIsAnsweredByTheLedgerAloneIsNotAway) {
  Decision made = decision(Outcome::issued, true, 1);
  made.durability = Durability::ledger;
  for (std::uint64_t user = 1; user <= 2; ++user) {
    ledger_.next = {made};
    ask(user);
    executor_.run_turn();
  }
  EXPECT_THAT(ledger_.batches, ElementsAre(1, 1));
  log_.finish();
  log_.finish();
  ask_for_new(3);
  ask_for_new(4);
  EXPECT_EQ(ledger_.batches.size(), 3U);
}

TEST_F(GatheringIssueServiceTest, ABatchThatNeedsNoLogOrFailsHasReturned) {
  ledger_.next = {decision(Outcome::sold_out)};
  ask(1);
  executor_.run_turn();
  ledger_.broken = make_error(ErrorCode::unavailable, "no answer");
  ask(2);
  executor_.run_turn();
  ledger_.broken = std::nullopt;
  ask_for_new(3);
  EXPECT_THAT(ledger_.batches, ElementsAre(1, 1, 1));
  log_.finish(make_error(ErrorCode::unavailable, "the broker is gone"));
  ask_for_new(4);
  EXPECT_THAT(ledger_.batches, ElementsAre(1, 1, 1, 1));
}

TEST_F(GatheringIssueServiceTest, ALargeBatchWaitsForNobodyAndIsWaitedFor) {
  ask_for_new(1);
  for (std::uint64_t user = 2; user < 2 + BatchGate::kLargeEnough; ++user) ask_for_new(user);
  EXPECT_THAT(ledger_.batches, ElementsAre(1, BatchGate::kLargeEnough)) << "large enough, it goes at once";
  ask_for_new(9'000);
  log_.finish();
  EXPECT_EQ(ledger_.batches.size(), 2U) << "the small one is back, the large one is not";
  log_.finish();
  EXPECT_EQ(ledger_.batches.size(), 3U);
}

TEST_F(IssueServiceTest, TellsNobodyOfACouponBeforeTheLogHasIt) {
  ledger_.next = {decision(Outcome::issued, true, 1)};
  ask(1);
  executor_.run_until_idle();
  EXPECT_THAT(answers_, IsEmpty());
  log_.finish();
  EXPECT_THAT(ledger_.confirmed, ElementsAre(1));
  EXPECT_THAT(answers_, ElementsAre("issued"));
}

TEST_F(IssueServiceTest, AnswersAtOnceWhatNeedsNoLog) {
  ledger_.next = {decision(Outcome::already_issued), decision(Outcome::sold_out),
                  decision(Outcome::not_started), decision(Outcome::paused),
                  decision(Outcome::unknown_campaign)};
  for (int user = 1; user <= 5; ++user) ask(static_cast<std::uint64_t>(user));
  executor_.run_until_idle();
  EXPECT_THAT(answers_,
              ElementsAre("already_issued", "sold_out", "not_started", "paused", "unknown_campaign"));
  EXPECT_THAT(log_.appends, IsEmpty());
}

TEST_F(IssueServiceTest, AppendsThatAreAnsweredTogetherAreConfirmedTogetherByCampaign) {
  const auto in_a_turn_of_its_own = [this](std::string_view campaign, std::uint64_t number) {
    ledger_.next = {decision(Outcome::issued, true, number)};
    ask(number, campaign);
    executor_.run_until_idle();
  };
  in_a_turn_of_its_own("drop", 1);
  in_a_turn_of_its_own("sale", 2);
  in_a_turn_of_its_own("drop", 3);
  for (auto& done : std::exchange(log_.waiting, {})) done({});
  EXPECT_THAT(answers_, IsEmpty());
  executor_.run_turn();
  EXPECT_EQ(ledger_.confirmations, 2U);
  EXPECT_THAT(ledger_.confirmed, ElementsAre(1, 3, 2));
  EXPECT_THAT(answers_, ElementsAre("issued", "issued", "issued"));
}

TEST_F(IssueServiceTest, WhatIsNotAlikeIsConfirmedByItself) {
  ledger_.next = {decision(Outcome::issued, true, 1), decision(Outcome::issued, true, 2)};
  ask(1, "drop");
  ask(2, "sale");
  executor_.run_until_idle();
  ledger_.next = {decision(Outcome::issued, true, 3)};
  ask(3, "drop");
  executor_.run_until_idle();
  for (auto& done : std::exchange(log_.waiting, {})) done({});
  executor_.run_turn();
  EXPECT_EQ(ledger_.confirmations, 2U) << "the batch of two campaigns, and the other";
  EXPECT_THAT(ledger_.confirmed, ElementsAre(1, 2, 3));
}

TEST_F(IssueServiceTest, AFailedAppendIsAnsweredWithItsReasonAndConfirmsNothing) {
  ledger_.next = {decision(Outcome::issued, true, 1)};
  ask(1);
  executor_.run_until_idle();
  log_.finish(make_error(ErrorCode::unknown_outcome, "fsync failed"));
  EXPECT_THAT(answers_, ElementsAre("unknown-outcome"));
  EXPECT_THAT(ledger_.confirmed, IsEmpty());
}

TEST_F(IssueServiceTest, ARefusedConfirmationIsNoCoupon) {
  ledger_.next = {decision(Outcome::issued, true, 1)};
  ledger_.refuse_confirmation = true;
  ask(1);
  executor_.run_until_idle();
  log_.finish();
  EXPECT_THAT(answers_, ElementsAre("closed"));
}

TEST_F(IssueServiceTest, ARepeatWaitsUntilThePendingCouponIsSafe) {
  ledger_.next = {decision(Outcome::issued, true, 1), decision(Outcome::already_issued, true, 1)};
  ask(1);
  ask(1);
  executor_.run_until_idle();
  EXPECT_THAT(answers_, IsEmpty());
  ledger_.next = {decision(Outcome::already_issued, false, 1)};
  log_.finish();
  executor_.run_until_idle();
  EXPECT_THAT(answers_, ElementsAre("issued", "already_issued"));
}

TEST_F(IssueServiceTest, SoldOutWaitsWhileTheLastArePending) {
  ledger_.next = {decision(Outcome::sold_out, true)};
  ask(2);
  executor_.run_until_idle();
  EXPECT_THAT(answers_, IsEmpty());
  ledger_.next = {decision(Outcome::sold_out, false)};
  executor_.advance(20ms);
  EXPECT_THAT(answers_, ElementsAre("sold_out"));
}

TEST_F(IssueServiceTest, WaitingForAPendingCouponEndsWithNotReadyAfterThePatience) {
  for (int i = 0; i < 100; ++i) ledger_.next.push_back(decision(Outcome::already_issued, true, 1));
  ask(1);
  executor_.advance(990ms);
  EXPECT_THAT(answers_, IsEmpty());
  executor_.advance(50ms);
  EXPECT_THAT(answers_, ElementsAre("not-ready"));
  EXPECT_EQ(service_->stats().in_flight, 0U);
}

TEST_F(IssueServiceTest, AHeldCampaignMakesRequestsWaitNotFail) {
  ledger_.next = {decision(Outcome::held)};
  ask(1);
  executor_.run_until_idle();
  ledger_.next = {decision(Outcome::paused)};
  executor_.advance(20ms);
  EXPECT_THAT(answers_, ElementsAre("paused"));
}

TEST_F(IssueServiceTest, AClosedLogDecidesNothingButAnswersHolders) {
  log_.open = false;
  ledger_.holder = decision(Outcome::already_issued, false, 1);
  ask(1);
  ledger_.holder = decision(Outcome::already_issued, true, 2);
  ask(2);
  executor_.run_until_idle();
  EXPECT_THAT(answers_, ElementsAre("already_issued", "closed"));
  EXPECT_THAT(ledger_.batches, IsEmpty());
}

TEST_F(IssueServiceTest, AFailingLedgerFailsTheWholeBatch) {
  ledger_.broken = make_error(ErrorCode::unavailable, "no answer");
  ask(1);
  ask(2);
  executor_.run_until_idle();
  EXPECT_THAT(answers_, ElementsAre("unavailable", "unavailable"));
}

TEST_F(IssueServiceTest, RefusesMoreThanItsBoundOfRequestsInFlight) {
  IssueOptions options;
  options.most_in_flight = 1;
  service_ = make(options);
  ledger_.next = {decision(Outcome::issued, true, 1)};
  ask(1);
  ask(2);
  EXPECT_THAT(answers_, ElementsAre("overloaded"));
}

TEST_F(IssueServiceTest, RelayAppendsOverdueEventsAgainOneRelayAtATime) {
  CouponIssued event;
  event.campaign = *CampaignId::parse("drop");
  event.coupon.sequence = 7;
  ledger_.overdue = {{event, 3}};
  service_->relay();
  ledger_.overdue = {{event, 3}};
  service_->relay();
  ASSERT_EQ(log_.appends.size(), 1U);
  log_.finish();
  EXPECT_THAT(ledger_.confirmed, ElementsAre(7));
  service_->relay();
  EXPECT_EQ(log_.appends.size(), 2U);
  log_.finish(make_error(ErrorCode::unavailable, "disk full"));
  EXPECT_THAT(ledger_.confirmed, ElementsAre(7));
}

TEST_F(IssueServiceTest, RelayLeavesAloneWhatIsUnderWayInASlowLog) {
  ledger_.next = {decision(Outcome::issued, true, 1), decision(Outcome::issued, true, 2)};
  ask(1);
  executor_.run_until_idle();
  executor_.advance(300ms);
  ask(2);
  executor_.run_until_idle();
  executor_.advance(700ms);
  service_->relay();
  log_.finish();
  service_->relay();
  log_.finish(make_error(ErrorCode::unavailable, "the broker is gone"));
  service_->relay();
  EXPECT_THAT(ledger_.asked_older_than, ElementsAre(1250ms, 950ms, 250ms));
}

TEST_F(IssueServiceTest, WhatTheRelayAppendedIsForgottenWhenItEnds) {
  ledger_.overdue = {{CouponIssued{}, 3}};
  service_->relay();
  ledger_.next = {decision(Outcome::issued, true, 1)};
  executor_.advance(400ms);
  ask(1);
  executor_.run_until_idle();
  log_.finish();
  executor_.advance(100ms);
  service_->relay();
  EXPECT_THAT(ledger_.asked_older_than, ElementsAre(250ms, 350ms));
}

TEST_F(IssueServiceTest, UnderDurabilityLedgerTheAnswerDoesNotWaitForTheLog) {
  Decision made = decision(Outcome::issued, true, 1);
  made.durability = Durability::ledger;
  made.outbox = 9;
  ledger_.next = {made};
  ask(1);
  executor_.run_until_idle();
  EXPECT_THAT(answers_, ElementsAre("issued"));
  ASSERT_EQ(log_.appends.size(), 1U) << "the log is told all the same";
  log_.finish();
  EXPECT_THAT(ledger_.confirmed, ElementsAre(1));
  EXPECT_THAT(answers_, ElementsAre("issued")) << "answered once";
}

TEST_F(IssueServiceTest, CompletionsAfterItsEndAreDropped) {
  ledger_.next = {decision(Outcome::issued, true, 1)};
  ask(1);
  executor_.run_until_idle();
  service_ = nullptr;
  log_.finish();
  executor_.advance(2s);
  EXPECT_THAT(answers_, IsEmpty());
  EXPECT_THAT(ledger_.confirmed, IsEmpty());
}

}  // namespace
}  // namespace doorbuster::api
