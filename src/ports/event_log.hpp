#pragma once
// Port: what was promised, in order, and is it safe?

#include <vector>

#include "base/executor.hpp"
#include "core/issuing/coupon.hpp"

namespace doorbuster {

/// The writing side. Thread-safe; `done` runs on the executor that is given, once.
class EventLog {
 public:
  using Appended = UniqueFunction<void(Result<void>)>;
  virtual ~EventLog() = default;

  /// Appends all events or none and answers when they are safe (fsynced, or acknowledged by all replicas).
  /// \returns overloaded (bounded queue full, nothing written), unavailable (not written),
  ///          unknown_outcome (may be there: the events stay pending in the ledger and are appended again)
  virtual void append(std::vector<CouponIssued> events, Executor& on, Appended done) = 0;

  /// False while the log is closed or its queue is full: new requests are answered 503 before they are
  /// decided.
  virtual bool accepting() const = 0;
};

/// Takes changes of definitions; for a log that is not the catalog's own file. Blocking. Thread-safe.
class ChangeLog {
 public:
  virtual ~ChangeLog() = default;
  /// \returns unavailable, unknown_outcome: told again later, a log may hold it twice
  virtual Result<void> publish(const CampaignChanged& change, Duration timeout) = 0;
};

/// The reading side of one partition, for worker and audit. Blocking; one thread.
class EventSource {
 public:
  virtual ~EventSource() = default;
  /// Records after `after`, in order, at most `max`; empty at the end. \returns corrupt, unavailable
  virtual Result<std::vector<LogRecord>> read(LogPosition after, std::size_t max) = 0;
  /// The last position that is safe. \returns unavailable
  virtual Result<LogPosition> end() = 0;
  /// Returns when there may be records after `after`, at latest after `timeout`.
  virtual void wait(LogPosition after, Duration timeout) = 0;
};

}  // namespace doorbuster
