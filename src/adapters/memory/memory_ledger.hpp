#pragma once
// The ledger of the embedded system: every campaign of one shard, in memory, rebuilt from the log at start.
//
// Life: closed from construction on; restore() for each record of the log, in its order; finish_restore()
// opens it. One thread: the shard that owns it. Completions run inside the call, but for find() and holders()
// of a campaign that is unloaded: those wait for the archive.
//
// Unloaded campaigns lie in a map of their own, which is looked at only for an id that is not among those in
// memory: a request for one of these costs nothing more.

#include <memory>
#include <unordered_map>

#include "base/clock.hpp"
#include "base/random.hpp"
#include "core/issuing/campaign_ledger.hpp"
#include "core/issuing/unloaded_campaign.hpp"
#include "ports/holder_archive.hpp"

namespace doorbuster {

class MemoryLedger final : public UnloadableLedger {
 public:
  /// \param clock,random outlive the ledger
  MemoryLedger(Clock& clock, RandomSource& random);

  /// Takes a record back from the log. Before finish_restore() only.
  /// \returns corrupt when the log contradicts itself
  Result<void> restore(const LogRecord& record);
  /// Everything is read back (or there was nothing): decisions begin.
  void finish_restore();

  void decide(std::vector<IssueRequest> batch, Done<std::vector<Decision>> done) override;
  void confirm(std::vector<CouponKey> batch, Done<void> done) override;
  void find(CampaignId campaign, UserId user, Done<std::optional<Decision>> done) override;
  void show(CampaignId campaign, Done<std::optional<CampaignView>> done) override;
  void list(Done<std::vector<CampaignView>> done) override;
  void take_overdue(Duration older_than, std::size_t max, Done<std::vector<PendingEvent>> done) override;
  /// Nobody else opens campaigns here: there is nothing to note.
  void prepare(CampaignDefinition definition, Done<void> done) override;
  void open(CampaignDefinition definition, Done<void> done) override;
  void begin_change(CampaignId campaign, CampaignPatch patch, Done<CampaignDefinition> done) override;
  void end_change(CampaignDefinition definition, Done<void> done) override;
  void holders(CampaignId campaign, std::uint64_t after, std::size_t max,
               Done<std::vector<Decision>> done) override;

  std::vector<CampaignId> unloadable() const override;
  /// Until the next start: the log is read back whole.
  Result<void> unload(const CampaignId& campaign, HolderFilter holders, std::uint64_t count,
                      HolderArchive& archive) override;
  std::size_t memory_bytes() const;
  std::size_t unloaded() const { return unloaded_.size(); }

 private:
  struct Unloaded {
    UnloadedCampaign campaign;
    HolderArchive* archive;
  };

  CampaignLedger* ledger_of(const CampaignId& campaign);
  Unloaded* unloaded_of(const CampaignId& campaign);
  /// In memory or unloaded; null when it is neither.
  const CampaignDefinition* definition_of(const CampaignId& campaign);
  Decision decide_one(const IssueRequest& request, Timestamp now);

  Clock& clock_;
  RandomSource& random_;
  bool open_ = false;
  std::unordered_map<CampaignId, std::unique_ptr<CampaignLedger>> campaigns_;
  std::unordered_map<CampaignId, Unloaded> unloaded_;
  CampaignLedger* last_used_ = nullptr;  // a crowd asks for one campaign: saves the hash of its id
};

}  // namespace doorbuster
