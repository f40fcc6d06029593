#include "rt/shard.hpp"

#include <gtest/gtest.h>

#include <future>

namespace doorbuster::rt {
namespace {

class ShardTest : public testing::Test {
 protected:
  ShardTest() { shard_.start(); }
  ~ShardTest() override { shard_.stop(); }
  Shard shard_{"test"};
};

TEST_F(ShardTest, DefersWorkBehindEverythingThatIsReady) {
  std::vector<int> order;
  std::promise<void> done;
  shard_.run([&] {
    shard_.post([&] {
      shard_.defer([&] { order.push_back(3); });
      order.push_back(1);
    });
    shard_.post([&] { order.push_back(2); });
    shard_.after(std::chrono::milliseconds(1), [&] { done.set_value(); });
  });
  done.get_future().wait();
  EXPECT_EQ(order, (std::vector<int>{1, 2, 3}));
}

TEST_F(ShardTest, RunsWhatWasDeferredAtATurnsEndInTheNextTurn) {
  int ran = 0;
  std::promise<void> done;
  shard_.run([&] {
    shard_.defer([&] {
      ++ran;
      shard_.defer([&] {
        ++ran;
        done.set_value();
      });
    });
  });
  done.get_future().wait();
  EXPECT_EQ(ran, 2);
}

TEST_F(ShardTest, DestroysWorkThatNeverRan) {
  auto counted = std::make_shared<int>(0);
  shard_.run([&] { shard_.after(std::chrono::hours(1), [counted] {}); });
  EXPECT_EQ(counted.use_count(), 2);
}

}  // namespace
}  // namespace doorbuster::rt
