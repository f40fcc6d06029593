#pragma once
// Circuit breaker of one instance: when most of its latest requests have failed, it is left alone for a
// while; then one request tries it.
//
//   closed ──failures over the share──▶ open ──time──▶ half open ──success──▶ closed
//                                        ▲                  │
//                                        └─────failure──────┘   twice as long as the time before
//
// Deterministic: time is given. One thread.

#include <cstdint>

#include "base/clock.hpp"

namespace doorbuster::balancing {

/// Time since any fixed moment; only differences count.
using Moment = Duration;

struct BreakerOptions {
  Duration window = std::chrono::seconds(10);  ///< results are forgotten after one to two halves of it
  std::uint32_t least_results = 20;            ///< fewer say nothing
  std::uint32_t failure_percent = 50;
  Duration first_pause = std::chrono::seconds(1);
  Duration longest_pause = std::chrono::seconds(30);
};

class CircuitBreaker {
 public:
  enum class State : std::uint8_t { closed, open, half_open };

  explicit CircuitBreaker(const BreakerOptions& options = {}) : options_(options) {}

  /// Whether a request may be sent now.
  bool admits(Moment now);
  /// A request is being sent; in half open state it is the only one.
  void began();
  void ended(bool failed, Moment now);
  /// A request that was given up without a result: it says nothing about the instance.
  void abandoned();

  State state(Moment now);
  /// When an open breaker will admit again.
  Moment opens_until() const { return open_until_; }
  bool is_open() const { return state_ == State::open; }
  bool half_open() const { return state_ == State::half_open; }

 private:
  struct Half {
    std::uint32_t results = 0;
    std::uint32_t failures = 0;
  };
  void roll(Moment now);
  void open(Moment now);

  BreakerOptions options_;
  State state_ = State::closed;
  bool trying_ = false;
  Half current_, previous_;
  Moment half_began_{0};
  Moment open_until_{0};
  Duration pause_{0};
};

}  // namespace doorbuster::balancing
