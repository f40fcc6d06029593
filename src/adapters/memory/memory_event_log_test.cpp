#include "adapters/memory/memory_event_log.hpp"

#include <gtest/gtest.h>

#include "adapters/memory/memory_catalog.hpp"
#include "tests/support/catalog_suite.hpp"
#include "tests/support/event_log_suite.hpp"

namespace doorbuster::test {
namespace {

class MemoryBed {
 public:
  EventLog& log() { return log_; }
  EventSource& source() { return log_; }
  CampaignCatalog& catalog() { return catalog_; }
  ManualExecutor& executor() { return executor_; }
  void reopen() { log_.crash(); }  // what is safe outlives even that

 private:
  MemoryEventLog log_;
  MemoryCatalog catalog_{log_};
  ManualExecutor executor_;
};

INSTANTIATE_TYPED_TEST_SUITE_P(Memory, EventLogSuite, MemoryBed);
INSTANTIATE_TYPED_TEST_SUITE_P(Memory, CatalogSuite, MemoryBed);

class MemoryEventLogTest : public testing::Test {
 protected:
  /// Appends one event; its answer comes to `answers_`.
  void start(std::uint64_t sequence) {
    log_.append({coupon_event("sale", sequence)}, executor_, [this](Result<void> result) {
      answers_.push_back(result ? "safe" : traits(result.error().code).slug);
    });
    executor_.run_until_idle();
  }
  std::size_t safe() { return log_.read(0, 1000).value().size(); }
  using Answers = std::vector<std::string_view>;

  MemoryEventLog log_{3};
  MemoryCatalog catalog_{log_};
  ManualExecutor executor_;
  Answers answers_;
};

TEST_F(MemoryEventLogTest, HeldAppendsAreSafeOnlyAfterASync) {
  log_.hold();
  start(1);
  start(2);
  EXPECT_TRUE(answers_.empty());
  EXPECT_EQ(safe(), 0U);
  EXPECT_EQ(log_.sync(), 2U);
  EXPECT_TRUE(answers_.empty()) << "posted, not called";
  executor_.run_until_idle();
  EXPECT_EQ(answers_, (Answers{"safe", "safe"}));
  EXPECT_EQ(safe(), 2U);
  start(3);
  EXPECT_EQ(answers_.size(), 2U);
  log_.release();
  executor_.run_until_idle();
  EXPECT_EQ(answers_.size(), 3U);
}

TEST_F(MemoryEventLogTest, ACrashForgetsTheUnsyncedTailAndAnswersNobody) {
  start(1);
  log_.hold();
  start(2);
  log_.crash();
  executor_.run_until_idle();
  EXPECT_EQ(answers_, (Answers{"safe"}));
  EXPECT_EQ(safe(), 1U);
  start(3);
  EXPECT_EQ(log_.read(0, 10).value().at(1).event, Event(coupon_event("sale", 3)));
}

TEST_F(MemoryEventLogTest, AFailedSyncIsAnUnknownOutcomeWhetherOrNotTheTailIsThere) {
  log_.hold();
  start(1);
  log_.fail_sync(true);
  start(2);
  log_.fail_sync(false);
  executor_.run_until_idle();
  EXPECT_EQ(answers_, (Answers{"unknown-outcome", "unknown-outcome"}));
  EXPECT_EQ(safe(), 1U);
}

TEST_F(MemoryEventLogTest, RefusalsLeaveNothing) {
  log_.refuse_next(ErrorCode::unavailable);
  start(1);
  start(2);
  log_.set_open(false);
  EXPECT_FALSE(log_.accepting());
  start(3);
  log_.set_open(true);
  EXPECT_TRUE(log_.accepting());
  EXPECT_EQ(answers_, (Answers{"unavailable", "safe", "unavailable"}));
  EXPECT_EQ(safe(), 1U);
}

TEST_F(MemoryEventLogTest, WaitingAppendsAreBounded) {
  log_.hold();
  for (std::uint64_t i = 1; i <= 3; ++i) {
    EXPECT_TRUE(log_.accepting());
    start(i);
  }
  EXPECT_FALSE(log_.accepting());
  start(4);
  EXPECT_EQ(answers_, (Answers{"overloaded"}));
  log_.release();
  EXPECT_TRUE(log_.accepting());
  EXPECT_EQ(safe(), 3U);
}

TEST_F(MemoryEventLogTest, ADefinitionThatIsNotSafeIsNotInTheCatalogYet) {
  log_.hold();
  bool written = false;
  catalog_.put(campaign("sale", 5), executor_, [&](Result<void> result) { written = result.has_value(); });
  EXPECT_EQ(get(catalog_, executor_, campaign_id("sale")).value(), std::nullopt);
  EXPECT_EQ(put(catalog_, executor_, campaign("sale", 6)).error().code, ErrorCode::conflict)
      << "the one in the air comes first";
  log_.release();
  executor_.run_until_idle();
  EXPECT_TRUE(written);
  EXPECT_EQ(get(catalog_, executor_, campaign_id("sale")).value(), campaign("sale", 5));
}

}  // namespace
}  // namespace doorbuster::test
