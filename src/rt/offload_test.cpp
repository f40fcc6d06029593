#include "rt/offload.hpp"

#include <gtest/gtest.h>

#include <future>

#include "rt/shard.hpp"

namespace doorbuster::rt {
namespace {

TEST(Offload, BringsTheResultBackToTheShard) {
  Shard shard("test");
  shard.start();
  {
    Offload offload("db", 1, 10);
    std::promise<bool> on_shard;
    offload.run<int>(
        shard, [] { return Result<int>(42); },
        [&](Result<int> result) { on_shard.set_value(*result == 42 && shard.on_this_thread()); });
    EXPECT_TRUE(on_shard.get_future().get());
  }
  shard.stop();
}

TEST(Offload, RefusesWhenItsQueueIsFull) {
  Shard shard("test");
  std::promise<void> started;
  std::promise<void> release;
  auto released = release.get_future();
  Offload offload("db", 1, 1);  // last: its thread uses what stands above
  ASSERT_TRUE(offload.try_run([&] {
    started.set_value();
    released.wait();
  }));
  started.get_future().wait();
  ASSERT_TRUE(offload.try_run([] {}));
  EXPECT_FALSE(offload.try_run([] {}));
  ErrorCode code = ErrorCode::internal;
  offload.run<int>(
      shard, [] { return Result<int>(1); }, [&](Result<int> result) { code = result.error().code; });
  EXPECT_EQ(code, ErrorCode::overloaded);
  release.set_value();
}

TEST(Offload, FinishesWhatIsQueuedBeforeItEnds) {
  int ran = 0;
  {
    Offload offload("db", 1, 100);
    for (int i = 0; i < 50; ++i) ASSERT_TRUE(offload.try_run([&ran] { ++ran; }));
  }
  EXPECT_EQ(ran, 50);
}

}  // namespace
}  // namespace doorbuster::rt
