#include "services/recovery/recovery_thread.hpp"

#include <pthread.h>

#include <utility>

namespace doorbuster::recovery {

void RecoveryThread::start() {
  DOORBUSTER_ASSERT(!thread_.joinable());
  thread_ = std::thread([this] {
    pthread_setname_np(pthread_self(), "recovery");
    work();
  });
}

void RecoveryThread::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_one();
  if (thread_.joinable()) thread_.join();
}

void RecoveryThread::notice(const CampaignId& campaign) {
  supervisor_.notice(campaign);
  {
    const std::lock_guard lock(mutex_);
    noticed_ = true;
  }
  changed_.notify_one();
}

void RecoveryThread::work() {
  // A closed campaign is noticed by every request for it: no more than one look in so long.
  constexpr Duration kLeastPause = std::chrono::milliseconds(10);
  for (;;) {
    const Duration pause = std::max(supervisor_.run_due(), kLeastPause);
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, kLeastPause, [this] { return stopping_; });
    changed_.wait_for(lock, pause, [this] { return stopping_ || noticed_; });
    noticed_ = false;
    if (stopping_) return;
  }
}

}  // namespace doorbuster::recovery
