#pragma once
// When the next batch leaves. A batch costs its ledger and its log far more than a request in it, so with
// parts that are asked over a network the requests of a turn wait until most of the batch before them is
// back. Nothing is away: they go at once, so an idle service adds no time; a busy one forms large batches by
// itself.
//
// One thread.

#include <cstddef>

#include "base/clock.hpp"
#include "base/error.hpp"

namespace doorbuster::api {

class BatchGate {
 public:
  /// A batch of so many gains nothing by growing.
  static constexpr std::size_t kLargeEnough = 512;

  /// \param longest wait of a request; zero: batches do not wait
  explicit BatchGate(Duration longest) : longest_(longest) {}

  /// \param waiting requests, the oldest of them for so long
  bool is_open(std::size_t waiting, Duration oldest) const {
    // Half: where several are away, as large ones are, the next one leaves while the last is still working.
    return away_ <= last_batch_ / 2 || waiting >= kLargeEnough || oldest >= longest_;
  }
  void left(std::size_t requests) {
    last_batch_ = requests;
    away_ += requests;
  }
  /// So many that left have their answer, or are in the log.
  void returned(std::size_t requests) {
    DOORBUSTER_ASSERT(requests <= away_);
    away_ -= requests;
  }

  Duration longest() const { return longest_; }

 private:
  const Duration longest_;
  std::size_t away_ = 0;
  std::size_t last_batch_ = 0;
};

}  // namespace doorbuster::api
