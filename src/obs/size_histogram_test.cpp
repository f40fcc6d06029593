#include "obs/size_histogram.hpp"

#include <gtest/gtest.h>

namespace doorbuster::obs {
namespace {

TEST(SizeHistogram, CountsByPowersOfTwo) {
  SizeHistogram sizes;
  for (const std::uint64_t size : {0, 1, 2, 3, 4, 5, 64, 65, 32'768, 32'769}) sizes.record(size);
  EXPECT_EQ(sizes.count(), 10U);
  EXPECT_EQ(sizes.sum(), 65'681U);
  EXPECT_EQ(sizes.count_up_to(0), 2U) << "0 and 1";
  EXPECT_EQ(sizes.count_up_to(1), 3U) << "and 2";
  EXPECT_EQ(sizes.count_up_to(2), 5U) << "and 3 and 4";
  EXPECT_EQ(sizes.count_up_to(3), 6U) << "and 5";
  EXPECT_EQ(sizes.count_up_to(6), 7U) << "and 64";
  EXPECT_EQ(sizes.count_up_to(7), 8U) << "and 65";
  EXPECT_EQ(sizes.count_up_to(SizeHistogram::kBounds - 1), 9U) << "the largest has no bound";
  EXPECT_EQ(SizeHistogram::bound(SizeHistogram::kBounds - 1), 32'768U);
}

}  // namespace
}  // namespace doorbuster::obs
