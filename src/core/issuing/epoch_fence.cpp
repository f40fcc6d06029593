#include "core/issuing/epoch_fence.hpp"

#include <algorithm>

namespace doorbuster {

bool is_void(std::span<const EpochFence> fences, std::uint32_t epoch, std::size_t partition,
             LogPosition position) {
  return std::any_of(fences.begin(), fences.end(), [&](const EpochFence& fence) {
    const LogPosition end = partition < fence.ends.size() ? fence.ends[partition] : 0;
    return epoch < fence.epoch && position > end;
  });
}

}  // namespace doorbuster
