#pragma once
// A ledger that says "sold out" by itself when it may (consistency.md rule 5), and hands everything else on.
// Stands here and not among the api's files because it speaks to ports alone: the simulator links it without
// HTTP.
//
//   decide ──▶ latched, confirmed within the last second, not a holder? ──▶ sold out, at once
//         └──▶ everybody else ──▶ the ledger ──▶ a final sold-out latches
//
// A latched campaign's filter is read from the ledger page by page while requests go on. As long as it is
// asked for, a latched campaign is confirmed by Ledger::show() every `confirm_every`, so the ledger's work
// does not grow with the number of refusals.
//
// One shard, as every Ledger. Completions may come after this object's end: they are dropped then.

#include <memory>

#include "base/executor.hpp"
#include "core/issuing/sold_out_latch.hpp"
#include "ports/ledger.hpp"

namespace doorbuster::issuing {

struct LatchOptions {
  Duration confirm_every = std::chrono::milliseconds(300);
  Duration build_again_after = std::chrono::seconds(1);  ///< a filter that could not be built
  std::size_t page = 5'000;                              ///< holders read at once
  /// Filters of all campaigns together; the one that was not asked for longest goes first. A campaign whose
  /// own filter is larger is never latched.
  std::size_t most_filter_bytes = 64U << 20;
  std::uint64_t filter_key = 0;  ///< drawn at random by process
};

struct LatchStats {
  std::uint64_t refusals = 0;       ///< answered without the ledger
  std::uint64_t confirmations = 0;  ///< questions to keep a latch
  std::uint64_t filters = 0;        ///< built
  std::uint64_t evicted = 0;        ///< filters dropped for want of room
  std::size_t filter_bytes = 0;
};

class LatchingLedger final : public Ledger {
 public:
  /// \param clock a BootClock. \param ledger outlives this and its calls
  LatchingLedger(Executor& executor, Clock& clock, Ledger& ledger, LatchOptions options);
  ~LatchingLedger() override;

  void decide(std::vector<IssueRequest> batch, Done<std::vector<Decision>> done) override;
  void confirm(std::vector<CouponKey> batch, Done<void> done) override;
  void find(CampaignId campaign, UserId user, Done<std::optional<Decision>> done) override;
  void show(CampaignId campaign, Done<std::optional<CampaignView>> done) override;
  void list(Done<std::vector<CampaignView>> done) override;
  void take_overdue(Duration older_than, std::size_t max, Done<std::vector<PendingEvent>> done) override;
  void open(CampaignDefinition definition, Done<void> done) override;
  void begin_change(CampaignId campaign, CampaignPatch patch, Done<CampaignDefinition> done) override;
  void end_change(CampaignDefinition definition, Done<void> done) override;
  void holders(CampaignId campaign, std::uint64_t after, std::size_t max,
               Done<std::vector<Decision>> done) override;

  const LatchStats& stats() const;

 private:
  class Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace doorbuster::issuing
