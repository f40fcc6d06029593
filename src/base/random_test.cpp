#include "base/random.hpp"

#include <gtest/gtest.h>

#include <set>
#include <vector>

namespace doorbuster {
namespace {

TEST(SeededRandom, RepeatsItself) {
  SeededRandom a(7);
  SeededRandom b(7);
  SeededRandom c(8);
  EXPECT_EQ(a.below(1U << 30), b.below(1U << 30));
  EXPECT_NE(a.below(1U << 30), c.below(1U << 30));
}

TEST(SystemRandom, NeverGivesTheSameCodeTwice) {
  SystemRandom random;
  std::set<std::vector<std::uint8_t>> seen;
  for (int i = 0; i < 2000; ++i) {  // crosses the pool's end four times
    std::vector<std::uint8_t> code(10);
    random.fill(code);
    EXPECT_TRUE(seen.insert(code).second);
  }
}

}  // namespace
}  // namespace doorbuster
