#pragma once
// Ports of recovery: a ledger outside of the processes that use it can be lost, set back, or be up under a
// new run; the database and the log tell what it must say (consistency.md, "Epochs and recovery").
//
// All are blocking and belong to one thread.

#include <span>
#include <string>
#include <vector>

#include "base/unique_function.hpp"
#include "core/issuing/epoch_fence.hpp"

namespace doorbuster {

template <class T>
using Each = UniqueFunction<Result<void>(T&&)>;  ///< a failure ends the reading, and is what it returns

/// A ledger that can be emptied and filled again.
class RebuildableLedger {
 public:
  virtual ~RebuildableLedger() = default;
  /// Takes over a definition with a new epoch and closes the campaign for everybody: from here on no decision
  /// and no confirmation under an older epoch succeeds. Holders and outbox stay as they are. Told again: no
  /// change. \returns conflict (the ledger is at a later epoch), unavailable, unsupported (persistence off)
  virtual Result<void> close(const CampaignDefinition& definition) = 0;
  /// Every coupon that the ledger still knows, pending or not, in any order: those set aside, too.
  virtual Result<void> read_holders(const CampaignId& campaign, Each<CouponIssued> each) = 0;
  /// Empties the campaign, which stays closed. What it held is set aside until finish_rebuild(), so that a
  /// recovery that is killed in between loses nothing that only the ledger knows (in Redis: RENAME). When
  /// something is set aside already, by a recovery that was killed, that stays and the half-filled campaign
  /// is dropped. \returns conflict (a later epoch), unavailable
  virtual Result<void> begin_rebuild(const CampaignDefinition& definition) = 0;
  /// Adds holders. `safe`: they are in the log or the database. Otherwise they wait in the outbox under the
  /// definition's epoch, for the relay of any instance. \returns conflict (a later epoch), unavailable
  virtual Result<void> add(const CampaignDefinition& definition, std::span<const CouponIssued> events,
                           bool safe) = 0;
  /// Sets the numbers that are given out first (ascending), forgets what was set aside, and opens the
  /// campaign under the run that the ledger has now, all in one step. \returns conflict (a later epoch, or
  /// another run than at begin_rebuild), unavailable
  virtual Result<void> finish_rebuild(const CampaignDefinition& definition,
                                      std::span<const NumberRange> missing) = 0;
  /// Whether the campaign decides under this definition's epoch and the run that the ledger has now, so that
  /// nothing is to be recovered (somebody else has done it). A ledger that cannot tell says no.
  virtual Result<bool> is_open(const CampaignDefinition&) { return false; }
};

/// The database's side: epochs, fences and rows.
class RecoveryStore {
 public:
  virtual ~RecoveryStore() = default;
  virtual Result<std::vector<CampaignDefinition>> campaigns() = 0;
  /// Compare-and-set of the epoch from `from` to `from` + 1. \returns the definition as it is now; conflict
  /// when the epoch is another one
  virtual Result<CampaignDefinition> raise_epoch(const CampaignId& campaign, std::uint32_t from) = 0;
  /// Notes the ends under a lock that CouponStore::store() takes, too; `ends` is called while it is held, so
  /// that no row can come from behind them. \returns the fence that holds for `epoch`: an earlier call's
  /// stays
  virtual Result<EpochFence> fence(const CampaignId& campaign, std::uint32_t epoch,
                                   UniqueFunction<Result<std::vector<LogPosition>>()> ends) = 0;
  virtual Result<std::vector<EpochFence>> fences(const CampaignId& campaign) = 0;
  /// Every coupon of the campaign in the table, in any order.
  virtual Result<void> read_rows(const CampaignId& campaign, Each<CouponIssued> each) = 0;
  /// Events that were put aside and can be read.
  virtual Result<void> read_dead_letters(const CampaignId& campaign, Each<CouponIssued> each) = 0;
  /// By partition: everything up to here is in the table.
  virtual Result<std::vector<LogPosition>> stored_through(std::size_t partitions) = 0;
  /// After the log has lost its data: the worker begins anew at its start. Rows stay.
  virtual Result<void> rewind_to_start() = 0;
  /// Which log the positions are of, as LogReader::identity() told it; empty when nobody has noted one.
  virtual Result<std::string> log_identity() { return std::string(); }
  virtual Result<void> note_log_identity(const std::string&) { return {}; }

  /// Takes the right to recover a campaign, which ends with this process's connection: two recoveries at once
  /// would do no harm (the epoch is compared and set), but take turns in closing what the other has opened.
  /// \returns false when another process has it
  virtual Result<bool> try_lock(const CampaignId&) { return true; }
  virtual void unlock(const CampaignId&) {}
};

/// The log's side.
class LogReader {
 public:
  virtual ~LogReader() = default;
  /// By partition, the last position that is safe.
  virtual Result<std::vector<LogPosition>> ends() = 0;
  /// Which log this is: another one after it was made anew, however far that has grown. Empty: cannot tell.
  virtual Result<std::string> identity() { return std::string(); }
  /// Records after `after` up to `through`, in order.
  virtual Result<void> read(std::size_t partition, LogPosition after, LogPosition through,
                            Each<LogRecord> each) = 0;
};

}  // namespace doorbuster
