#include "core/issuing/unloaded_campaign.hpp"

#include <utility>

namespace doorbuster {

UnloadedCampaign::UnloadedCampaign(CampaignDefinition definition, std::uint64_t issued, HolderFilter holders)
    : definition_(std::move(definition)), issued_(issued), holders_(std::move(holders)) {
  DOORBUSTER_ASSERT(definition_.status == CampaignStatus::ended);
}

Decision UnloadedCampaign::decide(const UserId& user) const {
  Decision decision;
  decision.outcome = holders_.may_hold(user) ? Outcome::unloaded : changing_ ? Outcome::held : Outcome::ended;
  decision.epoch = definition_.epoch;
  decision.revision = definition_.revision;
  decision.durability = definition_.durability;
  return decision;
}

Result<CampaignDefinition> UnloadedCampaign::begin_change(const CampaignPatch& patch) {
  if (changing_) return being_changed(definition_.id);
  auto next = patched(definition_, patch, issued_);
  changing_ = next.has_value();
  return next;
}

void UnloadedCampaign::end_change(const CampaignDefinition& definition) {
  DOORBUSTER_ASSERT(definition.id == definition_.id);
  changing_ = false;
  if (definition.revision <= definition_.revision) return;
  DOORBUSTER_ASSERT(definition.status == CampaignStatus::ended && definition.limit >= issued_);
  definition_ = definition;
}

CampaignView UnloadedCampaign::view() const {
  return {definition_, issued_, issued_, CampaignState::ended, changing_, {}};
}

}  // namespace doorbuster
