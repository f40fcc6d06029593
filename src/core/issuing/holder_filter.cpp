#include "core/issuing/holder_filter.hpp"

#include <algorithm>
#include <cstring>

namespace doorbuster {
namespace {

constexpr std::array<std::uint32_t, 8> kSalts = {0x47b6137bU, 0x44974d91U, 0x8824ad5bU, 0xa2b7289dU,
                                                 0x705495c7U, 0x2df1424bU, 0x9efc4947U, 0x5c6bfb31U};

/// The high and low half of the product, folded (as in wyhash, https://github.com/wangyi-fudan/wyhash).
std::uint64_t mix(std::uint64_t a, std::uint64_t b) {
  __extension__ using Wide = unsigned __int128;
  const Wide product = static_cast<Wide>(a) * b;
  return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64);
}

}  // namespace

std::size_t HolderFilter::bytes_for(std::uint64_t holders) {
  const std::uint64_t bits = std::max<std::uint64_t>(holders, 1) * kBitsPerHolder;
  return static_cast<std::size_t>((bits + 255) / 256 * sizeof(Block));
}

HolderFilter::HolderFilter(std::uint64_t holders, std::uint64_t key)
    : blocks_(bytes_for(holders) / sizeof(Block)), key_(key) {}

std::uint64_t HolderFilter::hash_of(const UserId& user) const {
  constexpr std::uint64_t kFirst = 0xa0761d6478bd642fU;
  constexpr std::uint64_t kSecond = 0xe7037ed1a0b428dbU;
  const auto text = user.text();
  std::uint64_t hash = key_ ^ kFirst;
  for (std::size_t at = 0; at < text.size(); at += 8) {
    std::uint64_t word = 0;
    std::memcpy(&word, text.data() + at, std::min<std::size_t>(8, text.size() - at));
    hash = mix(hash ^ word, kSecond ^ key_);
  }
  return mix(hash ^ text.size(), kFirst);
}

std::size_t HolderFilter::block_of(std::uint64_t hash) const {
  // The high half, scaled to the number of blocks without a division.
  return static_cast<std::size_t>(((hash >> 32) * blocks_.size()) >> 32);
}

void HolderFilter::add(const UserId& user) {
  const std::uint64_t hash = hash_of(user);
  Block& block = blocks_[block_of(hash)];
  const auto low = static_cast<std::uint32_t>(hash);
  for (std::size_t i = 0; i < kSalts.size(); ++i) block.words[i] |= 1U << ((low * kSalts[i]) >> 27);
}

bool HolderFilter::may_hold(const UserId& user) const {
  const std::uint64_t hash = hash_of(user);
  const Block& block = blocks_[block_of(hash)];
  const auto low = static_cast<std::uint32_t>(hash);
  for (std::size_t i = 0; i < kSalts.size(); ++i) {
    if ((block.words[i] & (1U << ((low * kSalts[i]) >> 27))) == 0) return false;
  }
  return true;
}

}  // namespace doorbuster
