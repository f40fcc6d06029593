// The server is killed, stopped and started while the parts work: nothing is lost, doubled or half done.

#include <gmock/gmock.h>

#include <atomic>
#include <thread>

#include "adapters/mariadb/mariadb_catalog.hpp"
#include "adapters/mariadb/mariadb_recovery.hpp"
#include "adapters/mariadb/mariadb_repository.hpp"
#include "adapters/mariadb/mariadb_store.hpp"
#include "adapters/mariadb/test_parts.hpp"

namespace doorbuster::mariadb {
namespace {

using test::campaign_id;
using test::coupon_event;
using test::tell_stack;

/// Publishes when it is told to; notes what it was given.
class SwitchedLog final : public ChangeLog {
 public:
  Result<void> publish(const CampaignChanged& change, Duration) override {
    if (broken) return make_error(ErrorCode::unavailable, "no log");
    published.push_back(change.definition.revision);
    return {};
  }
  bool broken = false;
  std::vector<std::uint32_t> published;
};

class FaultTest : public testing::Test {
 protected:
  ServerOptions database_ = fresh_database();
};

TEST_F(FaultTest, AServerKilledBetweenAndDuringCommitsHasEveryBatchWholeAndOnce) {
  constexpr std::uint64_t kLast = 60'000, kBatch = 500;
  std::atomic<std::uint64_t> stored{0}, failures{0};
  std::thread worker([&] {
    MariaDbCouponStore store(database_, {kTopic, 0, nullptr});
    bool known = false;
    LogPosition position = 0;
    while (position < kLast) {
      if (!known) {
        const auto through = store.stored_through();
        if (!through) {
          ++failures;
          std::this_thread::yield();
          continue;
        }
        // A batch is whole or not there.
        EXPECT_EQ(*through % kBatch, 0U);
        position = *through;
        known = true;
      }
      known = store.store(records(position + 1, position + kBatch)).has_value();
      if (known) position += kBatch;
      failures += known ? 0 : 1;
      stored = position;
    }
  });
  for (const std::uint64_t moment : {5'000U, 20'000U, 40'000U}) {
    while (stored < moment) std::this_thread::yield();
    EXPECT_EQ(tell_stack("kill9 mariadb"), "");
    EXPECT_EQ(tell_stack("start mariadb"), "");
  }
  worker.join();
  EXPECT_GE(failures, 3U);
  EXPECT_EQ(number(database_, "SELECT COUNT(*) FROM coupon_issued_user"), static_cast<std::int64_t>(kLast));
  EXPECT_EQ(number(database_, "SELECT MAX(sequence) FROM coupon_issued_user"),
            static_cast<std::int64_t>(kLast));
  EXPECT_EQ(number(database_, "SELECT position FROM worker_offset"), static_cast<std::int64_t>(kLast));
  EXPECT_EQ(number(database_, "SELECT COUNT(*) FROM dead_letter"), 0);
}

TEST_F(FaultTest, WhatWasAnsweredIsThereAfterAKill) {
  MariaDbCouponStore store(database_, {kTopic, 0, nullptr});
  MariaDbRepository repository{RepositoryOptions{database_, kTopic}};
  ASSERT_TRUE(store.store(records(1, 10)));
  const auto code = coupon_event("sale", 1).coupon.code;
  ASSERT_TRUE(repository.redeem(code, "till-1", test::ManualClock::kStart));
  ASSERT_EQ(tell_stack("kill9 mariadb"), "");
  EXPECT_EQ(repository.find(code).error().code, ErrorCode::unavailable);
  EXPECT_EQ(repository.redeem(code, "till-1", test::ManualClock::kStart).error().code,
            ErrorCode::unavailable);
  EXPECT_EQ(store.store(records(11, 12)).error().code, ErrorCode::unavailable);
  ASSERT_EQ(tell_stack("start mariadb"), "");
  EXPECT_EQ(repository.find(code).value()->redeemed_at, test::ManualClock::kStart) << "on new connections";
  EXPECT_TRUE(repository.redeem(code, "till-1", test::ManualClock::kStart)->repeated);
  EXPECT_EQ(store.stored_through().value(), 10U);
  EXPECT_TRUE(store.store(records(11, 12)));
}

TEST_F(FaultTest, AServerThatStandsStillIsGivenUpInTime) {
  database_.answer_timeout = database_.connect_timeout = std::chrono::seconds(1);
  MariaDbCouponStore store(database_, {kTopic, 0, nullptr});
  MariaDbRepository repository{RepositoryOptions{database_, kTopic}};
  ASSERT_TRUE(store.store(records(1, 10)));
  ASSERT_TRUE(repository.find(coupon_event("sale", 1).coupon.code));
  ASSERT_EQ(tell_stack("pause mariadb"), "");
  const auto before = std::chrono::steady_clock::now();
  EXPECT_EQ(store.store(records(11, 12)).error().code, ErrorCode::unavailable);
  EXPECT_EQ(repository.find(coupon_event("sale", 1).coupon.code).error().code, ErrorCode::unavailable);
  EXPECT_LT(std::chrono::steady_clock::now() - before, std::chrono::seconds(10));
  ASSERT_EQ(tell_stack("resume mariadb"), "");
  ASSERT_TRUE(store.stored_through());
  EXPECT_TRUE(store.store(records(11, 12)));
}

TEST_F(FaultTest, AChangeThatDidNotReachTheLogIsPublishedLaterAndInOrder) {
  Pool pool(pool_of(database_));
  rt::Offload threads("db", 1, 10);
  SwitchedLog log;
  MariaDbCatalog catalog(pool, log, threads);
  auto definition = test::campaign("sale", 10);
  log.broken = true;
  EXPECT_EQ(catalog.put_now(definition).error().code, ErrorCode::unknown_outcome);
  EXPECT_EQ(catalog.get_now(campaign_id("sale")).value(), definition) << "written all the same";
  EXPECT_FALSE(catalog.publish_pending());
  definition.revision = 2;
  EXPECT_EQ(catalog.put_now(definition).error().code, ErrorCode::unknown_outcome);
  log.broken = false;
  definition.revision = 3;
  EXPECT_TRUE(catalog.put_now(definition));
  EXPECT_THAT(log.published, testing::ElementsAre(1, 2, 3)) << "those that waited go first";
  EXPECT_EQ(catalog.publish_pending().value(), 0U);
  log.broken = true;
  EXPECT_FALSE(catalog.put_now(test::campaign("other", 5)));
  log.broken = false;
  EXPECT_EQ(catalog.publish_pending().value(), 1U) << "of any campaign";
  EXPECT_EQ(number(database_, "SELECT COUNT(*) FROM campaign_revision WHERE published = 0"), 0);
  log.published.clear();
  ASSERT_TRUE(MariaDbRecoveryStore(database_, kTopic).rewind_to_start());
  EXPECT_EQ(catalog.publish_pending().value(), 4U) << "a log that was made anew is told everything";
  EXPECT_THAT(log.published, testing::ElementsAre(1, 1, 2, 3)) << "each campaign's in order";
}

TEST_F(FaultTest, AChangeBegunBeforeARecoveryFails) {
  Pool pool(pool_of(database_));
  rt::Offload threads("db", 1, 10);
  SwitchedLog log;
  MariaDbCatalog catalog(pool, log, threads);
  auto definition = test::campaign("sale", 10);
  ASSERT_TRUE(catalog.put_now(definition));
  MariaDbRecoveryStore recovery(database_, kTopic);
  const auto raised = recovery.raise_epoch(definition.id, 1);
  ASSERT_TRUE(raised);
  EXPECT_EQ(raised->epoch, 2U);
  EXPECT_EQ(recovery.raise_epoch(definition.id, 1).error().code, ErrorCode::conflict) << "another was faster";
  EXPECT_EQ(recovery.raise_epoch(campaign_id("absent"), 1).error().code, ErrorCode::not_found);
  definition.revision = 2;
  EXPECT_EQ(catalog.put_now(definition).error().code, ErrorCode::conflict);
  definition.epoch = 2;
  EXPECT_TRUE(catalog.put_now(definition));
  EXPECT_EQ(recovery.campaigns().value(), std::vector<CampaignDefinition>{definition});
}

}  // namespace
}  // namespace doorbuster::mariadb
