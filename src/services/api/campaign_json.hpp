#pragma once
// Campaigns as administrators write them and as everybody sees them (contract.md section 3).

#include <string>
#include <string_view>

#include "core/issuing/campaign.hpp"

namespace doorbuster::api {

/// Reads a creation: `id`, `name`, `limit`, and optionally `starts_at`, `ends_at`, `strategy`, `durability`.
/// Ranges are checked by validate(). \param strategy of a campaign that names none
/// \returns malformed with the offset; invalid naming the field
Result<CampaignDefinition> parse_campaign(std::string_view body, Strategy strategy = Strategy::atomic);

/// Reads a change: any of `name`, `limit`, `starts_at`, `ends_at` (null takes the bound away), `state`.
/// \returns malformed with the offset; invalid naming the field
Result<CampaignPatch> parse_campaign_patch(std::string_view body);

void append_campaign_json(std::string& out, const CampaignView& view);

}  // namespace doorbuster::api
