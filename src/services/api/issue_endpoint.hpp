#pragma once
// The hot path: `POST /v1/campaigns/{id}/coupons`. Recognised before the table of routes is looked through;
// between the request and its reply nothing is allocated once the pool of requests in the air has grown.

#include <optional>
#include <string_view>

#include "services/api/api_context.hpp"

namespace doorbuster::api {

/// The campaign in `/v1/campaigns/{id}/coupons`; nullopt for any other path, and for escaped ones, which the
/// table of routes deals with.
std::optional<std::string_view> campaign_of_issue_path(std::string_view path);

/// Reads the body, asks for a coupon, answers. The caller's role has been checked.
void issue_for(const ContextPtr& context, const CampaignId& campaign, std::string_view body,
               const Caller& caller, Reply reply);

}  // namespace doorbuster::api
