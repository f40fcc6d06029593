#include "obs/histogram.hpp"

#include <algorithm>
#include <bit>
#include <cmath>

namespace doorbuster::obs {
namespace {

constexpr unsigned kHalfBits = 10;  // 1024 steps for each power of two
constexpr std::uint64_t kHalf = std::uint64_t{1} << kHalfBits;
constexpr unsigned kRanges = 18;  // the first covers 0..2047, each further one doubles
constexpr std::size_t kSteps = (kRanges + 1) * kHalf;
constexpr std::uint64_t kLargest = (kHalf << kRanges) - 1;

/// The step of a value: below 2048 the value itself, above it the range and the 10 bits after the leading
/// one.
std::size_t step_of(std::uint64_t value) {
  const auto width = static_cast<unsigned>(std::bit_width(value | kHalf));
  const unsigned shift = width - (kHalfBits + 1);
  return static_cast<std::size_t>(shift) * kHalf + static_cast<std::size_t>(value >> shift);
}

/// The largest value that falls into a step.
std::uint64_t top_of(std::size_t step) {
  if (step < 2 * kHalf) return step;
  const auto shift = static_cast<unsigned>(step / kHalf) - 1;
  return ((kHalf + step % kHalf + 1) << shift) - 1;
}

}  // namespace

Histogram::Histogram() : steps_(kSteps) {}

void Histogram::record(Duration duration) {
  const auto value = static_cast<std::uint64_t>(std::max<Duration::rep>(duration.count(), 0));
  ++steps_[step_of(std::min(value, kLargest))];
  ++count_;
  sum_ += value;
  min_ = std::min(min_, value);
  max_ = std::max(max_, value);
}

void Histogram::merge(const Histogram& other) {
  for (std::size_t step = 0; step < kSteps; ++step) steps_[step] += other.steps_[step];
  count_ += other.count_;
  sum_ += other.sum_;
  min_ = std::min(min_, other.min_);
  max_ = std::max(max_, other.max_);
}

void Histogram::clear() {
  *this = Histogram();
}

Duration Histogram::percentile(double p) const {
  if (count_ == 0) return Duration::zero();
  const double share = std::clamp(p, 0.0, 100.0) / 100.0;
  // The small allowance keeps 99.9 % of 1000 at rank 999 although 0.999 has no exact binary form.
  const auto exact = share * static_cast<double>(count_);
  const auto rank = std::max<std::uint64_t>(1, static_cast<std::uint64_t>(std::ceil(exact - 1e-9 * exact)));
  std::uint64_t seen = 0;
  for (std::size_t step = 0; step < kSteps; ++step) {
    seen += steps_[step];
    if (seen < rank) continue;
    // Whatever lies beyond the range is in the last step: its only known value is the maximum.
    const auto top = step + 1 == kSteps ? max_ : std::min(top_of(step), max_);
    return Duration(static_cast<std::int64_t>(top));
  }
  return max();
}

Duration Histogram::mean() const {
  return count_ == 0 ? Duration::zero() : Duration(static_cast<std::int64_t>(sum_ / count_));
}

std::vector<std::uint64_t> Histogram::counts_up_to(std::span<const Duration> bounds) const {
  std::vector<std::uint64_t> counts;
  counts.reserve(bounds.size());
  std::uint64_t seen = 0;
  std::size_t step = 0;
  for (const auto bound : bounds) {
    if (bound.count() >= 0) {
      const auto last = step_of(std::min(static_cast<std::uint64_t>(bound.count()), kLargest));
      for (; step <= last; ++step) seen += steps_[step];
    }
    counts.push_back(seen);
  }
  return counts;
}

Duration Histogram::largest() {
  return Duration(static_cast<std::int64_t>(kLargest));
}

}  // namespace doorbuster::obs
