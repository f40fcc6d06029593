#pragma once
// The repository as a ledger may ask it: on the look-up threads, behind their bounded queue, with the answer
// back on the ledger's shard.

#include <memory>

#include "base/executor.hpp"
#include "ports/holder_archive.hpp"
#include "rt/offload.hpp"

namespace doorbuster::api {

class RepositoryArchive final : public HolderArchive {
 public:
  /// All outlive this; a look-up that is under way needs `repository` and `executor` alone.
  /// \param most_finds under way at once; more are `overloaded`, so that the holders of one ended campaign
  /// leave room in the queue for redemptions
  RepositoryArchive(Executor& executor, CouponRepository& repository, rt::Offload& offload,
                    std::size_t most_finds)
      : executor_(executor), repository_(repository), offload_(offload), most_finds_(most_finds) {}

  void find(CampaignId campaign, UserId user, Done<std::optional<StoredCoupon>> done) override;
  void list(CampaignId campaign, std::uint64_t after, std::size_t max,
            Done<std::vector<StoredCoupon>> done) override;

 private:
  Executor& executor_;
  CouponRepository& repository_;
  rt::Offload& offload_;
  std::size_t most_finds_;
  std::shared_ptr<std::size_t> finds_ =
      std::make_shared<std::size_t>(0);  // under way; outlives this with them
};

}  // namespace doorbuster::api
