#include "tests/support/manual_executor.hpp"

#include <gtest/gtest.h>

#include <string>
#include <thread>

namespace doorbuster::test {
namespace {

using namespace std::chrono_literals;

TEST(ManualExecutor, RunsWhatWasDeferredAtTheEndOfTheTurn) {
  ManualExecutor executor;
  std::string order;
  executor.post([&] {
    order += 'a';
    executor.defer([&] { order += 'd'; });
    executor.post([&] { order += 'n'; });
  });
  executor.post([&] { order += 'b'; });
  EXPECT_EQ(executor.run_turn(), 3U);
  EXPECT_EQ(order, "abd");
  EXPECT_EQ(executor.run_turn(), 1U);
  EXPECT_EQ(order, "abdn");
  EXPECT_EQ(executor.run_turn(), 0U);
}

TEST(ManualExecutor, TimersRunAtTheirMomentAndInTheirOrder) {
  ManualExecutor executor;
  const Timestamp start = executor.clock().now();
  std::vector<Duration> ran;
  const auto note = [&] { ran.push_back(executor.clock().now() - start); };
  executor.after(20ms, note);
  executor.after(10ms, [&] {
    note();
    executor.after(5ms, note);
  });
  executor.after(21ms, note);
  EXPECT_EQ(executor.run_until_idle(), 0U);
  EXPECT_EQ(executor.advance(20ms), 3U);
  EXPECT_EQ(ran, (std::vector<Duration>{10ms, 15ms, 20ms}));
  EXPECT_EQ(executor.clock().now(), start + 20ms);
  executor.advance(1ms);
  EXPECT_EQ(ran.size(), 4U);
}

TEST(ManualExecutor, WaitsForWorkOfOtherThreads) {
  ManualExecutor executor;
  bool ran = false;
  std::thread other([&] { executor.post([&] { ran = true; }); });
  EXPECT_TRUE(executor.wait_until([&] { return ran; }));
  other.join();
  EXPECT_FALSE(executor.wait_until([] { return false; }, 1ms));
}

}  // namespace
}  // namespace doorbuster::test
