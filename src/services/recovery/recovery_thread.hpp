#pragma once
// Runs a RecoverySupervisor on a thread of its own, named `recovery`.

#include <condition_variable>
#include <thread>

#include "services/recovery/recovery_supervisor.hpp"

namespace doorbuster::recovery {

/// start() and stop() from one thread; notice() and stats() from any.
class RecoveryThread {
 public:
  /// `parts` are the thread's alone between start() and stop().
  RecoveryThread(Parts parts, Clock& clock, SupervisorOptions options = {})
      : supervisor_(parts, clock, std::move(options)) {}
  ~RecoveryThread() { stop(); }
  RecoveryThread(const RecoveryThread&) = delete;
  RecoveryThread& operator=(const RecoveryThread&) = delete;

  /// As RecoverySupervisor::look_at_log(); before start().
  Result<void> look_at_log() { return supervisor_.look_at_log(); }
  void start();
  /// Returns when the recovery that runs is through.
  void stop();
  void notice(const CampaignId& campaign);
  SupervisorStats stats() const { return supervisor_.stats(); }

 private:
  void work();

  RecoverySupervisor supervisor_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool noticed_ = false;   // guarded by mutex_
  bool stopping_ = false;  // guarded by mutex_
  std::thread thread_;
};

}  // namespace doorbuster::recovery
