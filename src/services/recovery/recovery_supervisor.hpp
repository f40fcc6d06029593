#pragma once
// Recovers by itself what an api process finds closed: one process of all (RecoveryStore::try_lock), with a
// growing pause after each failure. Looks now and then whether the log still has what the database stored of
// it.
//
// run_due() blocks and belongs to one thread; notice() and stats() may be called from any.

#include <map>
#include <mutex>

#include "services/recovery/recovery.hpp"

namespace doorbuster::recovery {

struct SupervisorOptions {
  /// A campaign that was created less than this ago, by the clock that marks creations, is its creator's to
  /// open: he has told the catalog and is on his way to the ledger. No clock: there is no such wait.
  Duration creation_takes = std::chrono::seconds(5);
  Clock* wall_clock = nullptr;
  Duration first_back_off = std::chrono::milliseconds(200);
  Duration longest_back_off = std::chrono::seconds(5);
  Duration check_log_every = std::chrono::seconds(1);
  Options recovery;
};

struct SupervisorStats {
  std::uint64_t recovered = 0;   ///< campaigns opened by this process
  std::uint64_t failures = 0;    ///< attempts that were given up
  std::uint64_t log_losses = 0;  ///< how often the log was found to have lost its data
  std::uint64_t waiting = 0;     ///< campaigns that are known to be closed
  Duration last_took{};          ///< of the last recovery that succeeded
  std::string last_error;        ///< empty when the last attempt succeeded
};

class RecoverySupervisor {
 public:
  /// \param clock a BootClock
  RecoverySupervisor(Parts parts, Clock& clock, SupervisorOptions options = {});

  /// Somebody found the campaign closed. Told as often as one likes.
  void notice(const CampaignId& campaign);
  /// Looks whether the log still has what was stored of it, and recovers everything when it has not. Once
  /// before the process decides anything: from then on the database knows which log it is. \returns
  /// unavailable when log or database do not answer
  Result<void> look_at_log();
  /// Does what is due. \returns how long nothing will be due, if nothing is noticed
  Duration run_due();
  SupervisorStats stats() const;

 private:
  struct Case {
    Timestamp due{};
    Duration back_off{};
    bool closed = true;  ///< false: settled; kept until `due`, so that late notices of it are not followed
  };

  std::vector<CampaignId> due_cases(Timestamp now);
  void attend(const CampaignId& campaign);
  /// \returns true when there is nothing left to do
  Result<bool> try_recover(const CampaignId& campaign);
  void settle(const CampaignId& campaign);
  void put_off(const CampaignId& campaign, const Error& error);

  Parts parts_;
  Clock& clock_;
  SupervisorOptions options_;
  Recovery recovery_;
  Timestamp check_due_{};
  mutable std::mutex mutex_;
  std::map<CampaignId, Case> cases_;  // guarded by mutex_
  SupervisorStats stats_;             // guarded by mutex_
};

}  // namespace doorbuster::recovery
