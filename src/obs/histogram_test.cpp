#include "obs/histogram.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <vector>

#include "base/random.hpp"

namespace doorbuster::obs {
namespace {

using std::chrono::seconds;

TEST(Histogram, IsZeroWhenEmpty) {
  const Histogram empty;
  EXPECT_EQ(empty.count(), 0u);
  EXPECT_EQ(empty.percentile(99), Duration(0));
  EXPECT_EQ(empty.mean(), Duration(0));
  EXPECT_EQ(empty.min(), Duration(0));
  EXPECT_EQ(empty.max(), Duration(0));
}

TEST(Histogram, IsExactBelowTwoThousandMicroseconds) {
  Histogram histogram;
  for (int i = 1; i <= 1000; ++i) histogram.record(Duration(i));
  EXPECT_EQ(histogram.percentile(0), Duration(1));
  EXPECT_EQ(histogram.percentile(50), Duration(500));
  EXPECT_EQ(histogram.percentile(99), Duration(990));
  EXPECT_EQ(histogram.percentile(99.9), Duration(999));
  EXPECT_EQ(histogram.percentile(100), Duration(1000));
  EXPECT_EQ(histogram.mean(), Duration(500));
  EXPECT_EQ(histogram.sum(), Duration(500'500));
}

TEST(Histogram, KeepsThreeDigitsOfRandomValues) {
  SeededRandom random(7);
  Histogram histogram;
  std::vector<std::int64_t> values;
  for (int i = 0; i < 20'000; ++i) {
    const auto value = static_cast<std::int64_t>(random.below(std::uint64_t{1} << (1 + random.below(27))));
    values.push_back(value);
    histogram.record(Duration(value));
  }
  std::sort(values.begin(), values.end());
  for (const double p : {1.0, 10.0, 50.0, 90.0, 99.0, 99.9, 100.0}) {
    const auto rank = static_cast<std::size_t>(p / 100 * 20'000 + 0.5);
    const auto exact = values[rank - 1];
    EXPECT_GE(histogram.percentile(p).count(), exact) << p;
    EXPECT_LE(static_cast<double>(histogram.percentile(p).count()), static_cast<double>(exact) * 1.001 + 1)
        << p;
  }
}

TEST(Histogram, CountsWhatIsBeyondItsRangeAndKnowsTheTrueMaximum) {
  EXPECT_GT(Histogram::largest(), seconds(60));
  Histogram histogram;
  histogram.record(Duration(-5));
  histogram.record(Histogram::largest() + seconds(100));
  EXPECT_EQ(histogram.count(), 2u);
  EXPECT_EQ(histogram.min(), Duration(0));
  EXPECT_EQ(histogram.max(), Histogram::largest() + seconds(100));
  EXPECT_EQ(histogram.percentile(100), histogram.max());
}

TEST(Histogram, MergesAsIfAllHadBeenRecordedInOne) {
  Histogram one, two, both;
  for (int i = 0; i < 5000; ++i) {
    const Duration value(i * i);
    (i % 3 == 0 ? one : two).record(value);
    both.record(value);
  }
  one.merge(two);
  EXPECT_EQ(one.count(), both.count());
  EXPECT_EQ(one.mean(), both.mean());
  EXPECT_EQ(one.min(), both.min());
  EXPECT_EQ(one.max(), both.max());
  for (const double p : {5.0, 50.0, 95.0, 99.9}) EXPECT_EQ(one.percentile(p), both.percentile(p));
  one.clear();
  EXPECT_EQ(one.count(), 0u);
  EXPECT_EQ(one.percentile(100), Duration(0));
}

TEST(Histogram, CountsUpToBounds) {
  Histogram histogram;
  for (const int value : {1, 10, 10, 100, 1000, 60'000'000}) histogram.record(Duration(value));
  const std::array bounds = {Duration(0), Duration(10), Duration(99), Duration(1000), Duration(seconds(61))};
  EXPECT_EQ(histogram.counts_up_to(bounds), (std::vector<std::uint64_t>{0, 3, 3, 5, 6}));
}

}  // namespace
}  // namespace doorbuster::obs
