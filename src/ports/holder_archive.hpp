#pragma once
// Ports about the memory of campaigns that have ended: who holds their coupons when the ledger has forgotten,
// and the ledger that may forget. Both belong to the ledger's shard (thread).

#include <memory>
#include <optional>
#include <vector>

#include "core/issuing/holder_filter.hpp"
#include "ports/coupon_repository.hpp"
#include "ports/ledger.hpp"

namespace doorbuster {

/// The repository, asked without waiting. Completions run on the shard, once each. A failure (overloaded,
/// unavailable) says that nothing is known: who meets it is told to ask again.
class HolderArchive {
 public:
  template <class T>
  using Done = UniqueFunction<void(Result<T>)>;

  virtual ~HolderArchive() = default;
  virtual void find(CampaignId campaign, UserId user, Done<std::optional<StoredCoupon>> done) = 0;
  /// As CouponRepository::list().
  virtual void list(CampaignId campaign, std::uint64_t after, std::size_t max,
                    Done<std::vector<StoredCoupon>> done) = 0;
};

/// A ledger that keeps holders in the memory of this process, and need not do so for ever.
///
/// After unload() it decides `unloaded` for whoever may hold a coupon of that campaign, and asks the archive
/// in find() and holders(); everything else it answers as before.
class UnloadableLedger : public Ledger {
 public:
  /// Campaigns in memory that have ended for good and are quiet: no coupon is pending, no change going on.
  virtual std::vector<CampaignId> unloadable() const = 0;

  /// Gives the memory of a campaign's holders back. The caller has found each of them in the archive, with
  /// all that holders() says of it. \param holders has them all, `count` in number. \param archive outlives
  /// the ledger's calls
  /// \returns not_found (not in memory), conflict (not unloadable, or it has more or fewer holders)
  virtual Result<void> unload(const CampaignId& campaign, HolderFilter holders, std::uint64_t count,
                              HolderArchive& archive) = 0;
};

}  // namespace doorbuster
