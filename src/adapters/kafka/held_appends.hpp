#pragma once
// Appends that wait for the ones before them. A request to the broker costs both sides far more than an event
// in it, so what comes while others are on their way waits until half of these are acknowledged, and goes
// with all that came meanwhile. Alone, an append goes at once: an idle log adds no time, a busy one forms
// groups by itself.
//
// Invariants
//  1. Appends leave in the order of their coming.
//  2. None stays longer than kLongest, when release() is called as often as that.
//
// Thread-safe.

#include <chrono>
#include <cstddef>
#include <mutex>
#include <vector>

#include "adapters/kafka/pending_batches.hpp"
#include "core/issuing/coupon.hpp"

namespace doorbuster::kafka {

struct HeldAppend {
  PendingBatches::Batch* batch = nullptr;
  std::vector<CouponIssued> events;
};

class HeldAppends {
 public:
  using Now = std::chrono::steady_clock::time_point;
  static constexpr auto kLongest = std::chrono::milliseconds(20);
  /// A group of so many gains nothing by growing.
  static constexpr std::size_t kLargeEnough = 512;

  /// Adds an append. \returns what is to be handed over now, possibly nothing; then handed_over() follows
  std::vector<HeldAppend> add(HeldAppend append, Now now);
  /// What need not wait any more. \returns as add()
  std::vector<HeldAppend> release(Now now);
  /// After what add() or release() gave, if it was anything: `events` of it are on their way.
  void handed_over(std::size_t events);
  /// Events that did not come this way are on theirs.
  void sent_beside(std::size_t events);
  /// So many events on their way have an answer.
  void answered(std::size_t events);
  /// Nothing is on its way any more. \returns what waited
  std::vector<HeldAppend> reset();

 private:
  std::vector<HeldAppend> take();  // mutex_ held
  bool may_go(Now now) const;      // mutex_ held

  std::mutex mutex_;  // guards what follows
  std::vector<HeldAppend> held_;
  std::size_t held_events_ = 0;
  Now held_since_{};
  bool leaving_ = false;             // taken, and not handed over yet: nobody may overtake
  std::ptrdiff_t on_their_way_ = 0;  // below zero while answers come before handed_over()
  std::size_t last_group_ = 0;
};

}  // namespace doorbuster::kafka
