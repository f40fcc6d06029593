#pragma once
// How long things took: a log-linear histogram of fixed size, after HdrHistogram (http://hdrhistogram.org).
//
// Values are whole microseconds. Every power of two is cut into 1024 equal steps, so a value that is read
// back is at most 0.1 % above the one recorded (three significant digits); below 2.048 ms values are exact.
// About 150 KB each. record() allocates nothing and takes a few nanoseconds.
//
// Owned by one thread: others merge a copy that the owner hands out.
//
// Invariants
//  1. count() is the sum of all steps.
//  2. min() and max() are exact, also outside of the range.

#include <cstdint>
#include <span>
#include <vector>

#include "base/clock.hpp"

namespace doorbuster::obs {

class Histogram {
 public:
  Histogram();

  /// A negative duration counts as zero; one above largest() is counted in the last step.
  void record(Duration value);
  void merge(const Histogram& other);
  void clear();

  /// The least recorded value that at least `p` per cent of all values do not exceed, to the histogram's
  /// precision. `p` is between 0 and 100; 50 is the median. Zero when nothing was recorded.
  Duration percentile(double p) const;
  std::uint64_t count() const { return count_; }
  /// The exact sum of all values.
  Duration sum() const { return Duration(static_cast<std::int64_t>(sum_)); }
  Duration mean() const;
  Duration max() const { return Duration(static_cast<std::int64_t>(max_)); }
  Duration min() const { return Duration(static_cast<std::int64_t>(count_ == 0 ? 0 : min_)); }

  /// How many values are at most each bound, to the histogram's precision. \pre `bounds` ascend
  std::vector<std::uint64_t> counts_up_to(std::span<const Duration> bounds) const;

  /// The largest value with a step of its own: a little over four minutes.
  static Duration largest();

 private:
  std::vector<std::uint64_t> steps_;
  std::uint64_t count_ = 0;
  std::uint64_t sum_ = 0;
  std::uint64_t min_ = ~std::uint64_t{0};
  std::uint64_t max_ = 0;
};

}  // namespace doorbuster::obs
