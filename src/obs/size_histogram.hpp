#pragma once
// How large things were: counts by powers of two.
//
// Owned by one thread, as Histogram. Invariant: count() is the sum of all steps.

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>

namespace doorbuster::obs {

class SizeHistogram {
 public:
  /// Bounds 1, 2, 4, ... 32768, and one step for what is larger.
  static constexpr std::size_t kBounds = 16;
  static constexpr std::uint64_t bound(std::size_t index) { return std::uint64_t{1} << index; }

  void record(std::uint64_t size) {
    const auto step = static_cast<std::size_t>(std::bit_width(size == 0 ? 0 : size - 1));
    ++steps_[std::min(step, kBounds)];
    ++count_;
    sum_ += size;
  }

  /// How many sizes are at most bound(index).
  std::uint64_t count_up_to(std::size_t index) const {
    std::uint64_t seen = 0;
    for (std::size_t step = 0; step <= index; ++step) seen += steps_[step];
    return seen;
  }
  std::uint64_t count() const { return count_; }
  std::uint64_t sum() const { return sum_; }

 private:
  std::array<std::uint64_t, kBounds + 1> steps_{};
  std::uint64_t count_ = 0;
  std::uint64_t sum_ = 0;
};

}  // namespace doorbuster::obs
