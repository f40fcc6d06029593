#pragma once
// What the embedded ledger keeps of a campaign that has ended when the memory of its holders is given back:
// its definition, its figures and a filter of its holders. All that it cannot answer is who holds what.
//
// Invariants
//  1. The status is `ended`, for good: nobody is admitted any more, so the figures never change.
//  2. All coupons are safe and in the repository, with the numbers 1..issued() (unloading checks it).
//  3. A user of whom decide() says `ended` or `held` has no coupon: the filter has every holder.
//
// One thread, that of the ledger.

#include "core/issuing/decision.hpp"
#include "core/issuing/holder_filter.hpp"

namespace doorbuster {

class UnloadedCampaign {
 public:
  /// \pre the status is `ended`. \param holders has all `issued` of them
  UnloadedCampaign(CampaignDefinition definition, std::uint64_t issued, HolderFilter holders);

  /// `unloaded` for who may be a holder; for everybody else what a campaign in memory says.
  Decision decide(const UserId& user) const;
  bool may_hold(const UserId& user) const { return holders_.may_hold(user); }

  /// As CampaignLedger's: the name may still change.
  Result<CampaignDefinition> begin_change(const CampaignPatch& patch);
  void end_change(const CampaignDefinition& definition);

  const CampaignDefinition& definition() const { return definition_; }
  CampaignView view() const;
  std::size_t memory_bytes() const { return sizeof *this + holders_.memory_bytes(); }

 private:
  CampaignDefinition definition_;
  std::uint64_t issued_;
  HolderFilter holders_;
  bool changing_ = false;
};

}  // namespace doorbuster
