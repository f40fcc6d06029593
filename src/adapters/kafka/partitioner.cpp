#include "adapters/kafka/partitioner.hpp"

#include <cstring>

namespace doorbuster::kafka {

std::uint32_t murmur2(std::string_view bytes) {
  constexpr std::uint32_t kSeed = 0x9747b28c;
  constexpr std::uint32_t kMultiplier = 0x5bd1e995;
  constexpr int kShift = 24;
  const auto byte = [&](std::size_t at) { return static_cast<std::uint32_t>(std::uint8_t(bytes[at])); };

  const std::size_t whole = bytes.size() / 4 * 4;
  auto hash = kSeed ^ static_cast<std::uint32_t>(bytes.size());
  for (std::size_t at = 0; at < whole; at += 4) {
    std::uint32_t word = byte(at) | byte(at + 1) << 8 | byte(at + 2) << 16 | byte(at + 3) << 24;
    word *= kMultiplier;
    word ^= word >> kShift;
    word *= kMultiplier;
    hash = hash * kMultiplier ^ word;
  }
  const std::size_t rest = bytes.size() - whole;
  if (rest >= 3) hash ^= byte(whole + 2) << 16;
  if (rest >= 2) hash ^= byte(whole + 1) << 8;
  if (rest >= 1) hash = (hash ^ byte(whole)) * kMultiplier;
  hash ^= hash >> 13;
  hash *= kMultiplier;
  return hash ^ hash >> 15;
}

std::string key_of(const CouponIssued& event) {
  const auto campaign = event.campaign.text();
  const auto user = event.coupon.user.text();
  std::string key;
  key.reserve(campaign.size() + 1 + user.size());
  return key.append(campaign).append(1, '/').append(user);
}

int partition_of(std::string_view key, int partitions) {
  // The sign is cleared first, as the Java clients do it.
  return static_cast<int>((murmur2(key) & 0x7fffffffU) % static_cast<std::uint32_t>(partitions));
}

}  // namespace doorbuster::kafka
