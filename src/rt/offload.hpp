#pragma once
// A thread of its own for calls that block (SQLite look-ups, file work), behind a bounded queue.

#include <condition_variable>
#include <deque>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "base/executor.hpp"

namespace doorbuster::rt {

class Offload {
 public:
  /// \param name of the threads: "db" gives db-0, db-1
  Offload(const std::string& name, std::size_t threads, std::size_t most_waiting);
  ~Offload();
  Offload(const Offload&) = delete;
  Offload& operator=(const Offload&) = delete;

  /// Runs `job` on one of the threads. Any thread. \returns false when the queue is full: nothing is run, and
  /// the caller says `overloaded`.
  bool try_run(Work job);

  /// Runs `job` and hands its result to `done` on `on`; a full queue gives `done` an `overloaded` at once.
  template <class T, class Job, class DoneWith>
  void run(Executor& on, Job job, DoneWith done) {
    struct State {
      Job job;
      DoneWith done;
    };
    auto state = std::make_shared<State>(State{std::move(job), std::move(done)});
    const bool taken = try_run([state, &on] {
      auto result = std::make_shared<Result<T>>(state->job());
      on.post([state, result] { state->done(std::move(*result)); });
    });
    if (!taken) {
      state->done(
          Result<T>(make_error(ErrorCode::overloaded, "too many look-ups are waiting for the database")));
    }
  }

  /// Finishes what is queued and ends the threads; from then on the queue counts as full. Told again: no
  /// effect.
  void stop();
  std::size_t waiting() const;

 private:
  void work();

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Work> jobs_;
  std::size_t most_waiting_;
  bool stopping_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace doorbuster::rt
