#include "services/worker/worker_thread.hpp"

#include <gtest/gtest.h>

#include "services/worker/fake_parts.hpp"

namespace doorbuster::worker {
namespace {

WorkerThreadOptions quick() {
  WorkerThreadOptions options;
  options.first_back_off = Duration(100);
  options.longest_back_off = Duration(1000);
  return options;
}

TEST(WorkerThread, FollowsAGrowingLog) {
  FakeSource source;
  FakeStore store;
  WorkerThread worker(source, store, quick());
  worker.start();
  source.grow(3);
  EXPECT_TRUE(store.wait_for_rows(3));
  source.grow(4);
  EXPECT_TRUE(store.wait_for_rows(7));
  worker.stop();
}

TEST(WorkerThread, StoresAllOfTheLogBeforeItStops) {
  FakeSource source;
  FakeStore store;
  auto options = quick();
  options.worker.batch = 10;
  WorkerThread worker(source, store, options);
  source.grow(1005);
  worker.start();
  worker.stop();
  EXPECT_EQ(store.rows().size(), 1005U);
}

TEST(WorkerThread, GoesOnAfterFailures) {
  FakeSource source;
  FakeStore store;
  store.fail_next(5);
  source.grow(2);
  WorkerThread worker(source, store, quick());
  worker.start();
  EXPECT_TRUE(store.wait_for_rows(2));
  worker.stop();
  EXPECT_EQ(worker.stats().failures, 5U);
  EXPECT_FALSE(worker.end().ended);
}

TEST(WorkerThread, StopsWhileItBacksOff) {
  FakeSource source;
  FakeStore store;
  store.fail_next(1);
  source.grow(2);
  auto options = quick();
  options.first_back_off = options.longest_back_off = std::chrono::hours(1);
  WorkerThread worker(source, store, options);
  worker.start();
  ASSERT_TRUE(store.wait_for_failures_used_up());
  worker.stop();
  EXPECT_EQ(store.rows().size(), 2U);
}

TEST(WorkerThread, EndsWithTheReasonWhenTheLogIsDamaged) {
  FakeSource source;
  FakeStore store;
  source.fail_with(make_error(ErrorCode::corrupt, "damaged at position 9"));
  WorkerThread worker(source, store, quick());
  worker.start();
  worker.stop();
  EXPECT_TRUE(worker.end().ended);
  EXPECT_EQ(worker.end().error.detail, "damaged at position 9");
}

}  // namespace
}  // namespace doorbuster::worker
