#pragma once
// The ledger as it is seen from a shard that does not own it: each batch goes to the owner's shard, and the
// answer comes back. A shard has one of its own; many point to the same owner.

#include "base/executor.hpp"
#include "ports/ledger.hpp"

namespace doorbuster {

/// Bounded by its callers: each has a bound on the requests in the air, and a batch is a turn's worth of
/// them. A completion is lost (and what it holds destroyed) when either executor stops before the answer is
/// back.
class OwnerLedger final : public Ledger {
 public:
  /// \param owner lives on `owner_executor`; completions run on `own_executor`. All outlive this and its
  /// calls.
  OwnerLedger(Ledger& owner, Executor& owner_executor, Executor& own_executor)
      : owner_(owner), owner_executor_(owner_executor), own_executor_(own_executor) {}

  void decide(std::vector<IssueRequest> batch, Done<std::vector<Decision>> done) override;
  void confirm(std::vector<CouponKey> batch, Done<void> done) override;
  void find(CampaignId campaign, UserId user, Done<std::optional<Decision>> done) override;
  void show(CampaignId campaign, Done<std::optional<CampaignView>> done) override;
  void list(Done<std::vector<CampaignView>> done) override;
  void take_overdue(Duration older_than, std::size_t max, Done<std::vector<PendingEvent>> done) override;
  void prepare(CampaignDefinition definition, Done<void> done) override;
  void open(CampaignDefinition definition, Done<void> done) override;
  void begin_change(CampaignId campaign, CampaignPatch patch, Done<CampaignDefinition> done) override;
  void end_change(CampaignDefinition definition, Done<void> done) override;
  void holders(CampaignId campaign, std::uint64_t after, std::size_t max,
               Done<std::vector<Decision>> done) override;

 private:
  template <class T, class Call>
  void forward(Done<T> done, Call call);

  Ledger& owner_;
  Executor& owner_executor_;
  Executor& own_executor_;
};

}  // namespace doorbuster
