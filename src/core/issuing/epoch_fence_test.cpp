#include "core/issuing/epoch_fence.hpp"

#include <gtest/gtest.h>

namespace doorbuster {
namespace {

TEST(EpochFenceTest, OnlyOlderEpochsBehindTheEndAreVoid) {
  const std::vector<EpochFence> fences{{2, {10, 20}}, {4, {15, 20}}};
  EXPECT_FALSE(is_void(fences, 1, 0, 10));
  EXPECT_TRUE(is_void(fences, 1, 0, 11));
  EXPECT_FALSE(is_void(fences, 1, 1, 20));
  EXPECT_TRUE(is_void(fences, 1, 1, 21));
  EXPECT_FALSE(is_void(fences, 2, 0, 15)) << "its own fence does not bind it";
  EXPECT_TRUE(is_void(fences, 3, 0, 16));
  EXPECT_FALSE(is_void(fences, 4, 0, 1'000));
}

TEST(EpochFenceTest, APartitionThatTheFenceDoesNotKnowHeldNothing) {
  const std::vector<EpochFence> fences{{2, {10}}};
  EXPECT_TRUE(is_void(fences, 1, 1, 1));
  EXPECT_FALSE(is_void({}, 1, 1, 1));
}

}  // namespace
}  // namespace doorbuster
