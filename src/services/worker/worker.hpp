#pragma once
// Moves events from the log to the repository. Idempotent: what is told again changes nothing.

#include <mutex>
#include <string>

#include "ports/coupon_repository.hpp"
#include "ports/event_log.hpp"

namespace doorbuster::worker {

struct WorkerOptions {
  /// Most records in one transaction. Batches are this large only while the worker catches up, and then size
  /// pays: neighbours in a random index share a page to write. A redemption waits for the batch before it, a
  /// few hundred milliseconds at worst.
  std::size_t batch = 10'000;
};

struct WorkerStats {
  std::uint64_t records = 0;  ///< read and stored by this worker
  std::uint64_t batches = 0;
  std::uint64_t failures = 0;  ///< of step()
  LogPosition position = 0;    ///< everything up to here is stored
  LogPosition log_end = 0;     ///< when last looked
  std::string last_error;      ///< empty when the last step went well
  std::uint64_t lag() const { return log_end > position ? log_end - position : 0; }
};

/// Without a thread of its own. One thread; stats() from any.
class Worker {
 public:
  Worker(EventSource& source, CouponStore& store, WorkerOptions options = {})
      : source_(source), store_(store), options_(options), batch_(options.batch) {}

  /// Reads one batch behind the stored position and stores it. \returns how many records; 0 at the end of the
  /// log. After a failure the position is asked of the store again, and the next batch is half as large: what
  /// is too much for the database, or cannot be stored, stops as little else as possible.
  /// \returns corrupt, unavailable
  Result<std::size_t> step();
  /// Where the next step reads on.
  LogPosition position() const { return position_; }
  WorkerStats stats() const;

 private:
  Result<std::size_t> failed(const Error& error);

  EventSource& source_;
  CouponStore& store_;
  WorkerOptions options_;
  LogPosition position_ = 0;
  bool position_known_ = false;
  std::size_t batch_ = 0;    // of the next step: halved by failures, doubled by successes
  unsigned idle_steps_ = 0;  // without a record; after some the store is asked for the position again
  mutable std::mutex mutex_;
  WorkerStats stats_;  // guarded by mutex_
};

}  // namespace doorbuster::worker
