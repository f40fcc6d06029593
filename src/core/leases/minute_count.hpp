#pragma once
// How many things happened in the last minute: a ring of sixty seconds. One thread; time is given.

#include <array>
#include <cstdint>

#include "base/clock.hpp"

namespace doorbuster::leases {

class MinuteCount {
 public:
  void add(Timestamp now) {
    turn_to(now);
    ++seconds_[static_cast<std::size_t>(second_) % seconds_.size()];
  }
  /// In the sixty whole seconds before this one.
  std::uint64_t last_minute(Timestamp now) {
    turn_to(now);
    std::uint64_t sum = 0;
    for (const auto count : seconds_) sum += count;
    return sum - seconds_[static_cast<std::size_t>(second_) % seconds_.size()];
  }

 private:
  /// Empties the seconds in which nothing happened.
  void turn_to(Timestamp now) {
    const auto second = std::chrono::floor<std::chrono::seconds>(now).time_since_epoch().count();
    const auto steps = second - second_;
    if (steps <= 0) return;  // also when a clock goes back: that second counts on
    if (steps >= static_cast<std::int64_t>(seconds_.size())) {
      seconds_.fill(0);
    } else {
      for (auto i = second_ + 1; i <= second; ++i)
        seconds_[static_cast<std::size_t>(i) % seconds_.size()] = 0;
    }
    second_ = second;
  }

  std::array<std::uint64_t, 61> seconds_{};
  std::int64_t second_ = 0;
};

}  // namespace doorbuster::leases
