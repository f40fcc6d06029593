#include "services/worker/worker_thread.hpp"

#include <pthread.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "base/log.hpp"

namespace doorbuster::worker {
namespace {

/// The crowd's threads go first: what the worker does not do in a burst it does after it, from the safe log.
/// On a machine of few cores a worker with equal rights took one from them (a third of the coupons a second
/// at 1,000 connections, and a tenth more CPU for each). Linux gives each thread a nice value of its own; it
/// may always be raised.
void step_back() {
  constexpr int kNice = 10;
  if (setpriority(PRIO_PROCESS, static_cast<id_t>(gettid()), kNice) != 0) {
    log().debug("worker: its priority cannot be lowered");
  }
}

}  // namespace

WorkerThread::WorkerThread(EventSource& source, CouponStore& store, WorkerThreadOptions options)
    : options_(options), source_(source), worker_(source, store, options.worker) {}

WorkerThread::~WorkerThread() {
  stop();
}

void WorkerThread::start() {
  DOORBUSTER_ASSERT(!thread_.joinable());
  thread_ = std::thread([this] {
    pthread_setname_np(pthread_self(), "worker");
    if (options_.steps_back) step_back();
    work();
  });
}

void WorkerThread::stop() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_one();
  if (thread_.joinable()) thread_.join();
}

void WorkerThread::begin_to_abandon() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = abandoning_ = true;
  }
  changed_.notify_one();
}

void WorkerThread::abandon() {
  begin_to_abandon();
  if (thread_.joinable()) thread_.join();
}

bool WorkerThread::abandoned() const {
  std::lock_guard lock(mutex_);
  return abandoning_;
}

void WorkerThread::note_end(WorkerEnd end) {
  std::lock_guard lock(mutex_);
  end_ = std::move(end);
}

WorkerEnd WorkerThread::end() const {
  std::lock_guard lock(mutex_);
  return end_;
}

bool WorkerThread::pause(Duration time) {
  std::unique_lock lock(mutex_);
  return changed_.wait_for(lock, time, [this] { return stopping_; });
}

void WorkerThread::work() {
  auto back_off = options_.first_back_off;
  bool failing = false;
  for (;;) {
    // Looked at before the step: what was in the log when stop() was called is in the batches that follow.
    const bool stopping = pause(Duration::zero());
    if (abandoned()) return;
    const auto moved = worker_.step();
    if (moved) {
      if (std::exchange(failing, false)) note_end({});
      back_off = options_.first_back_off;
      if (*moved > 0) continue;
      if (stopping) return;
      source_.wait(worker_.position(), options_.longest_wait);
      continue;
    }
    failing = true;
    const auto& error = moved.error();
    const bool hopeless = error.code == ErrorCode::corrupt || error.code == ErrorCode::unsupported;
    if (hopeless) note_end({true, error});
    if (hopeless && options_.end_when_corrupt) {
      log().error("the worker has ended: {}", error.detail);
      return;
    }
    if (stopping) {
      log().warn("the worker stops before the end of the log: {}", error.detail);
      return;
    }
    log().warn("the worker tries again in {} ms: {}",
               std::chrono::duration_cast<std::chrono::milliseconds>(back_off).count(), error.detail);
    if (pause(back_off)) continue;
    back_off = std::min(back_off * 2, options_.longest_back_off);
  }
}

}  // namespace doorbuster::worker
