#pragma once
// The distributed flow in one thread: several api instances with the production code (issue service with its
// relay, campaign service, sold-out latch, definition keeper, recovery with its supervisor) and workers, over
// a modelled Redis, Kafka and database. Users who ask again and again, an administrator who changes limits;
// instances that crash, stop for a while, or die in the middle of a recovery; a Redis that restarts, comes
// back with an older file or is wiped; a Kafka that is stopped, slow, takes batches late and twice, or loses
// everything; workers that go on after their partition was given away. All from one seed. The promises are
// checked at every reply and every event that reaches the log.

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "services/api/issue_service.hpp"
#include "tests/sim/distributed_parts.hpp"

namespace doorbuster::sim {

struct DistributedOptions {
  std::uint64_t users = 40;
  std::uint64_t limit = 12;
  std::uint64_t requests = 150;
  std::uint64_t instances = 3;
  std::uint64_t partitions = 2;
  std::uint64_t crashes = 2;
  std::uint64_t stops = 1;    ///< of instances
  std::uint64_t changes = 2;  ///< of the limit or status
  std::uint64_t redis_restarts = 1;
  bool redis_loses = false;  ///< restarts with an older file, and FLUSHALL
  std::uint64_t kafka_stops = 1;
  bool kafka_loses = false;  ///< not together with `redis_loses`: who loses both has lost
  std::uint64_t rebalances = 2;
  std::uint64_t kill_percent = 0;  ///< of calls of a recovery kill its instance
  std::uint64_t store_fail_percent = 0;
  Weather weather;
  static DistributedOptions draw(SeededRandom& random);
};

class DistributedWorld {
 public:
  DistributedWorld(std::uint64_t seed, const DistributedOptions& options);
  ~DistributedWorld();

  /// Runs everything, lets it become quiet, checks the promises of a quiet system.
  /// \returns the first broken promise, or nullopt
  std::optional<std::string> run();

 private:
  struct Instance;
  struct WorkerLife;
  struct Killed {};  // thrown out of a blocking call whose process has died meanwhile

  Duration sometime(Duration span);
  void run_for(Duration time);
  void step();
  /// A blocking call: the rest of the world goes on meanwhile.
  void interlude();

  void start_instance(std::size_t slot);
  void crash_instance(std::size_t slot);
  void stop_instance(std::size_t slot);
  void schedule_relay(Instance& instance);
  void schedule_supervisor(Instance& instance);
  void supervise(Instance& instance);
  Result<void> pause(Instance& instance, Duration time);
  Result<void> before_call(Instance& instance, const char* what);
  void bury();

  void start_worker(std::size_t partition);
  void schedule_worker(WorkerLife& life, Duration in);
  void end_worker(Scheduler::Life life);

  void plan_faults(Duration span);
  void disturb_redis();
  void disturb_kafka();

  /// An instance that serves; or none, as when a client finds a port closed.
  Instance* someone();
  void create_campaign();
  void change_campaign();
  void ask(std::uint64_t user, std::function<void(bool answered)> then = nullptr);
  void answered(const UserId& user, bool held_before, std::uint32_t told_revision,
                const Result<api::IssueAnswer>& answer);
  void check_safe(const UserId& user, const Coupon& coupon);
  void check_event(std::size_t partition, LogPosition position);
  void heal();
  void sell_the_rest();
  void check_quiet();
  void fail(std::string what);
  /// The least limit that may have been in force since `revision`.
  std::uint64_t least_limit_since(std::uint32_t revision) const;
  std::uint64_t limit_now() const;

  SeededRandom random_;
  DistributedOptions options_;
  Scheduler scheduler_;
  model::Redis redis_;
  model::Kafka kafka_;
  model::Database database_;
  const CampaignId campaign_ = *CampaignId::parse("drop");
  std::optional<Timestamp> created_at_;
  std::vector<std::unique_ptr<Instance>> instances_;
  std::vector<std::unique_ptr<Instance>> dying_;
  std::vector<std::unique_ptr<WorkerLife>> workers_;
  Scheduler::Life lives_ = 0;
  int depth_ = 0;

  std::map<UserId, Coupon> told_;   // what users were told that they have
  std::map<UserId, Coupon> valid_;  // what reached the log and is not void
  std::map<std::uint64_t, UserId> numbers_;
  std::vector<std::uint64_t> limits_;        // by revision
  std::uint32_t acknowledged_revision_ = 1;  // of the last change of the limit that was answered
  std::optional<std::string> failure_;
};

}  // namespace doorbuster::sim
