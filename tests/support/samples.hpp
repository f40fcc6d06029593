#pragma once
// Values for tests: valid, and different wherever their arguments differ.

#include <string>
#include <string_view>
#include <vector>

#include "core/issuing/coupon.hpp"
#include "tests/support/manual_clock.hpp"

namespace doorbuster::test {

using Sequences = std::vector<std::uint64_t>;

inline CampaignId campaign_id(std::string_view text) {
  return CampaignId::parse(text).value();
}
inline UserId user_id(std::string_view text) {
  return UserId::parse(text).value();
}

/// Revision 1, open, without a window.
inline CampaignDefinition campaign(std::string_view id, std::uint64_t limit) {
  CampaignDefinition definition;
  definition.id = campaign_id(id);
  definition.name = "Sample " + std::string(id);
  definition.limit = limit;
  definition.created_at = ManualClock::kStart;
  return definition;
}

/// The code follows from campaign and number.
inline CouponIssued coupon_event(std::string_view campaign, std::uint64_t sequence, UserId user) {
  CouponIssued event;
  event.campaign = campaign_id(campaign);
  CouponCode::Bytes code{};
  for (std::size_t i = 0; i < 8; ++i) code[i] = static_cast<std::uint8_t>(sequence >> (8 * i));
  for (const char c : campaign) code[8] = static_cast<std::uint8_t>(code[8] * 31 + c);
  event.coupon = {user, sequence, CouponCode(code), ManualClock::kStart + Duration{sequence}};
  event.instance = InstanceName("api-1");
  return event;
}
/// Of user 1000 + `sequence`.
inline CouponIssued coupon_event(std::string_view campaign, std::uint64_t sequence) {
  return coupon_event(campaign, sequence, UserId::from_integer(1000 + sequence));
}

}  // namespace doorbuster::test
