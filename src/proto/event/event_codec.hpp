#pragma once
// Events as JSON, versioned by `v`. Pure functions.

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

}  // namespace doorbuster::event
