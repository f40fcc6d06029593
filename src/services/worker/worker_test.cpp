#include "services/worker/worker.hpp"

#include <gtest/gtest.h>

#include "services/worker/fake_parts.hpp"

namespace doorbuster::worker {
namespace {

TEST(Worker, StoresTheLogInBatchesUpToItsEnd) {
  FakeSource source;
  FakeStore store;
  source.grow(25);
  Worker worker(source, store, {.batch = 10});
  EXPECT_EQ(*worker.step(), 10U);
  EXPECT_EQ(worker.stats().lag(), 15U);
  EXPECT_EQ(*worker.step(), 10U);
  EXPECT_EQ(*worker.step(), 5U);
  EXPECT_EQ(*worker.step(), 0U);
  EXPECT_EQ(store.rows().size(), 25U);
  const auto stats = worker.stats();
  EXPECT_EQ(stats.records, 25U);
  EXPECT_EQ(stats.batches, 3U);
  EXPECT_EQ(stats.position, 25U);
  EXPECT_EQ(stats.lag(), 0U);
}

TEST(Worker, ContinuesWhereTheStoreEnds) {
  FakeSource source;
  FakeStore store;
  source.grow(10);
  store.start_at(7);
  Worker worker(source, store);
  EXPECT_EQ(*worker.step(), 3U);
  EXPECT_EQ(store.rows().begin()->first, 8U);
}

TEST(Worker, ReadsABatchAgainThatCouldNotBeStored) {
  FakeSource source;
  FakeStore store;
  source.grow(10);
  store.fail_next(2);
  Worker worker(source, store, {.batch = 4});
  EXPECT_EQ(worker.step().error().code, ErrorCode::unavailable);
  EXPECT_EQ(worker.step().error().code, ErrorCode::unavailable);
  EXPECT_EQ(worker.stats().failures, 2U);
  EXPECT_EQ(worker.stats().last_error, "told to fail");
  while (*worker.step() > 0) {
  }
  EXPECT_EQ(store.rows().size(), 10U);
  EXPECT_EQ(worker.stats().last_error, "");
}

TEST(Worker, RefusesARepositoryThatIsAheadOfTheLog) {
  FakeSource source;
  FakeStore store;
  source.grow(5);
  store.start_at(6);
  Worker worker(source, store);
  const auto result = worker.step();
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, ErrorCode::corrupt);
  EXPECT_NE(result.error().detail.find("position 6"), std::string::npos) << result.error().detail;
  EXPECT_NE(result.error().detail.find("ends at 5"), std::string::npos) << result.error().detail;
}

TEST(Worker, StoresNothingOfABatchThatCannotBeRead) {
  FakeSource source;
  FakeStore store;
  source.grow(5);
  Worker worker(source, store);
  source.fail_with(make_error(ErrorCode::unavailable, "no log"));
  EXPECT_FALSE(worker.step());
  EXPECT_TRUE(store.rows().empty());
  source.fail_with(std::nullopt);
  EXPECT_EQ(*worker.step(), 5U);
}

/// Refuses batches that hold a certain record.
class PickyStore final : public CouponStore {
 public:
  explicit PickyStore(LogPosition refused) : refused_(refused) {}
  Result<void> store(const std::vector<LogRecord>& records) override {
    for (const auto& record : records) {
      if (record.position == refused_) return make_error(ErrorCode::unavailable, "not this one");
    }
    position_ = records.back().position;
    return {};
  }
  Result<LogPosition> stored_through() override { return position_; }

 private:
  LogPosition refused_;
  LogPosition position_ = 0;
};

TEST(Worker, StoresEverythingBeforeARecordThatCannotBeStored) {
  FakeSource source;
  source.grow(1000);
  PickyStore store(777);
  Worker worker(source, store, {.batch = 512});
  for (int i = 0; i < 50; ++i) (void)worker.step();
  EXPECT_EQ(store.stored_through().value(), 776U);
  EXPECT_EQ(worker.stats().last_error, "not this one");
}

}  // namespace
}  // namespace doorbuster::worker
