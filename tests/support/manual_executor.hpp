#pragma once
// An executor whose turns and time are the test's to give. Everything runs inside run_turn(),
// run_until_idle(), advance() or wait_until(), on the thread that calls them; post() alone may come from
// other threads.

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <map>
#include <mutex>
#include <vector>

#include "base/executor.hpp"
#include "tests/support/manual_clock.hpp"

namespace doorbuster::test {

class ManualExecutor final : public Executor {
 public:
  ManualExecutor() = default;
  /// Timers follow `clock`, and advance() moves it: share it with the parts under test.
  explicit ManualExecutor(ManualClock& clock) : clock_(&clock) {}

  void post(Work work) override {
    {
      std::lock_guard lock(mutex_);
      posted_.push_back(std::move(work));
    }
    arrived_.notify_one();
  }
  void defer(Work work) override { deferred_.push_back(std::move(work)); }
  void after(Duration delay, Work work) override { timers_.emplace(clock_->now() + delay, std::move(work)); }

  ManualClock& clock() { return *clock_; }

  /// One turn: what was posted before it and the timers that are due, then what was deferred.
  /// \returns the number of pieces of work that ran
  std::size_t run_turn() {
    std::vector<Work> ready;
    {
      std::lock_guard lock(mutex_);
      ready.swap(posted_);
    }
    while (!timers_.empty() && timers_.begin()->first <= clock_->now()) {
      ready.push_back(std::move(timers_.begin()->second));
      timers_.erase(timers_.begin());
    }
    std::size_t count = run_all(ready);
    while (!deferred_.empty()) {
      std::vector<Work> ending;
      ending.swap(deferred_);
      count += run_all(ending);
    }
    return count;
  }

  /// Turns until nothing is ready; timers of later moments stay.
  std::size_t run_until_idle() {
    std::size_t count = 0;
    for (int turn = 0; turn < kMostTurns; ++turn) {
      const std::size_t ran = run_turn();
      if (ran == 0) return count;
      count += ran;
    }
    DOORBUSTER_ASSERT(!"work that posts itself for ever");
    return count;
  }

  /// Moves the clock by `by`, stopping at each timer on the way.
  std::size_t advance(Duration by) {
    std::size_t count = run_until_idle();
    const Timestamp target = clock_->now() + by;
    while (!timers_.empty() && timers_.begin()->first <= target) {
      if (timers_.begin()->first > clock_->now()) clock_->set(timers_.begin()->first);
      count += run_until_idle();
    }
    clock_->set(target);
    return count + run_until_idle();
  }

  /// For parts with threads of their own: turns until `done()` holds, waiting for posts in between.
  /// \returns false when `patience` (of real time) ran out
  template <class Predicate>
  bool wait_until(Predicate done, std::chrono::milliseconds patience = std::chrono::seconds{20}) {
    const auto deadline = std::chrono::steady_clock::now() + patience;
    while (true) {
      run_until_idle();
      if (done()) return true;
      std::unique_lock lock(mutex_);
      const auto pause = std::min(deadline, std::chrono::steady_clock::now() + std::chrono::milliseconds{5});
      arrived_.wait_until(lock, pause, [this] { return !posted_.empty(); });
      if (posted_.empty() && std::chrono::steady_clock::now() >= deadline) return false;
    }
  }

 private:
  static constexpr int kMostTurns = 1'000'000;

  static std::size_t run_all(std::vector<Work>& works) {
    for (Work& work : works) work();
    return works.size();
  }

  ManualClock own_clock_;
  ManualClock* clock_ = &own_clock_;
  std::vector<Work> deferred_;
  std::multimap<Timestamp, Work> timers_;
  std::mutex mutex_;
  std::condition_variable arrived_;
  std::vector<Work> posted_;  // guarded by mutex_
};

}  // namespace doorbuster::test
