#pragma once
// Strategy db-lock: the plain way of a database. Every decision locks the stock row of its campaign
// (SELECT ... FOR UPDATE), looks the user up, inserts the coupon and counts; what is in the air together
// shares a transaction.
//
// Invariants
//  1. A coupon, its entry among the pending ones and the count are one transaction, and on disk before they
//  are
//     answered. Nothing can be lost that a recovery would have to find: the database is the ledger.
//  2. Numbers are 1, 2, 3 in the order in which the row was locked, and so are their times (the database's
//     clock, read while the row is locked).
//  3. Transactions lock stock rows in the order of their campaigns' ids: no two wait for each other.
//  4. A hold ends as Ledger::end_change() says; one that is older than `hold_timeout` may be taken over.
//
// A decision whose COMMIT was lost is `unknown_outcome`: whoever asks again is told what the database says,
// and the relay appends the event.

#include "adapters/mariadb/pool.hpp"
#include "base/random.hpp"
#include "ports/ledger.hpp"
#include "rt/offload.hpp"

namespace doorbuster::mariadb {

struct LedgerOptions {
  Duration hold_timeout = std::chrono::seconds(5);
  /// For tests: the database's clock shows this one's time.
  Clock* pretended_clock = nullptr;
};

/// One shard. Jobs run on `threads`, completions on `shard`; `threads` ends before this object.
class MariaDbLedger final : public Ledger {
 public:
  /// \param random of the shard, for codes. All outlive this.
  MariaDbLedger(Pool& pool, rt::Offload& threads, Executor& shard, RandomSource& random,
                LedgerOptions options = {});

  void decide(std::vector<IssueRequest> batch, Done<std::vector<Decision>> done) override;
  void confirm(std::vector<CouponKey> batch, Done<void> done) override;
  void find(CampaignId campaign, UserId user, Done<std::optional<Decision>> done) override;
  void show(CampaignId campaign, Done<std::optional<CampaignView>> done) override;
  void list(Done<std::vector<CampaignView>> done) override;
  void take_overdue(Duration older_than, std::size_t max, Done<std::vector<PendingEvent>> done) override;
  /// What is committed here is not lost: there is nothing to note.
  void prepare(CampaignDefinition definition, Done<void> done) override;
  void open(CampaignDefinition definition, Done<void> done) override;
  void begin_change(CampaignId campaign, CampaignPatch patch, Done<CampaignDefinition> done) override;
  void end_change(CampaignDefinition definition, Done<void> done) override;
  void holders(CampaignId campaign, std::uint64_t after, std::size_t max,
               Done<std::vector<Decision>> done) override;

 private:
  /// Runs `job(Connection&)` in a transaction on one of the threads; its failure rolls back.
  template <class T, class Job>
  void in_transaction(Job job, Done<T> done);
  /// The same without a transaction, once more after a lost connection.
  template <class T, class Job>
  void reading(Job job, Done<T> done);
  Result<void> pretend(Connection& connection);

  Pool& pool_;
  rt::Offload& threads_;
  Executor& shard_;
  RandomSource& random_;
  const LedgerOptions options_;
  std::string name_;  // of this object, for its holds
};

}  // namespace doorbuster::mariadb
