#pragma once
// The simulated world: production code (issue service, campaign service, memory ledger, worker) over a
// modelled disk, users who ask, an administrator who changes limits and may end the campaign, crashes and
// restarts. All from one seed.
// The promises of the contract are checked at every reply and after every step; a broken one is kept in
// `failure()`.

#include <map>
#include <memory>
#include <optional>
#include <string>

#include "adapters/memory/memory_ledger.hpp"
#include "services/api/campaign_service.hpp"
#include "services/api/issue_service.hpp"
#include "services/worker/worker.hpp"
#include "tests/sim/disk.hpp"
#include "tests/sim/scheduler.hpp"

namespace doorbuster::sim {

struct WorldOptions {
  std::uint64_t users = 40;
  std::uint64_t limit = 12;
  std::uint64_t requests = 150;
  std::uint64_t crashes = 3;
  std::uint64_t changes = 3;
  std::uint64_t store_fail_percent = 20;
  bool ends = false;  ///< the campaign is ended at some moment, and unloaded
  Duration slowest_step = std::chrono::milliseconds(4);  ///< of the worker
  DiskFaults disk;
  /// Drawn from the seed: quiet disks and bad ones, crowds and trickles.
  static WorldOptions draw(SeededRandom& random);
};

class World {
 public:
  World(std::uint64_t seed, const WorldOptions& options);
  ~World();

  /// Runs everything, lets it become quiet, checks the promises of a quiet system.
  /// \returns the first broken promise, or nullopt
  std::optional<std::string> run();

 private:
  /// One life of the process: what a crash destroys.
  struct Process;

  void start();
  void run_until(Timestamp moment);
  void crash();
  void schedule_worker();
  void schedule_relay();
  void ask(std::uint64_t user);
  void change_limit();
  void end_campaign();
  bool ended_on_disk() const;
  void give_what_is_left();
  void check_unloaded();
  void create_campaign();
  void answered(const UserId& user, const Result<api::IssueAnswer>& answer);
  void check_safe(const UserId& user, const Coupon& coupon);
  void check_disk();
  void check_quiet();
  void fail(std::string what);
  const CouponIssued* on_disk(const UserId& user) const;
  std::uint64_t distinct_on_disk() const { return distinct_.size(); }

  SeededRandom random_;
  WorldOptions options_;
  Scheduler scheduler_;
  Disk disk_;
  CampaignId campaign_ = *CampaignId::parse("drop");
  std::unique_ptr<Process> process_;
  Scheduler::Life life_ = 0;
  std::map<UserId, Coupon> told_;            // what users were told that they have
  std::map<UserId, CouponIssued> distinct_;  // coupons in the safe log, first event of each user
  std::map<std::uint64_t, UserId> numbers_;
  std::size_t checked_ = 0;  // records of the log that check_disk() has seen
  std::uint64_t limit_on_disk_ = 0;
  std::optional<std::string> failure_;
};

}  // namespace doorbuster::sim
