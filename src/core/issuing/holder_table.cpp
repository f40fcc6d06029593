#include "core/issuing/holder_table.hpp"

#include <algorithm>
#include <bit>
#include <cstring>
#include <random>

namespace doorbuster {
namespace {

static_assert(std::endian::native == std::endian::little,
              "tags are searched eight at a time, lowest byte first");

constexpr std::uint32_t kGroupSlots = 8;
constexpr std::uint32_t kFirstGroups = 1;
constexpr std::uint32_t kMostGroups = 128;  // a segment of this size splits
constexpr std::uint32_t kSplitGroups =
    96;  // its halves: 410 of 768 slots, and one growth until they split again
constexpr std::uint8_t kDeepestSegment =
    24;  // 16 million segments; below that (never, by invariant 3) they grow
constexpr std::uint64_t kTimeMask = (std::uint64_t{1} << 54) - 1;
constexpr std::uint64_t kThere = std::uint64_t{1} << 61;
constexpr std::uint64_t kRefilled = std::uint64_t{1} << 62;
constexpr std::uint64_t kPending = std::uint64_t{1} << 63;
constexpr std::uint32_t kMostGenerations = 1U << 23;
constexpr std::size_t kFirstArenaBytes = 1024;
constexpr std::size_t kLargestArenaBytes = 65536;

std::size_t arena_block_bytes(std::size_t block) {
  return block < 6 ? kFirstArenaBytes << block : kLargestArenaBytes;
}

std::uint64_t load64(const void* from) {
  std::uint64_t word;
  std::memcpy(&word, from, sizeof word);
  return word;
}
void store64(void* to, std::uint64_t word) {
  std::memcpy(to, &word, sizeof word);
}

/// The folded product of wyhash (https://github.com/wangyi-fudan/wyhash, public domain).
std::uint64_t mix(std::uint64_t a, std::uint64_t b) {
  __extension__ using Wide = unsigned __int128;
  const Wide product = static_cast<Wide>(a) * b;
  return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64);
}

std::uint64_t hash_word(std::uint64_t word, const std::uint64_t (&key)[2]) {
  return mix(mix(word ^ key[0], key[1]) ^ word, 0x9e3779b97f4a7c15U);
}

std::uint64_t hash_text(std::string_view text, const std::uint64_t (&key)[2]) {
  std::uint64_t state = key[0] ^ text.size();
  while (text.size() > 8) {
    state = mix(load64(text.data()) ^ state, key[1]);
    text.remove_prefix(8);
  }
  std::uint64_t rest = 0;
  std::memcpy(&rest, text.data(), text.size());
  return hash_word(rest ^ state, key);
}

struct HashKey {
  std::uint64_t words[2];
};
const HashKey& process_hash_key() {
  static const HashKey key = [] {
    std::random_device device;
    const auto word = [&device] { return std::uint64_t{device()} << 32 | device() | 1U; };
    return HashKey{{word(), word()}};
  }();
  return key;
}

// Which bits of the hash say what: 63..40 the segment, 39..8 the group within it, 7..0 the tag.
std::uint8_t tag_of(std::uint64_t hash) {
  const auto tag = static_cast<std::uint8_t>(hash);
  return tag == 0 ? 1 : tag;  // 0 is an empty slot
}
std::uint32_t group_of(std::uint64_t hash, std::uint32_t groups) {
  return static_cast<std::uint32_t>((std::uint64_t{static_cast<std::uint32_t>(hash >> 8)} * groups) >> 32);
}

/// The high bit of each byte that is zero. Above the lowest one it may be wrong (Hacker's Delight, 6-1).
std::uint64_t zero_bytes(std::uint64_t word) {
  return (word - 0x0101010101010101U) & ~word & 0x8080808080808080U;
}

}  // namespace

HolderTable::HolderTable() : key_{process_hash_key().words[0], process_hash_key().words[1]} {}

HolderTable::Key HolderTable::key_of(const UserId& user) const {
  if (const auto number = user.integer()) return {hash_word(*number, key_), *number, {}};
  return {hash_text(user.text(), key_), kText, user.text()};
}

HolderTable::Key HolderTable::key_at(std::uint64_t sequence) const {
  const std::uint64_t word = load64(entry(sequence).user);
  if ((word & kText) == 0) return {hash_word(word, key_), word, {}};
  const std::string_view text = text_at(word & ~kText);
  return {hash_text(text, key_), kText, text};
}

bool HolderTable::same_user(std::uint64_t sequence, const Key& key) const {
  const std::uint64_t word = load64(entry(sequence).user);
  if (key.word != kText) return word == key.word;
  return (word & kText) != 0 && text_at(word & ~kText) == key.text;
}

std::uint64_t HolderTable::find(const Key& key) const {
  if (segments_.empty()) return 0;
  const Segment& segment = segments_[directory_[directory_place(key.hash)]];
  const auto* tags = reinterpret_cast<const unsigned char*>(segment.memory.get());
  const std::uint32_t* numbers = segment.memory.get() + segment.groups * 2;
  const std::uint64_t wanted = tag_of(key.hash) * std::uint64_t{0x0101010101010101U};
  std::uint32_t group = group_of(key.hash, segment.groups);
  while (true) {
    const std::uint64_t word = load64(tags + group * kGroupSlots);
    for (std::uint64_t hits = zero_bytes(word ^ wanted); hits != 0; hits &= hits - 1) {
      const auto slot = static_cast<std::uint32_t>(std::countr_zero(hits)) / 8;
      if (tags[group * kGroupSlots + slot] != tag_of(key.hash)) continue;
      const std::uint32_t sequence = numbers[group * kGroupSlots + slot];
      if (same_user(sequence, key)) return sequence;
    }
    if (zero_bytes(word) != 0) return 0;
    if (++group == segment.groups) group = 0;
  }
}

const HolderTable::Entry& HolderTable::entry(std::uint64_t sequence) const {
  return chunks_[(sequence - 1) / kChunkEntries]->entries[(sequence - 1) % kChunkEntries];
}
HolderTable::Entry& HolderTable::entry(std::uint64_t sequence) {
  return chunks_[(sequence - 1) / kChunkEntries]->entries[(sequence - 1) % kChunkEntries];
}

bool HolderTable::contains(std::uint64_t sequence) const {
  if (sequence == 0 || sequence > highest_ || chunks_[(sequence - 1) / kChunkEntries] == nullptr)
    return false;
  return (load64(entry(sequence).time) & kThere) != 0;
}

Holder HolderTable::at(std::uint64_t sequence) const {
  DOORBUSTER_ASSERT(contains(sequence));
  const Entry& from = entry(sequence);
  const std::uint64_t user = load64(from.user);
  const std::uint64_t time = load64(from.time);
  const Generation& generation = generations_[(time >> 54 & 0x7f) << 16 | from.generation];
  Holder holder;
  holder.coupon.user =
      (user & kText) == 0 ? UserId::from_integer(user) : UserId::parse(text_at(user & ~kText)).value();
  holder.coupon.sequence = sequence;
  holder.coupon.code = CouponCode(from.code);
  holder.coupon.decided_at = Timestamp{Duration{static_cast<std::int64_t>(time & kTimeMask)}};
  holder.epoch = generation.epoch;
  holder.revision = generation.revision;
  holder.refilled = (time & kRefilled) != 0;
  holder.pending = (time & kPending) != 0;
  return holder;
}

bool HolderTable::pending(std::uint64_t sequence) const {
  DOORBUSTER_ASSERT(contains(sequence));
  return (load64(entry(sequence).time) & kPending) != 0;
}

void HolderTable::set_safe(std::uint64_t sequence) {
  DOORBUSTER_ASSERT(contains(sequence));
  Entry& to = entry(sequence);
  store64(to.time, load64(to.time) & ~kPending);
}

void HolderTable::insert(const Key& key, const Holder& holder) {
  const Coupon& coupon = holder.coupon;
  DOORBUSTER_ASSERT(coupon.sequence >= 1 && coupon.sequence <= kLargestSequence &&
                    !contains(coupon.sequence));
  DOORBUSTER_ASSERT(coupon.decided_at >= Timestamp{} && coupon.decided_at <= kLastTime);
  const std::size_t chunk = (coupon.sequence - 1) / kChunkEntries;
  if (chunk >= chunks_.size()) chunks_.resize(chunk + 1);
  if (chunks_[chunk] == nullptr) chunks_[chunk] = std::make_unique<Chunk>();

  const std::uint32_t generation = generation_of(holder.epoch, holder.revision);
  Entry& to = entry(coupon.sequence);
  store64(to.user, key.word != kText ? key.word : kText | keep_text(key.text));
  store64(to.time, static_cast<std::uint64_t>(coupon.decided_at.time_since_epoch().count()) |
                       std::uint64_t{generation >> 16} << 54 | kThere | (holder.refilled ? kRefilled : 0) |
                       (holder.pending ? kPending : 0));
  to.code = coupon.code.bytes();
  to.generation = static_cast<std::uint16_t>(generation);
  highest_ = std::max(highest_, coupon.sequence);
  ++size_;

  make_room(key.hash);
  put(segments_[directory_[directory_place(key.hash)]], key.hash,
      static_cast<std::uint32_t>(coupon.sequence));
}

std::uint64_t HolderTable::next_after(std::uint64_t sequence) const {
  if (sequence >= highest_) return 0;
  for (std::uint64_t next = sequence + 1; next <= highest_; ++next) {
    const std::size_t chunk = (next - 1) / kChunkEntries;
    if (chunks_[chunk] == nullptr) {
      next = (chunk + 1) * kChunkEntries;  // its last number
    } else if ((load64(entry(next).time) & kThere) != 0) {
      return next;
    }
  }
  return 0;
}

std::size_t HolderTable::memory_bytes() const {
  std::size_t bytes = chunks_.capacity() * sizeof chunks_[0] + segments_.capacity() * sizeof(Segment) +
                      directory_.capacity() * sizeof directory_[0] + arena_.capacity() * sizeof arena_[0] +
                      generations_.capacity() * sizeof(Generation) + generation_index_.size() * 48;
  for (const auto& chunk : chunks_) bytes += chunk == nullptr ? 0 : sizeof(Chunk);
  for (const Segment& segment : segments_) bytes += segment.groups * kGroupSlots * 5;
  for (std::size_t block = 0; block < arena_.size(); ++block) bytes += arena_block_bytes(block);
  return bytes;
}

std::string_view HolderTable::text_at(std::uint64_t place) const {
  const char* at = arena_[place / kLargestArenaBytes].get() + place % kLargestArenaBytes;
  return {at + 1, static_cast<unsigned char>(*at)};
}

std::uint64_t HolderTable::keep_text(std::string_view text) {
  const std::size_t needed = text.size() + 1;
  if (arena_.empty() || arena_used_ + needed > arena_block_bytes(arena_.size() - 1)) {
    arena_.push_back(std::make_unique_for_overwrite<char[]>(arena_block_bytes(arena_.size())));
    arena_used_ = 0;
  }
  char* at = arena_.back().get() + arena_used_;
  *at = static_cast<char>(text.size());
  std::memcpy(at + 1, text.data(), text.size());
  const std::uint64_t place = (arena_.size() - 1) * kLargestArenaBytes + arena_used_;
  arena_used_ += needed;
  return place;
}

std::uint32_t HolderTable::generation_of(std::uint32_t epoch, std::uint32_t revision) {
  if (!generations_.empty() && generations_.back().epoch == epoch &&
      generations_.back().revision == revision) {
    return static_cast<std::uint32_t>(generations_.size() - 1);
  }
  const auto [at, added] = generation_index_.try_emplace(std::uint64_t{epoch} << 32 | revision,
                                                         static_cast<std::uint32_t>(generations_.size()));
  if (added) {
    DOORBUSTER_ASSERT(generations_.size() < kMostGenerations);
    generations_.push_back({epoch, revision});
  }
  return at->second;
}

std::size_t HolderTable::directory_place(std::uint64_t hash) const {
  return directory_depth_ == 0 ? 0 : static_cast<std::size_t>(hash >> (64 - directory_depth_));
}

HolderTable::Segment HolderTable::make_segment(std::uint32_t groups, std::uint8_t depth) {
  Segment segment;
  segment.memory = std::make_unique_for_overwrite<std::uint32_t[]>(groups * (2 + kGroupSlots));
  std::memset(segment.memory.get(), 0, groups * kGroupSlots);  // the tags
  segment.groups = groups;
  segment.depth = depth;
  return segment;
}

void HolderTable::put(Segment& segment, std::uint64_t hash, std::uint32_t sequence) {
  DOORBUSTER_ASSERT(segment.used < segment.groups * kGroupSlots);
  auto* tags = reinterpret_cast<unsigned char*>(segment.memory.get());
  std::uint32_t group = group_of(hash, segment.groups);
  while (true) {
    if (const std::uint64_t empty = zero_bytes(load64(tags + group * kGroupSlots)); empty != 0) {
      const std::uint32_t slot =
          group * kGroupSlots + static_cast<std::uint32_t>(std::countr_zero(empty)) / 8;
      tags[slot] = tag_of(hash);
      segment.memory[segment.groups * 2 + slot] = sequence;
      ++segment.used;
      return;
    }
    if (++group == segment.groups) group = 0;
  }
}

void HolderTable::make_room(std::uint64_t hash) {
  if (segments_.empty()) {
    segments_.push_back(make_segment(kFirstGroups, 0));
    directory_.push_back(0);
  }
  while (true) {
    const std::size_t index = directory_[directory_place(hash)];
    const Segment& segment = segments_[index];
    if (std::uint32_t{segment.used} * 5 < segment.groups * kGroupSlots * 4) return;
    if (segment.groups >= kMostGroups && segment.depth < kDeepestSegment) {
      split(index, hash);
      continue;
    }
    // 1, 2, 3, 4, 6, 8, 12, ... 96, 128 groups
    const std::uint32_t power = std::bit_floor(segment.groups);
    const std::uint32_t more = segment.groups == power ? std::max(1U, power / 2) : power - power / 2;
    Segment larger = make_segment(segment.groups + more, segment.depth);
    move_entries(segment, larger, larger);
    segments_[index] = std::move(larger);
  }
}

void HolderTable::split(std::size_t segment_index, std::uint64_t hash) {
  if (segments_[segment_index].depth == directory_depth_) {
    std::vector<std::uint32_t> wider(directory_.size() * 2);
    for (std::size_t i = 0; i < wider.size(); ++i) wider[i] = directory_[i / 2];
    directory_ = std::move(wider);
    ++directory_depth_;
  }
  const auto depth = static_cast<std::uint8_t>(segments_[segment_index].depth + 1);
  Segment low = make_segment(kSplitGroups, depth);
  Segment high = make_segment(kSplitGroups, depth);
  move_entries(segments_[segment_index], low, high);

  const std::size_t span = std::size_t{1} << (directory_depth_ - depth);  // places of each half
  const std::size_t first = directory_place(hash) & ~(2 * span - 1);
  const auto high_index = static_cast<std::uint32_t>(segments_.size());
  std::fill_n(directory_.begin() + static_cast<std::ptrdiff_t>(first + span), span, high_index);
  segments_[segment_index] = std::move(low);
  segments_.push_back(std::move(high));
}

void HolderTable::move_entries(const Segment& from, Segment& low, Segment& high) const {
  const auto* tags = reinterpret_cast<const unsigned char*>(from.memory.get());
  const std::uint32_t* numbers = from.memory.get() + from.groups * 2;
  const std::uint64_t deciding_bit = high.depth == 0 ? 0 : std::uint64_t{1} << (64 - high.depth);
  const std::uint32_t slots = from.groups * kGroupSlots;
  constexpr std::uint32_t kAhead = 16;  // the users lie anywhere in memory: ask for them early
  for (std::uint32_t slot = 0; slot < slots; ++slot) {
    if (slot + kAhead < slots && tags[slot + kAhead] != 0) __builtin_prefetch(&entry(numbers[slot + kAhead]));
    if (tags[slot] == 0) continue;
    const std::uint64_t hash = key_at(numbers[slot]).hash;
    put((hash & deciding_bit) != 0 ? high : low, hash, numbers[slot]);
  }
}

}  // namespace doorbuster
