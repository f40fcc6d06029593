// Recovery over modelled parts (tests/sim/model_*.hpp): what it reads, what wins, and that it may be killed
// between any two calls of its ports.

#include "services/recovery/recovery.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>
#include <utility>

#include "tests/sim/model_database.hpp"
#include "tests/sim/model_kafka.hpp"
#include "tests/sim/model_redis.hpp"
#include "tests/support/samples.hpp"

namespace doorbuster::recovery {
namespace {

using test::campaign_id;
using test::coupon_event;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

/// The process dies here.
struct Killed {};

class RecoveryTest : public testing::Test {
 protected:
  RecoveryTest() {
    EXPECT_TRUE(database_.put(definition_));
    redis_.prepare(definition_.id, 1);
    EXPECT_TRUE(redis_.open(definition_, 1));
  }

  /// Decides for `user`; the event goes nowhere yet.
  CouponIssued admit(std::uint64_t user) {
    const auto decision = redis_.decide({}, {{id_, UserId::from_integer(user)}}).at(0);
    EXPECT_EQ(decision.outcome, Outcome::issued) << to_text(decision.outcome);
    return {id_, decision.epoch, decision.revision, decision.refilled, decision.coupon, {}};
  }
  CouponIssued append(const CouponIssued& event) {
    kafka_.append(kafka_.partition_of(event), event);
    return event;
  }
  Result<void> confirm(const CouponIssued& event) {
    return redis_.confirm({{event.campaign, event.epoch, event.coupon.sequence}});
  }
  /// Told to its user.
  CouponIssued issue(std::uint64_t user) {
    const auto event = append(admit(user));
    EXPECT_TRUE(confirm(event));
    return event;
  }
  /// The worker stores everything.
  void store() {
    for (std::size_t partition = 0; partition < kafka_.partitions.size(); ++partition) {
      model::KafkaSource source(kafka_, partition);
      model::DatabaseStore store(database_, partition, [] { return model::DatabaseStore::Fate::committed; });
      const auto records = source.read(*store.stored_through(), 1000);
      ASSERT_TRUE(records);
      if (!records->empty()) {
        ASSERT_TRUE(store.store(*records));
      }
    }
  }
  void relay() {
    clock_.advance(std::chrono::seconds(1));
    for (const auto& pending : redis_.take_overdue({}, Duration{1}, 100)) {
      append(pending.event);
      ASSERT_TRUE(confirm(pending.event));
    }
  }

  Result<std::vector<Report>> recover() {
    const auto before = [this](const char* what) -> Result<void> {
      calls_.emplace_back(what);
      if (interfere_) interfere_(what);
      if (kill_at_ && calls_.size() == *kill_at_) throw Killed{};
      return {};
    };
    model::DatabaseRecovery store(database_, before);
    model::KafkaReader log(kafka_, before);
    model::RedisRebuild ledger(redis_, before);
    Options options;
    options.batch = 2;
    options.pause = [this](Duration time) -> Result<void> {
      paused_ += time;
      return {};
    };
    return Recovery({store, log, ledger}, clock_, options).recover(id_);
  }
  Report recovered() {
    const auto reports = recover();
    EXPECT_TRUE(reports) << reports.error().detail;
    return reports ? reports->at(0) : Report{};
  }

  std::map<std::uint64_t, std::string> holders() {
    std::map<std::uint64_t, std::string> all;
    for (const auto& each : *redis_.holders(id_, 0, 1000))
      all[each.coupon.sequence] = std::string(each.coupon.user.text()) + (each.pending ? "?" : "");
    return all;
  }
  std::optional<Decision> find(std::uint64_t user) {
    return *redis_.find({}, id_, UserId::from_integer(user));
  }

  const CampaignId id_ = campaign_id("drop");
  CampaignDefinition definition_ = test::campaign("drop", 10);
  test::ManualClock clock_;
  SeededRandom random_{1};
  model::Redis redis_{clock_, random_};
  model::Kafka kafka_{3};
  model::Database database_{3};
  std::vector<std::string> calls_;
  std::optional<std::size_t> kill_at_;
  std::function<void(std::string_view)> interfere_;
  Duration paused_{};
};

TEST_F(RecoveryTest, AWipedLedgerIsFilledFromRowsAndLog) {
  const auto first = issue(1);
  issue(2);
  store();
  const auto third = issue(3);
  redis_.flush();
  const auto report = recovered();
  EXPECT_EQ(report.rows, 2U);
  EXPECT_EQ(report.from_log, 1U);
  EXPECT_EQ(report.leftovers, 0U);
  EXPECT_EQ(report.definition.epoch, 2U);
  EXPECT_EQ(find(1)->coupon, first.coupon);
  EXPECT_EQ(find(3)->coupon, third.coupon);
  EXPECT_EQ(admit(4).coupon.sequence, 4U);
}

TEST_F(RecoveryTest, WhatWasLostWithoutReachingTheLogIsGivenToOthersFirst) {
  issue(1);
  admit(2);
  admit(3);
  issue(4);
  redis_.flush();
  const auto report = recovered();
  EXPECT_EQ(report.missing, 2U);
  const auto next = admit(5);
  EXPECT_EQ(next.coupon.sequence, 2U);
  EXPECT_TRUE(next.refilled);
  EXPECT_EQ(admit(6).coupon.sequence, 3U);
  EXPECT_EQ(admit(7).coupon.sequence, 5U);
}

TEST_F(RecoveryTest, WhatOnlyTheLedgerKnowsIsPendingAgainInTheNewEpoch) {
  issue(1);
  const auto waiting = admit(2);
  redis_.restart(0);
  const auto report = recovered();
  EXPECT_EQ(report.leftovers, 1U);
  EXPECT_TRUE(find(2)->pending);
  EXPECT_EQ(find(2)->coupon, waiting.coupon);
  EXPECT_FALSE(confirm(waiting)) << "an old instance cannot finish what it decided";
  append(waiting);  // and what it appends is void
  relay();
  EXPECT_FALSE(find(2)->pending);
  store();
  EXPECT_EQ(database_.rows.at({id_, UserId::from_integer(2)}).epoch, 2U);
  EXPECT_THAT(database_.letters, IsEmpty());
}

TEST_F(RecoveryTest, ALateAppendOfAnOldInstanceIsVoidOnEveryReplay) {
  const auto late = admit(1);
  redis_.flush();
  recovered();
  append(late);
  const auto other = append(admit(2));
  EXPECT_EQ(other.coupon.sequence, late.coupon.sequence);
  ASSERT_TRUE(confirm(other));
  store();
  EXPECT_FALSE(database_.rows.contains({id_, UserId::from_integer(1)}));
  EXPECT_EQ(database_.rows.at({id_, UserId::from_integer(2)}).coupon, other.coupon);
  redis_.flush();
  database_.stored_through = {0, 0, 0};
  database_.rows.clear();
  database_.sequences.clear();
  database_.codes.clear();
  const auto report = recovered();
  EXPECT_EQ(report.void_events, 1U);
  EXPECT_EQ(report.from_log, 1U);
  EXPECT_THAT(database_.letters, IsEmpty());
}

TEST_F(RecoveryTest, AnAppendBetweenClosingAndFencingCounts) {
  const auto event = admit(1);
  redis_.flush();
  interfere_ = [&](std::string_view what) {
    if (what == "database fence") append(event);
  };
  const auto report = recovered();
  EXPECT_EQ(report.from_log, 1U);
  EXPECT_EQ(find(1)->coupon, event.coupon);
  EXPECT_FALSE(find(1)->pending);
}

TEST_F(RecoveryTest, AWorkerThatGoesOnMeanwhileHidesNothing) {
  for (std::uint64_t user = 1; user <= 6; ++user) issue(user);
  redis_.flush();
  for (const char* moment : {"database read_rows", "kafka read"}) {
    interfere_ = [&](std::string_view what) {
      if (what == moment) store();
    };
    recovered();
    EXPECT_EQ(holders().size(), 6U);
  }
}

TEST_F(RecoveryTest, RowsAndLogWinOverASetBackLedger) {
  issue(1);
  issue(2);
  const auto entries = redis_.file_entries();
  issue(3);
  redis_.restart(redis_.file_entries() - entries);
  // Open again under the old state, as a ledger without epochs would be: number 3 goes to another user.
  const auto before = *database_.campaigns.find(id_);
  ASSERT_TRUE(redis_.close(before.second));
  ASSERT_TRUE(redis_.begin_rebuild(before.second));
  ASSERT_TRUE(
      redis_.add(before.second, std::vector{coupon_event("drop", 3, UserId::from_integer(9))}, false));
  const auto report = recovered();
  EXPECT_EQ(report.contradicting, 1U);
  EXPECT_THAT(holders(), ElementsAre(std::pair(1, "1"), std::pair(2, "2"), std::pair(3, "3")));
}

TEST_F(RecoveryTest, LeftoversDoNotExceedALoweredLimit) {
  for (std::uint64_t user = 1; user <= 4; ++user) admit(user);
  redis_.restart(0);
  auto lower = definition_;
  lower.limit = 2;
  lower.revision = 2;
  ASSERT_TRUE(database_.put(lower));
  const auto report = recovered();
  EXPECT_EQ(report.leftovers, 2U);
  EXPECT_EQ(report.over_limit, 2U);
}

TEST_F(RecoveryTest, ReadableDeadLettersCount) {
  const auto put_aside = admit(1);
  database_.letters.push_back({1, "conflict: user", put_aside});
  redis_.flush();
  EXPECT_EQ(recovered().from_letters, 1U);
  EXPECT_EQ(find(1)->coupon, put_aside.coupon);
}

TEST_F(RecoveryTest, ALogThatLostItsDataIsFilledFromTheLedger) {
  auto second = test::campaign("other", 5);
  ASSERT_TRUE(database_.put(second));
  redis_.prepare(second.id, 1);
  ASSERT_TRUE(redis_.open(second, 1));
  for (std::uint64_t user = 1; user <= 4; ++user) issue(user);
  store();
  const auto untold = issue(5);
  const auto waiting = admit(6);
  kafka_.wipe();
  const auto reports = recover();
  ASSERT_TRUE(reports) << reports.error().detail;
  EXPECT_EQ(reports->size(), 2U) << "every campaign is concerned";
  EXPECT_TRUE(reports->at(0).log_was_lost);
  EXPECT_EQ(reports->at(0).leftovers, 2U);
  EXPECT_THAT(database_.stored_through, ElementsAre(0, 0, 0));
  relay();
  store();
  EXPECT_EQ(database_.rows.size(), 6U);
  EXPECT_EQ(database_.rows.at({id_, UserId::from_integer(5)}).coupon, untold.coupon);
  EXPECT_EQ(database_.rows.at({id_, UserId::from_integer(6)}).coupon, waiting.coupon);
}

TEST_F(RecoveryTest, AnotherLogIsNoticedHoweverFarItHasGrown) {
  recovered();  // notes which log it is
  issue(1);
  store();
  kafka_.wipe();
  for (std::uint64_t user = 2; user <= 9; ++user) issue(user);
  const auto report = recovered();
  EXPECT_TRUE(report.log_was_lost);
  store();
  EXPECT_EQ(database_.rows.size(), 9U);
}

TEST_F(RecoveryTest, AnotherRecoveryAtWorkIsAConflict) {
  interfere_ = [&](std::string_view what) {
    if (what == "database raise_epoch") ++database_.campaigns[id_].epoch;
  };
  const auto reports = recover();
  ASSERT_FALSE(reports);
  EXPECT_EQ(reports.error().code, ErrorCode::conflict);
}

TEST_F(RecoveryTest, AnUnknownCampaignIsNotFound) {
  database_.campaigns.clear();
  EXPECT_EQ(recover().error().code, ErrorCode::not_found);
}

TEST_F(RecoveryTest, AWorkerThatGoesOnWhileTheLogIsLookedAtIsNoLoss) {
  issue(1);
  bool went_on = false;
  interfere_ = [&](std::string_view what) {
    if (what != "database stored_through" || std::exchange(went_on, true)) return;
    issue(2);
    store();
  };
  EXPECT_FALSE(recovered().log_was_lost);
  EXPECT_TRUE(went_on);
}

TEST_F(RecoveryTest, ALedgerThatRestartsWhileItIsFilledStaysClosed) {
  issue(1);
  redis_.flush();
  interfere_ = [&](std::string_view what) {
    if (what == "redis finish_rebuild") redis_.restart(0);
  };
  EXPECT_EQ(recover().error().code, ErrorCode::conflict);
  EXPECT_FALSE(redis_.is_open(id_, 2));
  interfere_ = nullptr;
  recovered();
  EXPECT_THAT(holders(), ElementsAre(std::pair(1, "1")));
}

/// What a user would be told, after a recovery and everything that follows from it.
class KilledRecoveryTest : public RecoveryTest, public testing::WithParamInterface<bool> {
 protected:
  /// Some coupons in every place where one can be.
  void prepare(bool log_lost) {
    for (std::uint64_t user = 1; user <= 3; ++user) issue(user);
    store();
    issue(4);
    append(admit(5));
    admit(6);
    if (log_lost) {
      kafka_.wipe();
    } else {
      redis_.restart(0);
    }
  }
  std::map<std::uint64_t, std::string> result() {
    recovered();
    relay();
    store();
    EXPECT_THAT(database_.letters, IsEmpty());
    std::map<std::uint64_t, std::string> rows;
    for (const auto& [key, row] : database_.rows)
      rows[row.coupon.sequence] = std::string(row.coupon.user.text());
    EXPECT_EQ(rows, holders());
    return rows;
  }
};

TEST_P(KilledRecoveryTest, KilledAnywhereAndRunAgainTheResultIsTheSame) {
  prepare(GetParam());
  // Each run gets one call further than the run before it, until one is through.
  std::size_t calls = 0;
  for (kill_at_ = 1;; ++*kill_at_) {
    calls_.clear();
    try {
      const auto reports = recover();
      ASSERT_TRUE(reports) << reports.error().detail;
      break;
    } catch (const Killed&) {
      ++calls;
      ASSERT_LT(calls, 200U);
    }
  }
  EXPECT_GT(calls, 10U);
  kill_at_.reset();
  EXPECT_THAT(result(), ElementsAre(std::pair(1, "1"), std::pair(2, "2"), std::pair(3, "3"),
                                    std::pair(4, "4"), std::pair(5, "5"), std::pair(6, "6")));
}

INSTANTIATE_TEST_SUITE_P(Losses, KilledRecoveryTest, testing::Bool(),
                         [](const auto& of) { return of.param ? "OfTheLog" : "OfTheLedgersRun"; });

TEST_F(RecoveryTest, ARaisedLimitWaitsUntilNobodySaysSoldOutByHimself) {
  issue(1);
  redis_.flush();
  recovered();
  EXPECT_EQ(paused_, Duration::zero()) << "never raised";
  auto raised = database_.campaigns[id_];
  raised.revision = 2;
  ASSERT_TRUE(database_.put(raised));
  redis_.flush();
  interfere_ = [&](std::string_view what) {
    if (what == "redis begin_rebuild") clock_.advance(std::chrono::milliseconds(400));
  };
  recovered();
  EXPECT_EQ(paused_, std::chrono::milliseconds(600));
  raised = database_.campaigns[id_];
  raised.revision = 3;
  raised.limit = 1;
  ASSERT_TRUE(database_.put(raised));
  redis_.flush();
  paused_ = {};
  recovered();
  EXPECT_EQ(paused_, Duration::zero()) << "sold out: nobody gets a coupon";
}

TEST_F(RecoveryTest, AReportIsOneLine) {
  issue(1);
  redis_.flush();
  EXPECT_THAT(to_text(recovered()),
              HasSubstr("campaign drop: open in epoch 2 with 0 coupons from the database, "
                        "1 from the log"));
}

TEST_F(RecoveryTest, ProgressNamesEveryStep) {
  issue(1);
  const auto before = [](const char*) -> Result<void> { return {}; };
  model::DatabaseRecovery store(database_, before);
  model::KafkaReader log(kafka_, before);
  model::RedisRebuild ledger(redis_, before);
  std::vector<Step> steps;
  Options options;
  options.progress = [&](const Progress& progress) {
    if (steps.empty() || steps.back() != progress.step) steps.push_back(progress.step);
  };
  ASSERT_TRUE(Recovery({store, log, ledger}, clock_, options).recover(id_));
  EXPECT_THAT(steps,
              ElementsAre(Step::raise_epoch, Step::close, Step::fence, Step::read_rows, Step::read_log,
                          Step::read_dead_letters, Step::read_ledger, Step::fill, Step::open, Step::done));
}

}  // namespace
}  // namespace doorbuster::recovery
