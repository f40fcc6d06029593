#include "services/recovery/recovery_supervisor.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/log.hpp"
#include "services/recovery/recovery_thread.hpp"
#include "tests/sim/model_database.hpp"
#include "tests/sim/model_kafka.hpp"
#include "tests/sim/model_redis.hpp"
#include "tests/support/samples.hpp"

namespace doorbuster::recovery {
namespace {

using namespace std::chrono_literals;

class RecoverySupervisorTest : public testing::Test {
 protected:
  RecoverySupervisorTest() {
    (void)set_log_level("off");
    EXPECT_TRUE(database_.put(definition_));
    redis_.prepare(definition_.id, 1);
    EXPECT_TRUE(redis_.open(definition_, 1));
  }
  Result<void> before(const char*) {
    if (broken_) return make_error(ErrorCode::unavailable, "nobody answers");
    return {};
  }
  bool open() { return redis_.is_open(definition_.id, database_.campaigns[definition_.id].epoch); }
  std::uint32_t epoch() { return database_.campaigns[definition_.id].epoch; }

  CampaignDefinition definition_ = test::campaign("drop", 10);
  test::ManualClock clock_;
  SeededRandom random_{1};
  model::Redis redis_{clock_, random_};
  model::Kafka kafka_{2};
  model::Database database_{2};
  bool broken_ = false;
  model::DatabaseRecovery store_{database_, [this](const char* what) { return before(what); }};
  model::KafkaReader log_{kafka_, [](const char*) { return Result<void>(); }};
  model::RedisRebuild ledger_{redis_, [](const char*) { return Result<void>(); }};
  RecoverySupervisor supervisor_{{store_, log_, ledger_}, clock_};
};

TEST_F(RecoverySupervisorTest, ANoticedCampaignIsOpenedAgain) {
  redis_.restart(0);
  supervisor_.notice(definition_.id);
  supervisor_.run_due();
  EXPECT_TRUE(open());
  EXPECT_EQ(epoch(), 2U);
  EXPECT_EQ(supervisor_.stats().recovered, 1U);
}

TEST_F(RecoverySupervisorTest, WhatIsOpenIsLeftAlone) {
  supervisor_.notice(definition_.id);
  supervisor_.run_due();
  EXPECT_EQ(epoch(), 1U);
}

TEST_F(RecoverySupervisorTest, WhatAnotherProcessRecoversIsLeftToIt) {
  redis_.restart(0);
  database_.locks[definition_.id] = &redis_;
  supervisor_.notice(definition_.id);
  supervisor_.run_due();
  EXPECT_EQ(epoch(), 1U);
  database_.locks.clear();
  clock_.advance(1s);
  supervisor_.notice(definition_.id);
  supervisor_.run_due();
  EXPECT_TRUE(open());
  EXPECT_TRUE(database_.locks.empty()) << "the right is given back";
}

TEST_F(RecoverySupervisorTest, FailuresAreTriedAgainLaterAndLater) {
  redis_.restart(0);
  broken_ = true;
  supervisor_.notice(definition_.id);
  supervisor_.run_due();
  EXPECT_EQ(supervisor_.stats().failures, 1U);
  supervisor_.notice(definition_.id);
  supervisor_.run_due();
  EXPECT_EQ(supervisor_.stats().failures, 1U) << "not before its time";
  clock_.advance(200ms);
  supervisor_.run_due();
  EXPECT_EQ(supervisor_.stats().failures, 2U);
  clock_.advance(200ms);
  supervisor_.run_due();
  EXPECT_EQ(supervisor_.stats().failures, 2U);
  broken_ = false;
  clock_.advance(200ms);
  supervisor_.run_due();
  EXPECT_TRUE(open());
  EXPECT_EQ(supervisor_.stats().last_error, "");
  EXPECT_EQ(supervisor_.stats().waiting, 0U);
}

TEST_F(RecoverySupervisorTest, WhatIsBeingCreatedIsLeftToItsCreatorForAWhile) {
  SupervisorOptions options;
  options.wall_clock = &clock_;  // the campaign was created at the clock's start
  RecoverySupervisor patient({store_, log_, ledger_}, clock_, options);
  redis_.flush();
  patient.notice(definition_.id);
  patient.run_due();
  EXPECT_EQ(epoch(), 1U);
  clock_.advance(5s);
  patient.run_due();
  EXPECT_EQ(epoch(), 2U) << "he has died";
}

TEST_F(RecoverySupervisorTest, ALostLogIsNoticedWithoutBeingTold) {
  supervisor_.run_due();
  kafka_.wipe();
  clock_.advance(1s);
  supervisor_.run_due();
  EXPECT_EQ(supervisor_.stats().log_losses, 1U);
  EXPECT_EQ(epoch(), 2U);
  EXPECT_TRUE(open());
  clock_.advance(1s);
  supervisor_.run_due();
  EXPECT_EQ(supervisor_.stats().log_losses, 1U);
}

TEST_F(RecoverySupervisorTest, AThreadDoesTheSame) {
  redis_.restart(0);
  SystemClock clock;
  std::atomic<bool> opened{false};
  SupervisorOptions options;
  options.recovery.progress = [&](const Progress& progress) {
    if (progress.step == Step::done) opened = true;
  };
  RecoveryThread thread({store_, log_, ledger_}, clock, options);
  thread.start();
  thread.notice(definition_.id);
  while (!opened) std::this_thread::yield();
  thread.stop();
  EXPECT_TRUE(open());
}

}  // namespace
}  // namespace doorbuster::recovery
