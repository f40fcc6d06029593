#pragma once
// Who holds which number of one campaign, kept small: a campaign of a million holders is a normal one.
//
// Layout
//  - An entry of 28 bytes for each number, in chunks of 256, found by number. A chunk is never moved.
//  - An index from the user to the number: extendible hashing (Fagin, Nievergelt, Pippenger, Strong:
//  "Extendible
//    Hashing", ACM TODS 1979). A segment holds up to 1024 slots of four bytes, and for each a tag of one
//    byte, so that the question for an absent user is answered from the tags alone. A full segment grows or
//    splits by itself: no insertion ever moves more than one segment, where doubling one large table would
//    stop the thread for tens of milliseconds.
//  - Users that are not integers lie in an arena; the entry has their place.
//  - Epoch and revision change rarely: the entry has the number of a pair.
//
// Invariants
//  1. An entry is there or empty; one that is there never changes except from pending to safe.
//  2. Load of a segment is at most 4/5, so every search ends.
//  3. The hash is keyed at random by process: users cannot choose ids that collide. Nothing that is visible
//     depends on the order of the index.
//
// One thread. Nothing is ever removed.

#include <cstdint>
#include <map>
#include <memory>
#include <string_view>
#include <vector>

#include "core/issuing/coupon.hpp"

namespace doorbuster {

struct Holder {
  Coupon coupon;
  std::uint32_t epoch = 1;
  std::uint32_t revision = 1;
  bool refilled = false;
  bool pending = false;
  friend bool operator==(const Holder&, const Holder&) = default;
};

class HolderTable {
 public:
  /// Numbers are kept in four bytes.
  static constexpr std::uint64_t kLargestSequence = 2'000'000'000;
  /// Times are kept in 54 bits of microseconds since 1970: until the year 2540.
  static constexpr Timestamp kLastTime{Duration{(std::int64_t{1} << 54) - 1}};

  /// A user, hashed once for find() and insert(). Refers to the UserId that it was made of.
  struct Key {
    std::uint64_t hash;
    std::uint64_t word;     ///< the integer, or kText
    std::string_view text;  ///< of a user that is no integer
  };

  HolderTable();

  Key key_of(const UserId& user) const;
  /// \returns the number of the user's coupon, 0 when there is none
  std::uint64_t find(const Key& key) const;
  bool contains(std::uint64_t sequence) const;
  /// \pre contains(sequence)
  Holder at(std::uint64_t sequence) const;
  /// \pre contains(sequence)
  bool pending(std::uint64_t sequence) const;
  /// \pre contains(sequence)
  void set_safe(std::uint64_t sequence);
  /// \pre the number is free, 1..kLargestSequence; the time is in 1970..kLastTime; `key` is of the holder's
  /// user
  void insert(const Key& key, const Holder& holder);

  /// The first number above `sequence` that somebody holds, 0 when there is none.
  std::uint64_t next_after(std::uint64_t sequence) const;
  std::uint64_t size() const { return size_; }
  std::uint64_t highest() const { return highest_; }
  /// Everything allocated, with what is reserved for growth.
  std::size_t memory_bytes() const;

 private:
  static constexpr std::uint64_t kText = std::uint64_t{1}
                                         << 63;  // in Entry::user: the rest is a place in the arena
  static constexpr std::size_t kChunkEntries = 256;

  struct Entry {  // no padding: kept as words of four bytes
    std::uint32_t user[2];
    std::uint32_t time[2];  // bits 0..53 microseconds, 54..60 high part of generation, 61 there, 62 refilled,
                            // 63 pending
    CouponCode::Bytes code;
    std::uint16_t generation;  // low part of the index into generations_
  };
  static_assert(sizeof(Entry) == 28);
  struct Chunk {
    Entry entries[kChunkEntries];
  };
  struct Segment {
    std::unique_ptr<std::uint32_t[]> memory;  // groups x (8 tags of one byte), then groups x 8 numbers
    std::uint32_t groups = 0;
    std::uint16_t used = 0;
    std::uint8_t depth = 0;  // leading bits of the hash that its users share
  };
  struct Generation {
    std::uint32_t epoch;
    std::uint32_t revision;
  };

  const Entry& entry(std::uint64_t sequence) const;
  Entry& entry(std::uint64_t sequence);
  bool same_user(std::uint64_t sequence, const Key& key) const;
  Key key_at(std::uint64_t sequence) const;
  std::string_view text_at(std::uint64_t place) const;
  std::uint64_t keep_text(std::string_view text);
  std::uint32_t generation_of(std::uint32_t epoch, std::uint32_t revision);

  std::size_t directory_place(std::uint64_t hash) const;
  static Segment make_segment(std::uint32_t groups, std::uint8_t depth);
  static void put(Segment& segment, std::uint64_t hash, std::uint32_t sequence);
  void make_room(std::uint64_t hash);
  void split(std::size_t segment_index, std::uint64_t hash);
  void move_entries(const Segment& from, Segment& low, Segment& high) const;

  std::uint64_t key_[2];
  std::vector<std::unique_ptr<Chunk>> chunks_;
  std::vector<Segment> segments_;
  std::vector<std::uint32_t> directory_;  // by the leading bits of the hash: index into segments_
  std::uint8_t directory_depth_ = 0;
  std::vector<std::unique_ptr<char[]>> arena_;
  std::size_t arena_used_ = 0;  // in the last block
  std::vector<Generation> generations_;
  std::map<std::uint64_t, std::uint32_t> generation_index_;
  std::uint64_t size_ = 0;
  std::uint64_t highest_ = 0;
};

}  // namespace doorbuster
