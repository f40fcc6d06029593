#pragma once
// Values that endpoints take from path, query and headers. Error texts never repeat bytes of the path or
// query, which need not be UTF-8.

#include <cstdint>
#include <string_view>

#include "base/ids.hpp"

namespace doorbuster::api {

/// An id in a path that cannot exist is as unknown as one that does not. \returns not_found
Result<CampaignId> campaign_in_path(std::string_view text);
Result<UserId> user_in_path(std::string_view text);
Result<CouponCode> code_in_path(std::string_view text);

Error no_such_campaign();
Error no_such_coupon();

/// A whole number in the query, or `fallback` when it is absent. \returns invalid, naming the parameter
Result<std::uint64_t> number_in_query(std::string_view query, std::string_view name, std::uint64_t fallback,
                                      std::uint64_t least, std::uint64_t most);

/// The value of an `Idempotency-Key`, 1 to 128 visible ASCII characters; empty when absent. \returns invalid
Result<std::string> idempotency_key(std::string_view header);

}  // namespace doorbuster::api
