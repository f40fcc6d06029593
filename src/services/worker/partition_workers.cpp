#include "services/worker/partition_workers.hpp"

#include "base/log.hpp"

namespace doorbuster::worker {
namespace {

void add(WorkerStats& sum, const WorkerStats& stats) {
  sum.records += stats.records;
  sum.batches += stats.batches;
  sum.failures += stats.failures;
}

}  // namespace

struct PartitionWorkers::Running {
  Running(Parts made, const WorkerThreadOptions& options)
      : parts(std::move(made)), thread(*parts.source, *parts.store, options) {}
  Parts parts;
  WorkerThread thread;
};

PartitionWorkers::PartitionWorkers(MakeParts make, WorkerThreadOptions options)
    : make_(std::move(make)), options_(options) {}

PartitionWorkers::~PartitionWorkers() {
  suspend();
}

void PartitionWorkers::start(std::size_t partition) {
  auto running = std::make_unique<Running>(make_(partition), options_);
  running->thread.start();
  std::lock_guard lock(mutex_);
  partitions_[partition] = std::move(running);
}

/// Ends the threads all at once and waits for them, without keeping those from their numbers who ask.
void PartitionWorkers::end(const std::vector<std::size_t>& partitions) {
  std::vector<std::unique_ptr<Running>> ending;
  {
    std::lock_guard lock(mutex_);
    for (const auto partition : partitions) {
      const auto found = partitions_.find(partition);
      if (found != partitions_.end() && found->second) ending.push_back(std::move(found->second));
    }
  }
  for (auto& running : ending) running->thread.begin_to_abandon();
  for (auto& running : ending) {
    running->thread.abandon();
    std::lock_guard lock(mutex_);
    add(ended_, running->thread.stats());
  }
}

void PartitionWorkers::take(const std::vector<std::size_t>& partitions) {
  std::lock_guard one(change_);
  for (const auto partition : partitions) {
    {
      std::lock_guard lock(mutex_);
      if (!partitions_.emplace(partition, nullptr).second || suspended_) continue;
    }
    log().info("worker: takes partition {}", partition);
    start(partition);
  }
}

void PartitionWorkers::release(const std::vector<std::size_t>& partitions) {
  std::lock_guard one(change_);
  end(partitions);
  std::lock_guard lock(mutex_);
  for (const auto partition : partitions) {
    if (partitions_.erase(partition) > 0) log().info("worker: gives partition {} away", partition);
  }
}

void PartitionWorkers::suspend() {
  std::lock_guard one(change_);
  std::vector<std::size_t> all;
  {
    std::lock_guard lock(mutex_);
    suspended_ = true;
    for (const auto& [partition, running] : partitions_) all.push_back(partition);
  }
  end(all);
}

void PartitionWorkers::resume() {
  std::lock_guard one(change_);
  std::vector<std::size_t> resting;
  {
    std::lock_guard lock(mutex_);
    suspended_ = false;
    for (const auto& [partition, running] : partitions_) {
      if (!running) resting.push_back(partition);
    }
  }
  for (const auto partition : resting) start(partition);
}

bool PartitionWorkers::suspended() const {
  std::lock_guard lock(mutex_);
  return suspended_;
}

std::vector<PartitionState> PartitionWorkers::states() const {
  std::lock_guard lock(mutex_);
  std::vector<PartitionState> states;
  for (const auto& [partition, running] : partitions_) {
    PartitionState state;
    state.partition = partition;
    if (running) {
      state.stats = running->thread.stats();
      state.end = running->thread.end();
    }
    states.push_back(std::move(state));
  }
  return states;
}

WorkerStats PartitionWorkers::totals() const {
  std::lock_guard lock(mutex_);
  WorkerStats sum = ended_;
  for (const auto& [partition, running] : partitions_) {
    if (running) add(sum, running->thread.stats());
  }
  return sum;
}

}  // namespace doorbuster::worker
