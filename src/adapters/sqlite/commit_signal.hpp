#pragma once
// Tells readers in the same process that the log has grown, so that they need not ask.

#include <condition_variable>
#include <mutex>

#include "core/issuing/coupon.hpp"

namespace doorbuster::sqlite {

/// Thread-safe.
class CommitSignal {
 public:
  void publish(LogPosition end) {
    {
      std::lock_guard lock(mutex_);
      end_ = end;
    }
    grown_.notify_all();
  }

  /// Returns when the log reaches beyond `after`, at latest after `timeout`.
  void wait(LogPosition after, Duration timeout) {
    std::unique_lock lock(mutex_);
    grown_.wait_for(lock, timeout, [&] { return end_ > after; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable grown_;
  LogPosition end_ = 0;
};

}  // namespace doorbuster::sqlite
