#pragma once
// A Redis with one ledger in it, as far as the protocols of Doorbuster can tell: commands that are atomic, a
// run id, an append-only file of which the last part may be missing after a restart, and FLUSHALL. Decisions
// are made by core's CampaignLedger, so that what is proved here is proved of the semantics that the scripts
// are compared with, too.

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <vector>

#include "core/issuing/campaign_ledger.hpp"
#include "ports/ledger.hpp"
#include "ports/recovery.hpp"

namespace doorbuster::model {

/// What an instance has learned from the catalog.
using Known = std::map<CampaignId, CampaignDefinition>;

class Redis {
 public:
  Redis(Clock& clock, RandomSource& random) : clock_(clock), random_(random) {}

  // Commands. A closed campaign answers `closed`: it is missing and the instance knows of it, its epoch is
  // older than the instance's, it was opened under another run, or a recovery is at work.
  std::vector<Decision> decide(const Known& known, const std::vector<IssueRequest>& batch);
  Result<void> confirm(const std::vector<CouponKey>& batch);
  Result<std::optional<Decision>> find(const Known& known, const CampaignId& campaign, const UserId& user);
  Result<std::optional<CampaignView>> show(const Known& known, const CampaignId& campaign);
  std::vector<PendingEvent> take_overdue(const Known& known, Duration older_than, std::size_t max);
  void prepare(const CampaignId& campaign, std::uint64_t who) { prepared_.emplace(campaign, who); }
  Result<void> open(const CampaignDefinition& definition, std::uint64_t who);
  /// A hold that is older than `kHoldLasts` is taken over. `who` is the instance.
  Result<CampaignDefinition> begin_change(const CampaignId& campaign, const CampaignPatch& patch,
                                          std::uint64_t who);
  Result<void> end_change(const CampaignDefinition& definition, std::uint64_t who);
  Result<std::vector<Decision>> holders(const CampaignId& campaign, std::uint64_t after, std::size_t max);

  // Recovery.
  Result<void> close(const CampaignDefinition& definition);
  std::vector<CouponIssued> everything(const CampaignId& campaign) const;
  Result<void> begin_rebuild(const CampaignDefinition& definition);
  Result<void> add(const CampaignDefinition& definition, std::span<const CouponIssued> events, bool safe);
  Result<void> finish_rebuild(const CampaignDefinition& definition, std::span<const NumberRange> missing);
  bool is_open(const CampaignId& campaign, std::uint32_t epoch) const;

  // Faults.
  /// Comes back under a new run, without the last `lost` entries of its file.
  void restart(std::size_t lost);
  /// The process stays, the data go.
  void flush();
  std::size_t file_entries() const { return file_.size(); }

  static constexpr Duration kHoldLasts = std::chrono::milliseconds(2500);

 private:
  struct Campaign {
    CampaignDefinition definition;  // the epoch here counts, not the ledger's
    std::unique_ptr<CampaignLedger> ledger;
    std::optional<std::vector<CouponIssued>> aside;
    bool closed = false;
    std::uint64_t run = 0;          // under which it was opened
    std::uint64_t rebuild_run = 0;  // under which it was emptied
    Timestamp held_since{};
    std::uint64_t held_by = 0;
    bool taken_over = false;
  };
  enum class Kind : std::uint8_t { open, change, close, empty, add_safe, add_pending, opened, confirm };
  struct Entry {  // of the append-only file: what was changed, not what was asked
    Kind kind = Kind::open;
    CampaignDefinition definition{};
    std::vector<CouponIssued> events{};
    std::uint64_t run = 0;
    std::vector<std::uint64_t> sequences{};
  };

  Campaign* usable(const CampaignId& campaign, const Known& known);
  Campaign* of(const CampaignId& campaign);
  Result<Campaign*> rebuilding(const CampaignDefinition& definition);
  void apply(const Entry& entry);
  void write(Entry entry);

  Clock& clock_;
  RandomSource& random_;
  std::uint64_t run_ = 1;
  std::map<CampaignId, Campaign> campaigns_;
  std::set<std::pair<CampaignId, std::uint64_t>> prepared_;  // not in the file: lost whenever anything is
  std::vector<Entry> file_;
};

/// The face that recovery sees. `before` runs before each command and may fail it, or end the run by an
/// exception.
class RedisRebuild final : public RebuildableLedger {
 public:
  using Before = std::function<Result<void>(const char*)>;
  RedisRebuild(Redis& redis, Before before) : redis_(redis), before_(std::move(before)) {}

  Result<void> close(const CampaignDefinition& definition) override;
  Result<void> read_holders(const CampaignId& campaign, Each<CouponIssued> each) override;
  Result<void> begin_rebuild(const CampaignDefinition& definition) override;
  Result<void> add(const CampaignDefinition& definition, std::span<const CouponIssued> events,
                   bool safe) override;
  Result<void> finish_rebuild(const CampaignDefinition& definition,
                              std::span<const NumberRange> missing) override;
  Result<bool> is_open(const CampaignDefinition& definition) override;

 private:
  Redis& redis_;
  Before before_;
};

}  // namespace doorbuster::model
