#pragma once
// What separates the generations of a ledger (consistency.md, "Epochs and recovery").

#include <span>
#include <vector>

#include "core/issuing/coupon.hpp"

namespace doorbuster {

/// Noted by a recovery: events of epochs before `epoch` that stand behind `ends` are void, on every replay.
/// They were appended late, by an instance that had not heard of the recovery, and nobody was told of them.
struct EpochFence {
  std::uint32_t epoch = 0;
  std::vector<LogPosition> ends;  ///< by partition; a partition that was added later has none
  friend bool operator==(const EpochFence&, const EpochFence&) = default;
};

/// Whether an event of `epoch`, read at `position` of `partition`, is void by one of its campaign's fences.
bool is_void(std::span<const EpochFence> fences, std::uint32_t epoch, std::size_t partition,
             LogPosition position);

}  // namespace doorbuster
