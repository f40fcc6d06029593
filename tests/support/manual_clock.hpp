#pragma once
// A clock that stands still until a test moves it.

#include <atomic>

#include "base/clock.hpp"

namespace doorbuster::test {

/// Thread-safe.
class ManualClock final : public Clock {
 public:
  /// 2026-11-25 09:00:00 UTC, the moment at which the tests begin.
  static constexpr Timestamp kStart{std::chrono::seconds{1'795'597'200}};

  explicit ManualClock(Timestamp start = kStart) : microseconds_(start.time_since_epoch().count()) {}
  Timestamp now() override { return Timestamp{Duration{microseconds_.load()}}; }
  void set(Timestamp now) { microseconds_.store(now.time_since_epoch().count()); }
  void advance(Duration by) { microseconds_.fetch_add(by.count()); }

 private:
  std::atomic<Duration::rep> microseconds_;
};

}  // namespace doorbuster::test
