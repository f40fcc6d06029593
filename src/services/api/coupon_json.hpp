#pragma once
// Coupons as users see them (contract.md section 3). Written by hand: this is the reply of the hot path.

#include <string>

#include "core/issuing/campaign.hpp"
#include "core/issuing/decision.hpp"
#include "ports/coupon_repository.hpp"

namespace doorbuster::api {

/// Appends `{"code","campaign_id","user_id","sequence","issued_at","durable"}`; user_id is always a string.
/// \param durable the rule that held, and its strength: `log`, `log(rf=1)`, `ledger`
void append_coupon_json(std::string& out, const CampaignId& campaign, const Coupon& coupon,
                        std::string_view durable);
/// The same and, when it was redeemed, `"redeemed_at"`.
void append_coupon_json(std::string& out, const StoredCoupon& stored, std::string_view durable);

/// Appends `{"code","redeemed_at"}`.
void append_redemption_json(std::string& out, const Redemption& redemption);

/// Appends one line for the audit: `{"sequence","user_id","code","decided_at","pending","refilled","epoch",
/// "revision"}` and a line feed.
void append_holder_line(std::string& out, const Decision& holder);

/// Appends `{"missing":[{"first","last"},...]}`.
void append_missing_json(std::string& out, const std::vector<NumberRange>& missing);

/// `sequence,code,user_id,issued_at,redeemed_at` and a line feed.
extern const std::string_view kCouponCsvHeader;
void append_coupon_csv(std::string& out, const StoredCoupon& stored);

}  // namespace doorbuster::api
