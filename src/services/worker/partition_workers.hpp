#pragma once
// One worker thread for each partition of the log that this process has at the moment. Which it has, the
// group of workers says; that two workers never write for one partition at once, the store sees to.

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <vector>

#include "services/worker/worker_thread.hpp"

namespace doorbuster::worker {

struct PartitionState {
  std::size_t partition = 0;
  WorkerStats stats;
  WorkerEnd end;
};

/// take(), release(), suspend() and resume() may come from two threads; the rest from any.
class PartitionWorkers {
 public:
  struct Parts {
    std::unique_ptr<EventSource> source;
    std::unique_ptr<CouponStore> store;
  };
  using MakeParts = std::function<Parts(std::size_t partition)>;

  PartitionWorkers(MakeParts make, WorkerThreadOptions options);
  ~PartitionWorkers();
  PartitionWorkers(const PartitionWorkers&) = delete;
  PartitionWorkers& operator=(const PartitionWorkers&) = delete;

  /// Starts working on partitions. Told again: no effect.
  void take(const std::vector<std::size_t>& partitions);
  /// Returns when nothing works on them any more: each ends after the batch that is under way.
  void release(const std::vector<std::size_t>& partitions);

  /// Lets everything rest, keeping what was taken, until resume(): the log is not the one that the database
  /// has positions of.
  void suspend();
  void resume();
  bool suspended() const;

  /// Of the partitions that this process has, ascending.
  std::vector<PartitionState> states() const;
  /// Since the start, with the partitions that others have now. `position` and `log_end` are zero.
  WorkerStats totals() const;

 private:
  struct Running;

  void start(std::size_t partition);
  void end(const std::vector<std::size_t>& partitions);

  const MakeParts make_;
  const WorkerThreadOptions options_;
  std::mutex change_;                                           // one change at a time
  mutable std::mutex mutex_;                                    // guards what follows
  std::map<std::size_t, std::unique_ptr<Running>> partitions_;  // null: taken, and at rest
  bool suspended_ = false;
  WorkerStats ended_;  // of workers that are gone
};

}  // namespace doorbuster::worker
