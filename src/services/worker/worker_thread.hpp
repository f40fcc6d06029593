#pragma once
// Runs a Worker on a thread of its own, named `worker`: waits for the log to grow, and backs off after
// failures.

#include <condition_variable>
#include <mutex>
#include <thread>

#include "services/worker/worker.hpp"

namespace doorbuster::worker {

struct WorkerThreadOptions {
  WorkerOptions worker;
  /// At the end of the log the thread waits for more, looking at stop() so often.
  Duration longest_wait = std::chrono::milliseconds(100);
  /// Waiting after a failure starts with the first and doubles up to the second.
  Duration first_back_off = std::chrono::milliseconds(50);
  Duration longest_back_off = std::chrono::seconds(5);
  /// A damaged log or repository ends the worker: trying again would not mend it. False: another program may
  /// mend it (`doorbuster recover`), so it is tried again, too, and end() tells of it meanwhile.
  bool end_when_corrupt = true;
  /// The thread takes a lower priority than those of the crowd with which it shares process and processors.
  bool steps_back = false;
};

/// Why a worker has ended by itself, or stores nothing at the moment.
struct WorkerEnd {
  bool ended = false;
  Error error;
};

/// start() and stop() from one thread; the rest from any.
class WorkerThread {
 public:
  /// `source` and `store` are the thread's alone between start() and stop().
  WorkerThread(EventSource& source, CouponStore& store, WorkerThreadOptions options = {});
  ~WorkerThread();
  WorkerThread(const WorkerThread&) = delete;
  WorkerThread& operator=(const WorkerThread&) = delete;

  void start();
  /// Stores what the log holds at this moment, then ends the thread; gives up what cannot be stored at once,
  /// as it stays in the log. Told again: no effect.
  void stop();

  /// Ends the thread after the batch that is under way; the rest of the log is another worker's.
  void abandon();
  /// The first half of abandon(): does not wait.
  void begin_to_abandon();

  WorkerStats stats() const { return worker_.stats(); }
  WorkerEnd end() const;

 private:
  void work();
  bool abandoned() const;
  void note_end(WorkerEnd end);
  bool pause(Duration time);

  WorkerThreadOptions options_;
  EventSource& source_;
  Worker worker_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  bool stopping_ = false;
  bool abandoning_ = false;
  WorkerEnd end_;
  std::thread thread_;
};

}  // namespace doorbuster::worker
