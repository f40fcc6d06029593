#include "base/random.hpp"

#include <sys/random.h>

#include <algorithm>
#include <cstring>

#include "base/error.hpp"

namespace doorbuster {

void SystemRandom::fill(std::span<std::uint8_t> out) {
  while (!out.empty()) {
    if (used_ == pool_.size()) {
      std::size_t have = 0;
      while (have < pool_.size()) {
        const auto got = getrandom(pool_.data() + have, pool_.size() - have, 0);
        if (got < 0) continue;  // interrupted by a signal: the call has no other failure with these arguments
        have += static_cast<std::size_t>(got);
      }
      used_ = 0;
    }
    const auto take = std::min(out.size(), pool_.size() - used_);
    std::memcpy(out.data(), pool_.data() + used_, take);
    std::memset(pool_.data() + used_, 0, take);  // a code handed out is not left behind in memory
    used_ += take;
    out = out.subspan(take);
  }
}

// SplitMix64: G. Steele, D. Lea, C. Flood, "Fast Splittable Pseudorandom Number Generators", OOPSLA 2014.
std::uint64_t SeededRandom::next() {
  std::uint64_t z = (state_ += 0x9e3779b97f4a7c15);
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
  z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
  return z ^ (z >> 31);
}

void SeededRandom::fill(std::span<std::uint8_t> out) {
  while (!out.empty()) {
    const std::uint64_t bits = next();
    const auto take = std::min(out.size(), sizeof bits);
    std::memcpy(out.data(), &bits, take);
    out = out.subspan(take);
  }
}

std::uint64_t SeededRandom::below(std::uint64_t bound) {
  DOORBUSTER_ASSERT(bound > 0);
  return next() % bound;
}

}  // namespace doorbuster
