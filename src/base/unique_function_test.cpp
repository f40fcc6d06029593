#include "base/unique_function.hpp"

#include <gtest/gtest.h>

#include <array>

namespace doorbuster {
namespace {

TEST(UniqueFunction, OwnsWhatItCarries) {
  auto counted = std::make_shared<int>(7);
  {
    UniqueFunction<int(int)> small = [counted](int x) { return *counted + x; };
    UniqueFunction<int(int)> moved = std::move(small);
    EXPECT_FALSE(small);  // NOLINT: moved from, on purpose
    EXPECT_EQ(moved(1), 8);
    EXPECT_EQ(counted.use_count(), 2);
  }
  EXPECT_EQ(counted.use_count(), 1);
}

TEST(UniqueFunction, HoldsLargeCallablesToo) {
  auto counted = std::make_shared<int>(7);
  std::array<int, 64> ballast{};
  ballast[63] = 5;
  {
    UniqueFunction<int()> large = [counted, ballast] { return *counted + ballast[63]; };
    UniqueFunction<int()> moved;
    moved = std::move(large);
    EXPECT_EQ(moved(), 12);
  }
  EXPECT_EQ(counted.use_count(), 1);
}

TEST(UniqueFunction, TakesMoveOnlyArguments) {
  UniqueFunction<int(std::unique_ptr<int>)> f = [](std::unique_ptr<int> p) { return *p; };
  EXPECT_EQ(f(std::make_unique<int>(3)), 3);
}

TEST(UniqueFunctionDeathTest, EndsTheProgramWhenEmpty) {
  UniqueFunction<void()> empty;
  EXPECT_DEATH(empty(), "invariant broken");
}

}  // namespace
}  // namespace doorbuster
