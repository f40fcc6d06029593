#pragma once
// Events as bytes and as JSON, versioned by `v`. Pure functions.

#include <cstdint>
#include <string>
#include <string_view>

#include "core/issuing/coupon.hpp"

namespace doorbuster::event {

inline constexpr int kEventVersion = 1;

/// One line of JSON with the names of consistency.md. A coupon:
///   {"v":1,"type":"issued","campaign_id":"sale","epoch":1,"revision":1,"sequence":17,"refilled":true,
///    "user_id":"123","code":"0123456789ABCDEF","decided_at":"2026-11-25T09:00:00.000000Z","instance":"api-1"}
/// (`refilled` only when true). A definition:
///   {"v":1,"type":"campaign","campaign_id":"sale","name":"Sale","limit":100,"starts_at":...,"ends_at":...,
///    "status":"open","strategy":"atomic","durability":"log","revision":1,"epoch":1,"created_at":...}
/// (`starts_at` and `ends_at` only when set).
std::string to_json(const Event& event);
/// The same, at the end of `out`.
void append_json(const Event& event, std::string& out);

/// Fields that are not known are passed over: a version adds only what an older reader may ignore.
/// \returns malformed (with the offset), invalid (naming the field), unsupported (a later version)
Result<Event> from_json(std::string_view text);

/// Appends the one byte string that stands for `event` in the checksum chain of an event log, whatever form
/// the log keeps it in. Fields in this order; integers little-endian and unsigned unless marked; `text` is a
/// length in two bytes and then the bytes; `time` is microseconds since 1970 UTC, signed, in eight bytes.
///
/// A coupon: kind (1 byte: 1), version (1 byte: 1), campaign id (text), epoch (4 bytes), revision (4 bytes),
/// sequence (8 bytes), refilled (1 byte: 0 or 1), user id (text), code (10 bytes), decided_at (time),
/// instance (text).
///
/// A definition: kind (1 byte: 2), version (1 byte: 1), campaign id (text), epoch (4 bytes), revision (4
/// bytes), name (text), limit (8 bytes), starts_at (1 byte: 0 or 1, then time, 0 when not set), ends_at (as
/// starts_at), status (text: `open`, ...), strategy (text: `atomic`, ...), durability (text: `log`, ...),
/// created_at (time).
void append_canonical(const Event& event, std::string& out);
/// The same for a coupon that is not in a variant.
void append_canonical(const CouponIssued& event, std::string& out);

/// CRC-32 as zlib computes it (ISO 3309, polynomial 0xedb88320), going on from the value of the record
/// before; 0 before the first. In Python: `zlib.crc32(bytes, before)`.
std::uint32_t chained_crc(std::uint32_t before, std::string_view bytes);

}  // namespace doorbuster::event
