#pragma once
// The repository as a ledger may ask it: on the look-up threads, behind their bounded queue, with the answer
// back on the ledger's shard.

#include "base/executor.hpp"
#include "ports/holder_archive.hpp"
#include "rt/offload.hpp"

namespace doorbuster::api {

class RepositoryArchive final : public HolderArchive {
 public:
  /// All outlive this; a look-up that is under way needs `repository` and `executor` alone.
  RepositoryArchive(Executor& executor, CouponRepository& repository, rt::Offload& offload)
      : executor_(executor), repository_(repository), offload_(offload) {}

  void find(CampaignId campaign, UserId user, Done<std::optional<StoredCoupon>> done) override;
  void list(CampaignId campaign, std::uint64_t after, std::size_t max,
            Done<std::vector<StoredCoupon>> done) override;

 private:
  Executor& executor_;
  CouponRepository& repository_;
  rt::Offload& offload_;
};

}  // namespace doorbuster::api
