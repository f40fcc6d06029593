#pragma once
// Copies pages from a write-ahead log to its file on a thread of its own, so that no commit waits for it.

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <string>
#include <thread>

#include "base/executor.hpp"

namespace doorbuster::sqlite {

/// Thread-safe. The thread is named `checkpoint` and has a connection of its own, opened when first needed.
class Checkpointer {
 public:
  /// \param on_failure is told, on the thread, of each checkpoint that failed
  Checkpointer(std::string path, std::string vfs, UniqueFunction<void(const Error&)> on_failure);
  ~Checkpointer();
  Checkpointer(const Checkpointer&) = delete;
  Checkpointer& operator=(const Checkpointer&) = delete;

  /// Ends the thread after the checkpoint that runs now. Told again: no effect.
  void stop();
  /// Asks for one checkpoint; asked again while one runs: one more.
  void request();
  bool busy() const { return busy_.load(std::memory_order_acquire); }
  std::uint64_t completed() const { return completed_.load(std::memory_order_relaxed); }

 private:
  void work();

  std::string path_;
  std::string vfs_;
  UniqueFunction<void(const Error&)> on_failure_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool requested_ = false;
  bool stopping_ = false;
  std::atomic<bool> busy_{false};
  std::atomic<std::uint64_t> completed_{0};
  std::thread thread_;
};

}  // namespace doorbuster::sqlite
