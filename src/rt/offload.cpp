#include "rt/offload.hpp"

#include <pthread.h>

namespace doorbuster::rt {

Offload::Offload(const std::string& name, std::size_t threads, std::size_t most_waiting)
    : most_waiting_(most_waiting) {
  for (std::size_t i = 0; i < threads; ++i) {
    threads_.emplace_back([this, thread_name = name + "-" + std::to_string(i)] {
      pthread_setname_np(pthread_self(), thread_name.c_str());
      work();
    });
  }
}

Offload::~Offload() {
  stop();
}

void Offload::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  for (auto& thread : threads_) thread.join();
  threads_.clear();
}

bool Offload::try_run(Work job) {
  {
    const std::lock_guard lock(mutex_);
    if (stopping_ || jobs_.size() >= most_waiting_) return false;
    jobs_.push_back(std::move(job));
  }
  changed_.notify_one();
  return true;
}

std::size_t Offload::waiting() const {
  const std::lock_guard lock(mutex_);
  return jobs_.size();
}

void Offload::work() {
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [this] { return stopping_ || !jobs_.empty(); });
    if (jobs_.empty()) return;
    Work job = std::move(jobs_.front());
    jobs_.pop_front();
    lock.unlock();
    job();
    job = nullptr;  // what it carries is released before the lock is taken again
    lock.lock();
  }
}

}  // namespace doorbuster::rt
