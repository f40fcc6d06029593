#pragma once
// Events as bytes, many in one piece: a row of an event log. Pure functions.
//
// Integers are little-endian and unsigned unless marked; `text` is a length in two bytes and then the bytes;
// `time` is microseconds since 1970 UTC, signed, in eight bytes.
//
// Coupons that were decided under the same circumstances:
//   kind (1 byte: 1), version (1 byte: 1), count (4 bytes), campaign id (text), epoch (4 bytes), revision (4
//   bytes), refilled (1 byte: 0 or 1), instance (text), and for each coupon
//   sequence (8 bytes), decided_at (time), code (10 bytes), user id (length in one byte, then the bytes).
//
// A definition:
//   kind (1 byte: 2), version (1 byte: 1), campaign id (text), epoch (4 bytes), revision (4 bytes), name
//   (text), limit (8 bytes), starts_at (1 byte: 0 or 1, then time, 0 when not set), ends_at (as starts_at),
//   status (text: `open`, ...), strategy (text: `atomic`, ...), durability (text: `log`, ...), created_at
//   (time).

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "core/issuing/coupon.hpp"

namespace doorbuster::event {

/// Coupons of one piece at most: some 20 KB. Whoever begins to read in the middle passes over so many.
inline constexpr std::size_t kMostCouponsTogether = 512;

/// Appends as many of the first events as fit into one piece: those that share all but the coupon.
/// \pre !events.empty()  \returns how many
std::size_t append_coupons(std::span<const CouponIssued> events, std::string& out);

void append_definition(const CampaignDefinition& definition, std::string& out);

/// Gives the events of one piece, one after another. Keeps a view of the bytes.
/// Whatever the bytes are, it ends with an error or with the events that they stand for.
class BytesReader {
 public:
  BytesReader() = default;
  /// \returns corrupt, saying why
  static Result<BytesReader> open(std::string_view bytes);

  /// Events that next() has not given yet.
  std::uint32_t left() const { return left_; }
  /// The next event, in the place of what `event` was. \pre left() > 0  \returns corrupt, saying why
  Result<void> next(Event& event);

 private:
  Result<void> next_coupon(CouponIssued& event);

  std::string_view rest_;
  std::uint32_t left_ = 0;
  bool definition_ = false;
  CouponIssued alike_;  ///< all but the coupon
};

/// CRC-32 as zlib computes it (ISO 3309, polynomial 0xedb88320), going on from the value of the piece before;
/// 0 before the first. In Python: `zlib.crc32(bytes, before)`.
std::uint32_t chained_crc(std::uint32_t before, std::string_view bytes);

}  // namespace doorbuster::event
