#pragma once
// One ledger made of several: each campaign's requests go to the ledger that decides by its strategy
// (contract.md section 4). `async-queue` decides as `atomic` does, behind a queue in front of the ledger.
//
// A batch for one campaign, the normal case, is handed on as it is. A mixed one is split, and answered when
// all parts are: a part that fails answers `closed` for its requests and leaves those of the others alone.
//
// One shard, as every Ledger. The completions that are handed on need not outlive this object.

#include <unordered_map>

#include "ports/ledger.hpp"

namespace doorbuster::issuing {

class StrategyLedger final : public Ledger {
 public:
  struct Part {
    Strategy strategy;
    Ledger* ledger;  ///< several strategies may share one
  };
  /// \param parts the first one takes the campaigns that nobody knows. All ledgers outlive this.
  explicit StrategyLedger(std::vector<Part> parts);

  /// Where the campaign's requests go from now on.
  void know(const CampaignDefinition& definition);
  /// Of a campaign that is known; the first part's otherwise.
  Strategy strategy_of(const CampaignId& campaign) const;

  void decide(std::vector<IssueRequest> batch, Done<std::vector<Decision>> done) override;
  void confirm(std::vector<CouponKey> batch, Done<void> done) override;
  void find(CampaignId campaign, UserId user, Done<std::optional<Decision>> done) override;
  void show(CampaignId campaign, Done<std::optional<CampaignView>> done) override;
  void list(Done<std::vector<CampaignView>> done) override;
  void take_overdue(Duration older_than, std::size_t max, Done<std::vector<PendingEvent>> done) override;
  /// \returns invalid, naming the field, when no part offers the strategy
  void open(CampaignDefinition definition, Done<void> done) override;
  void begin_change(CampaignId campaign, CampaignPatch patch, Done<CampaignDefinition> done) override;
  void end_change(CampaignDefinition definition, Done<void> done) override;
  void holders(CampaignId campaign, std::uint64_t after, std::size_t max,
               Done<std::vector<Decision>> done) override;

 private:
  Ledger* offered(Strategy strategy) const;
  Ledger& ledger_of(const CampaignId& campaign) const;
  /// Each ledger once.
  std::vector<Ledger*> ledgers() const;

  std::vector<Part> parts_;
  std::unordered_map<CampaignId, Strategy> strategies_;
};

}  // namespace doorbuster::issuing
