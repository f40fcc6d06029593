#pragma once
// How many retries a service may get: a share of its requests, so that retries never multiply an overload.
//
// Deterministic: time is given. One thread.

#include <cstdint>

#include "core/balancing/circuit_breaker.hpp"

namespace doorbuster::balancing {

struct RetryBudgetOptions {
  std::uint32_t percent = 20;  ///< retries for a hundred requests
  std::uint32_t least = 10;    ///< in each window, however few requests there are
  Duration window = std::chrono::seconds(10);
};

class RetryBudget {
 public:
  explicit RetryBudget(const RetryBudgetOptions& options = {}) : options_(options) {}

  /// A request has come, which is no retry.
  void request() { ++requests_; }
  /// Takes one retry out of the budget. \returns false when there is none left
  bool take(Moment now) {
    if (now >= began_ + options_.window / 2) {
      const bool next = now < began_ + options_.window;
      earlier_requests_ = next ? requests_ : 0;
      earlier_retries_ = next ? retries_ : 0;
      requests_ = retries_ = 0;
      began_ = now;
    }
    const auto most = options_.least + (requests_ + earlier_requests_) * options_.percent / 100;
    if (retries_ + earlier_retries_ >= most) return false;
    ++retries_;
    return true;
  }

 private:
  RetryBudgetOptions options_;
  std::uint64_t requests_ = 0;
  std::uint64_t retries_ = 0;
  std::uint64_t earlier_requests_ = 0;
  std::uint64_t earlier_retries_ = 0;
  Moment began_{0};
};

}  // namespace doorbuster::balancing
