#pragma once
// Events as bytes and as JSON, versioned by `v`.

#include <string>
#include <string_view>

#include "core/issuing/coupon.hpp"

namespace doorbuster::event {

inline constexpr int kEventVersion = 1;

/// One line of JSON with the names of consistency.md: v, type, campaign_id, epoch, revision, sequence,
/// refilled?, user_id, code, decided_at, instance; for a definition type "campaign" and its fields.
std::string to_json(const Event& event);

/// \returns malformed (with the offset), invalid (naming the field), unsupported (a later version)
Result<Event> from_json(std::string_view text);

}  // namespace doorbuster::event
