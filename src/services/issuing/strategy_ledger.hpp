#pragma once
// One ledger made of several: each campaign's requests go to the ledger that decides by its strategy
// (contract.md section 4). `async-queue` decides as `atomic` does, behind a queue in front of the ledger.
//
// A batch for one campaign, the normal case, is handed on as it is. A mixed one is split, and answered when
// all parts are: a part that fails answers `closed` for its requests and leaves those of the others alone.
//
// A campaign that this process does not know may just have been created by another one: nobody is told that
// it is not there before the catalog was asked again.
//
// One shard, as every Ledger. The completions that are handed on need not outlive this object.

#include <functional>
#include <unordered_map>

#include "base/clock.hpp"
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

  /// What the catalog was told to be asked for again is true for so long.
  static constexpr Duration kUnknownLasts = std::chrono::milliseconds(100);
  /// Unknown campaigns are answered `held` (not_ready) until all definitions were told by know_all() twice
  /// since then: the first time the catalog may have been read before. \param refresh asks for know_all()
  void ask_before_unknown(Clock& clock, std::function<void()> refresh);

  /// Where the campaign's requests go from now on.
  void know(const CampaignDefinition& definition);
  /// Everything that the catalog has.
  void know_all(const std::vector<CampaignDefinition>& definitions);
  /// Of a campaign that is known; the first part's otherwise.
  Strategy strategy_of(const CampaignId& campaign) const;

  void decide(std::vector<IssueRequest> batch, Done<std::vector<Decision>> done) override;
  void confirm(std::vector<CouponKey> batch, Done<void> done) override;
  void find(CampaignId campaign, UserId user, Done<std::optional<Decision>> done) override;
  void show(CampaignId campaign, Done<std::optional<CampaignView>> done) override;
  void list(Done<std::vector<CampaignView>> done) override;
  void take_overdue(Duration older_than, std::size_t max, Done<std::vector<PendingEvent>> done) override;
  /// As open(): invalid, naming the field, when no part offers the strategy.
  void prepare(CampaignDefinition definition, Done<void> done) override;
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

  bool unsure(const CampaignId& campaign);

  struct Unknown {
    std::uint64_t asked_at = 0;  // tellings_ at that moment
    Timestamp sure_since{};
    bool sure = false;
  };

  std::vector<Part> parts_;
  Clock* clock_ = nullptr;
  std::function<void()> refresh_;
  std::uint64_t tellings_ = 0;
  std::unordered_map<CampaignId, Unknown> unknown_;  // emptied when it has kMostUnknown
  std::unordered_map<CampaignId, Strategy> strategies_;
};

}  // namespace doorbuster::issuing
