#pragma once
// Makes a campaign's ledger say what the database and the log say, after it was lost, set back, or may have
// been (consistency.md, "Epochs and recovery").
//
//   raise the epoch ─▶ close the ledger under it ─▶ fence the log ─▶ read rows ∪ log up to the fence ∪ dead
//   letters ∪ what the ledger still knows ─▶ empty and fill the ledger ─▶ open it
//
// Why it may be killed between any two of these and run again, with the same result
//  1. From the first step on nobody can finish an admission of the epoch before: its confirmation needs the
//     ledger, which is closed under a later one. Nobody was told of what is decided and not confirmed.
//  2. Each run raises the epoch anew and reads everything anew. What a killed run leaves behind is a raised
//     epoch, a closed or half-filled ledger, and a fence. Events behind that fence of epochs before it are
//     of admissions that nobody was told of (1).
//  3. What only the ledger knows is set aside by `begin_rebuild` and forgotten by `finish_rebuild` alone; a
//  run
//     that follows a killed one reads it again.
//
// A log that has lost its data (its ends are before what the database has stored of it, or it is another log)
// concerns every campaign: all are closed and fenced, the worker is sent back to the log's start, and only
// then any is opened: a campaign opened earlier would fill the new log beyond the positions of the old one,
// and nobody could tell them apart.
//
// Blocking; one thread.

#include <functional>
#include <string>
#include <vector>

#include "core/issuing/ledger_image.hpp"
#include "ports/recovery.hpp"

namespace doorbuster::recovery {

enum class Step : std::uint8_t {
  raise_epoch,
  close,
  fence,
  rewind,
  read_rows,
  read_log,
  read_dead_letters,
  read_ledger,
  fill,
  open,
  done,
};
std::string_view to_text(Step step);

struct Progress {
  CampaignId campaign;
  Step step = Step::raise_epoch;
  std::uint64_t count = 0;  ///< coupons in this step so far
};

struct Report {
  CampaignDefinition definition;    ///< as it was opened
  std::uint64_t rows = 0;           ///< coupons in the database
  std::uint64_t from_log = 0;       ///< further ones, from the log
  std::uint64_t from_letters = 0;   ///< further ones, from the dead letters
  std::uint64_t void_events = 0;    ///< events of the log behind a fence
  std::uint64_t leftovers = 0;      ///< known to the ledger alone: pending again
  std::uint64_t contradicting = 0;  ///< known to log, letters or ledger, and against what is trusted more
  std::uint64_t over_limit = 0;     ///< known to the ledger alone, without room
  std::uint64_t missing = 0;        ///< numbers that are given out first
  bool log_was_lost = false;
};
/// One line for people.
std::string to_text(const Report& report);

struct Parts {
  RecoveryStore& store;
  LogReader& log;
  RebuildableLedger& ledger;
};

struct Options {
  std::size_t batch = 2'000;  ///< coupons in one call of RebuildableLedger::add
  std::function<void(const Progress&)> progress = {};
};

class Recovery {
 public:
  explicit Recovery(Parts parts, Options options = {}) : parts_(parts), options_(std::move(options)) {}

  /// Recovers `id`, or all campaigns when the log has lost its data. \returns the reports; not_found,
  /// conflict (another recovery is at work: nothing is lost, look again), unavailable, corrupt
  Result<std::vector<Report>> recover(const CampaignId& id);
  Result<std::vector<Report>> recover_all();
  /// Whether positions that the database has stored are not in the log. Notes which log it is when nobody
  /// has.
  Result<bool> log_has_lost_data();

 private:
  Result<std::vector<Report>> recover_these(const std::vector<CampaignDefinition>& campaigns);
  Result<CampaignDefinition> close_and_fence(const CampaignDefinition& before);
  Result<void> rewind();
  Result<Report> rebuild(const CampaignDefinition& definition);
  Result<void> read_everything(const CampaignDefinition& definition, LedgerImage& image, Report& report);
  Result<void> read_log(const CampaignDefinition& definition, const std::vector<LogPosition>& stored,
                        LedgerImage& image, Report& report);
  Result<void> fill(const CampaignDefinition& definition, const LedgerImage& image, bool safe);
  void tell(const CampaignId& id, Step step, std::uint64_t count = 0);

  Parts parts_;
  Options options_;
};

}  // namespace doorbuster::recovery
