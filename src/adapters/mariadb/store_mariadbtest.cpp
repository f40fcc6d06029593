// What the store does beyond the suite: zombies, fences, dead letters, a log that is told again.

#include <gmock/gmock.h>

#include "adapters/mariadb/mariadb_recovery.hpp"
#include "adapters/mariadb/mariadb_repository.hpp"
#include "adapters/mariadb/mariadb_store.hpp"
#include "adapters/mariadb/test_parts.hpp"
#include "proto/event/event_codec.hpp"

namespace doorbuster::mariadb {
namespace {

using test::campaign_id;
using test::coupon_event;
using testing::HasSubstr;

class StoreTest : public testing::Test {
 protected:
  std::unique_ptr<MariaDbCouponStore> store(std::uint32_t partition = 0,
                                            Duration refused_for = std::chrono::minutes(10)) {
    return std::make_unique<MariaDbCouponStore>(database_,
                                                StoreOptions{kTopic, partition, nullptr, refused_for});
  }
  std::int64_t rows() { return number(database_, "SELECT COUNT(*) FROM coupon_issued_user"); }
  std::int64_t dead_letters() { return number(database_, "SELECT COUNT(*) FROM dead_letter"); }

  ServerOptions database_ = fresh_database();
  MariaDbRepository repository_{RepositoryOptions{database_, kTopic}};
  MariaDbRecoveryStore recovery_{database_, kTopic};
};

TEST_F(StoreTest, AWorkerThatHasLostItsPartitionStoresNothingAndReadsThePositionAgain) {
  auto zombie = store(), heir = store();
  ASSERT_EQ(zombie->stored_through().value(), 0U);
  ASSERT_TRUE(zombie->store(records(1, 3)));
  ASSERT_EQ(heir->stored_through().value(), 3U);
  ASSERT_TRUE(heir->store(records(4, 6)));
  const auto late = zombie->store(records(4, 8));
  ASSERT_FALSE(late);
  EXPECT_EQ(late.error().code, ErrorCode::conflict);
  EXPECT_THAT(late.error().detail, HasSubstr("up to 6, not 3"));
  EXPECT_EQ(rows(), 6);
  EXPECT_EQ(zombie->stored_through().value(), 6U);
  ASSERT_TRUE(zombie->store(records(7, 8)));
  EXPECT_EQ(rows(), 8);
  EXPECT_EQ(dead_letters(), 0);
}

TEST_F(StoreTest, PartitionsHavePositionsOfTheirOwn) {
  auto first = store(0), second = store(1);
  ASSERT_TRUE(first->store(records(1, 5)));
  ASSERT_TRUE(second->store({record(1, coupon_event("sale", 6)), record(9, coupon_event("sale", 7))}));
  EXPECT_EQ(first->stored_through().value(), 5U);
  EXPECT_EQ(second->stored_through().value(), 9U);
  EXPECT_EQ(repository_.stored_through(3).value(), (std::vector<LogPosition>{5, 9, 0}));
  EXPECT_EQ(static_cast<CouponRepository&>(repository_).stored_through().value(), 14U);
  EXPECT_EQ(repository_.list(campaign_id("sale"), 0, 100)->size(), 7U);
}

TEST_F(StoreTest, AnEventThatWaitedIsWrittenAgainUnderANewerEpoch) {
  auto one = store();
  auto newer = coupon_event("sale", 1);
  newer.epoch = 2;
  newer.revision = 5;
  newer.instance = InstanceName("api-2");
  ASSERT_TRUE(one->store({record(1, coupon_event("sale", 1)), record(2, newer)}));
  ASSERT_TRUE(one->store({record(3, newer)}));
  EXPECT_EQ(one->stats().rows, 1U);
  EXPECT_EQ(one->stats().repeated, 2U);
  EXPECT_EQ(dead_letters(), 0);
}

TEST_F(StoreTest, FewConflictsInALargeBatchKeepNothingElseOut) {
  auto batch = records(1, 2'345);
  batch[700].event = coupon_event("sale", 5);  // there already, with the same values
  batch[1500].event = coupon_event("sale", 1'501, coupon_event("sale", 3).coupon.user);
  auto other_code = coupon_event("sale", 2'001);
  other_code.coupon.code = coupon_event("sale", 9).coupon.code;
  batch[2000].event = other_code;
  auto one = store();
  ASSERT_TRUE(one->store(batch));
  EXPECT_EQ(rows(), 2'342);
  EXPECT_EQ(one->stats().rows, 2'342U);
  EXPECT_EQ(one->stats().repeated, 1U);
  EXPECT_EQ(one->stored_through().value(), 2'345U);
  const auto letters = repository_.dead_letters(10).value();
  ASSERT_EQ(letters.size(), 2U);
  EXPECT_EQ(letters[0].position, 1'501U);
  EXPECT_EQ(letters[0].reason, "conflict: user 1003 holds number 3 of campaign sale");
  EXPECT_EQ(letters[1].position, 2'001U);
  EXPECT_THAT(letters[1].reason, HasSubstr("belongs to number 9 of campaign sale"));
}

TEST_F(StoreTest, ALogToldAgainFromItsStartChangesNothing) {
  auto one = store();
  auto batch = records(1, 1'500);
  batch.push_back(record(1'501, coupon_event("sale", 1'501, coupon_event("sale", 1).coupon.user)));
  batch.push_back(record(1'502, Unreadable{"no JSON", "{"}));
  ASSERT_TRUE(one->store(batch));
  const auto code = coupon_event("sale", 7).coupon.code;
  ASSERT_TRUE(repository_.redeem(code, "till-1", test::ManualClock::kStart));
  ASSERT_TRUE(recovery_.rewind_to_start());
  EXPECT_EQ(one->store(records(1'503, 1'503)).error().code, ErrorCode::conflict) << "it has to begin anew";
  ASSERT_EQ(one->stored_through().value(), 0U);
  ASSERT_TRUE(one->store(batch));
  EXPECT_EQ(rows(), 1'500);
  EXPECT_EQ(one->stats().repeated, 1'500U);
  EXPECT_EQ(dead_letters(), 2);
  EXPECT_EQ(number(database_, "SELECT COUNT(*) FROM redemption"), 1);
  EXPECT_TRUE(repository_.redeem(code, "till-1", test::ManualClock::kStart)->repeated);
  EXPECT_EQ(repository_.redeem(code, "till-2", test::ManualClock::kStart).error().code, ErrorCode::conflict);
}

TEST_F(StoreTest, WhatCannotBeReadIsPutAsideAsItIs) {
  const std::string payload("\0\xff'\"{", 5);
  std::vector<DeadLetter> told;
  bool refuse = true;
  MariaDbCouponStore one(database_, {kTopic, 0, [&](const std::vector<DeadLetter>& letters) -> Result<void> {
                                       if (refuse) return make_error(ErrorCode::unavailable, "no topic");
                                       told = letters;
                                       return {};
                                     }});
  const std::vector<LogRecord> batch{record(1, coupon_event("sale", 1)),
                                     record(2, Unreadable{"not JSON", payload}),
                                     record(3, coupon_event("sale", 2))};
  EXPECT_EQ(one.store(batch).error().code, ErrorCode::unavailable);
  EXPECT_EQ(rows(), 0) << "it is not put aside before the topic has it";
  refuse = false;
  ASSERT_TRUE(one.store(batch));
  EXPECT_EQ(rows(), 2);
  ASSERT_EQ(told.size(), 1U);
  const auto letters = repository_.dead_letters(10).value();
  ASSERT_EQ(letters.size(), 1U);
  EXPECT_EQ(letters[0].position, 2U);
  EXPECT_EQ(letters[0].reason, "poison: not JSON");
  EXPECT_EQ(letters[0].event, payload);
  EXPECT_EQ(told[0].event, payload);
  EXPECT_EQ(one.stats().dead_letters, 1U);
}

TEST_F(StoreTest, WhatTheServerRefusesIsPutAsideAfterAWhileAndTheRestGoesOn) {
  ASSERT_TRUE(
      connect(database_)->execute("CREATE TRIGGER guard BEFORE INSERT ON coupon_issued_user FOR EACH ROW IF "
                                  "NEW.sequence IN (700, 701, 1490) "
                                  "THEN SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'not this one'; END IF"));
  auto batch = records(1, 1'500);
  batch[100].event = coupon_event("sale", 101, coupon_event("sale", 3).coupon.user);
  auto patient = store();
  for (int attempt = 1; attempt < 3; ++attempt) {
    const auto refused = patient->store(batch);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, ErrorCode::unavailable);
    EXPECT_THAT(refused.error().detail, HasSubstr("record 700 of partition 0"));
    EXPECT_THAT(refused.error().detail, HasSubstr("not this one"));
    EXPECT_EQ(rows(), 0) << "all or nothing";
    EXPECT_EQ(patient->stored_through().value(), 0U);
  }
  EXPECT_FALSE(repository_.any_refused().value());
  auto one = store(0, Duration{});
  ASSERT_TRUE(one->store(batch));
  EXPECT_TRUE(repository_.any_refused().value()) << "a code that is not there may be one of these";
  EXPECT_EQ(one->stored_through().value(), 1'500U);
  EXPECT_EQ(rows(), 1'496);
  const auto letters = repository_.dead_letters(10).value();
  ASSERT_EQ(letters.size(), 4U);
  EXPECT_THAT(letters[0].reason, testing::StartsWith("conflict: "));
  EXPECT_EQ(letters[1].position, 700U);
  EXPECT_THAT(letters[1].reason, testing::StartsWith("refused: MariaDB at "));
  EXPECT_THAT(letters[1].reason, HasSubstr("not this one"));
  EXPECT_EQ(letters[3].position, 1'490U);
  ASSERT_TRUE(one->store(records(1'501, 1'600)));
  EXPECT_EQ(one->replay_dead_letters().value(), 0U) << "it is refused still";
  ASSERT_TRUE(connect(database_)->execute("DROP TRIGGER guard"));
  EXPECT_EQ(one->replay_dead_letters().value(), 3U);
  EXPECT_EQ(rows(), 1'599);
  EXPECT_FALSE(repository_.any_refused().value());
}

TEST_F(StoreTest, DeadLettersAreStoredWhenTheirReasonIsGone) {
  auto one = store();
  const auto late = coupon_event("sale", 2, coupon_event("sale", 1).coupon.user);
  ASSERT_TRUE(
      one->store({record(1, coupon_event("sale", 1)), record(2, late), record(3, Unreadable{"x", "{"})}));
  EXPECT_EQ(one->replay_dead_letters().value(), 0U);
  EXPECT_EQ(dead_letters(), 2);
  // Somebody has mended the table by hand.
  ASSERT_TRUE(connect(database_)->execute("DELETE FROM coupon_issued_user"));
  EXPECT_EQ(one->replay_dead_letters().value(), 1U);
  EXPECT_EQ(dead_letters(), 1) << "what nobody can read stays";
  EXPECT_EQ(repository_.find(late.coupon.code).value()->coupon, late.coupon);
  EXPECT_EQ(one->replay_dead_letters().value(), 0U);
}

TEST_F(StoreTest, EventsOfAnOlderEpochBehindAFenceAreVoidOnEveryReplay) {
  auto one = store();
  ASSERT_TRUE(one->store(records(1, 2)));
  ASSERT_TRUE(recovery_.fence(campaign_id("sale"), 2, [] { return std::vector<LogPosition>{3}; }));
  auto newer = coupon_event("sale", 5);
  newer.epoch = 2;
  const std::vector<LogRecord> rest{record(3, coupon_event("sale", 3)), record(4, coupon_event("sale", 4)),
                                    record(5, newer), record(6, coupon_event("other", 1))};
  for (int round = 0; round < 2; ++round) {
    ASSERT_TRUE(one->store(rest));
    EXPECT_EQ(rows(), 5) << "1, 2, 3 before the fence, 5 of the new epoch, and another campaign's";
    EXPECT_FALSE(repository_.find(coupon_event("sale", 4).coupon.code)->has_value());
    EXPECT_EQ(dead_letters(), 0);
    ASSERT_TRUE(recovery_.rewind_to_start());
    ASSERT_TRUE(one->stored_through());
  }
  EXPECT_EQ(one->stats().voided, 2U);
}

TEST_F(StoreTest, AFenceStandsWhereItWasFirstNoted) {
  const auto first = recovery_.fence(campaign_id("sale"), 2, [] { return std::vector<LogPosition>{3, 4}; });
  ASSERT_TRUE(first);
  EXPECT_EQ(*first, (EpochFence{2, {3, 4}}));
  const auto again = recovery_.fence(campaign_id("sale"), 2, []() -> Result<std::vector<LogPosition>> {
    ADD_FAILURE() << "the ends are not asked for again";
    return make_error(ErrorCode::internal, "");
  });
  EXPECT_EQ(*again, *first);
  ASSERT_TRUE(recovery_.fence(campaign_id("sale"), 3, [] { return std::vector<LogPosition>{5, 6}; }));
  ASSERT_TRUE(recovery_.fence(campaign_id("other"), 2, [] { return std::vector<LogPosition>{1, 1}; }));
  EXPECT_EQ(recovery_.fences(campaign_id("sale")).value(),
            (std::vector<EpochFence>{{2, {3, 4}}, {3, {5, 6}}}));
  EXPECT_FALSE(recovery_.fence(campaign_id("sale"), 4, []() -> Result<std::vector<LogPosition>> {
    return make_error(ErrorCode::unavailable, "no log");
  }));
  EXPECT_EQ(recovery_.fences(campaign_id("sale"))->size(), 2U);
}

TEST_F(StoreTest, NoWorkerStoresWhileAFenceIsNoted) {
  database_.lock_timeout = std::chrono::seconds(1);
  auto one = store();
  ASSERT_TRUE(one->store(records(1, 1)));
  ASSERT_TRUE(recovery_.fence(campaign_id("sale"), 2, [&] {
    const auto stored = one->store(records(2, 2));
    EXPECT_FALSE(stored);
    EXPECT_EQ(stored.error().code, ErrorCode::unavailable);
    return std::vector<LogPosition>{1};
  }));
  ASSERT_EQ(one->stored_through().value(), 1U);
  ASSERT_TRUE(one->store(records(2, 2)));
  EXPECT_EQ(rows(), 1) << "void: it stands behind the end that was noted";
}

TEST_F(StoreTest, AFenceWaitsForTheWorkersThatAreStoring) {
  auto other = connect(database_);
  Transaction worker(*other);
  ASSERT_TRUE(worker.begin());
  ASSERT_TRUE(other->integer("SELECT generation FROM fence_lock WHERE one = 1 LOCK IN SHARE MODE"));
  database_.lock_timeout = std::chrono::seconds(1);
  MariaDbRecoveryStore recovery(database_, kTopic);
  const auto fenced = recovery.fence(campaign_id("sale"), 2, []() -> Result<std::vector<LogPosition>> {
    ADD_FAILURE() << "the ends are noted when no worker is storing";
    return std::vector<LogPosition>{1};
  });
  EXPECT_EQ(fenced.error().code, ErrorCode::unavailable);
}

TEST_F(StoreTest, RecoveryReadsRowsAndLetters) {
  auto one = store();
  auto batch = records(1, 3);
  const auto letter = coupon_event("sale", 4, coupon_event("sale", 1).coupon.user);
  batch.push_back(record(4, letter));
  batch.push_back(record(5, Unreadable{"x", "{"}));
  batch.push_back(record(6, coupon_event("other", 1)));
  ASSERT_TRUE(one->store(batch));
  std::vector<std::uint64_t> found;
  ASSERT_TRUE(recovery_.read_rows(campaign_id("sale"), [&](CouponIssued&& event) -> Result<void> {
    auto wanted = coupon_event("sale", event.coupon.sequence);
    wanted.instance = {};
    EXPECT_EQ(event, wanted);
    found.push_back(event.coupon.sequence);
    return {};
  }));
  EXPECT_THAT(found, testing::UnorderedElementsAre(1, 2, 3));
  std::size_t letters = 0;
  ASSERT_TRUE(recovery_.read_dead_letters(campaign_id("sale"), [&](CouponIssued&& event) -> Result<void> {
    EXPECT_EQ(event, letter);
    ++letters;
    return {};
  }));
  EXPECT_EQ(letters, 1U);
  EXPECT_EQ(
      recovery_
          .read_rows(campaign_id("sale"),
                     [](CouponIssued&&) -> Result<void> { return make_error(ErrorCode::closed, "enough"); })
          .error()
          .code,
      ErrorCode::closed);
  EXPECT_EQ(recovery_.stored_through(2).value(), (std::vector<LogPosition>{6, 0}));
}

TEST_F(StoreTest, OneProcessRecoversACampaignUntilItEnds) {
  auto first = std::make_unique<MariaDbRecoveryStore>(database_, kTopic);
  EXPECT_TRUE(first->try_lock(campaign_id("sale")).value());
  EXPECT_FALSE(recovery_.try_lock(campaign_id("sale")).value());
  EXPECT_TRUE(recovery_.try_lock(campaign_id("other")).value());
  first->unlock(campaign_id("sale"));
  EXPECT_TRUE(recovery_.try_lock(campaign_id("sale")).value());
  recovery_.unlock(campaign_id("sale"));
  EXPECT_TRUE(first->try_lock(campaign_id("sale")).value());
  first.reset();
  while (!recovery_.try_lock(campaign_id("sale")).value()) {
  }
}

TEST_F(StoreTest, WhatWasStoredBeforeTheLogWasLostIsToldByRowsAlone) {
  ASSERT_TRUE(connect(database_)->execute(
      "INSERT INTO campaign (id, name, coupon_limit, status, strategy, durability, "
      "revision, epoch, created_at) VALUES ('sale', 'S', 9, 'open', 'atomic', "
      "'log', 1, 2, 0)"));
  auto one = store();
  auto newer = coupon_event("sale", 2);
  newer.epoch = 2;
  ASSERT_TRUE(one->store({record(1, coupon_event("sale", 1)), record(2, newer)}));
  EXPECT_TRUE(recovery_.told_by_rows_alone(campaign_id("sale"))->empty());
  ASSERT_TRUE(recovery_.rewind_to_start());
  const auto told = recovery_.told_by_rows_alone(campaign_id("sale")).value();
  ASSERT_EQ(told.size(), 1U);
  EXPECT_EQ(std::get<CouponIssued>(told[0]).coupon, coupon_event("sale", 1).coupon);
  EXPECT_TRUE(recovery_.told_by_rows_alone(campaign_id("other"))->empty());
}

TEST_F(StoreTest, TheLogThatPositionsAreOfIsNoted) {
  EXPECT_EQ(recovery_.log_identity().value(), "");
  ASSERT_TRUE(recovery_.note_log_identity("abc"));
  EXPECT_EQ(recovery_.log_identity().value(), "abc");
  ASSERT_TRUE(recovery_.note_log_identity("def"));
  EXPECT_EQ(recovery_.log_identity().value(), "def");
}

TEST_F(StoreTest, AWatermarkIsKeptForReadersThatComeLater) {
  auto one = store();
  for (std::uint64_t first = 1; first <= 30'000; first += 5'000) {
    auto batch = records(first, first + 4'999);
    if (first == 20'001) batch.erase(batch.begin() + 99);  // number 20100 comes later
    ASSERT_TRUE(one->store(batch));
  }
  const auto mark = number(database_, "SELECT watermark FROM coupon_watermark");
  EXPECT_GE(mark, 10'000);
  EXPECT_LE(mark, 20'099);
  MariaDbRepository reader{RepositoryOptions{database_, kTopic}};
  EXPECT_TRUE(reader.list(campaign_id("sale"), 20'099, 10)->empty());
  EXPECT_EQ(reader.list(campaign_id("sale"), 20'090, 100)->size(), 9U);
  ASSERT_TRUE(one->store({record(30'001, coupon_event("sale", 20'100))}));
  EXPECT_EQ(reader.list(campaign_id("sale"), 20'090, 100)->size(), 100U);
  EXPECT_EQ(reader.list(campaign_id("sale"), 29'999, SIZE_MAX)->size(), 1U);
}

}  // namespace
}  // namespace doorbuster::mariadb
