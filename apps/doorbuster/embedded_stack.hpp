#pragma once
// The embedded parts behind the ports: the folder with its lock, the event log, the ledger rebuilt from it,
// the repository with the worker that fills it, and the threads for look-ups. The only place that names them.
//
// Order of life: open() → shards start and serve → stop() while the shards still run → shards stop →
// destroyed.

#include <memory>
#include <mutex>
#include <string>

#include "adapters/memory/memory_ledger.hpp"
#include "adapters/sqlite/data_directory.hpp"
#include "adapters/sqlite/sqlite_event_log.hpp"
#include "adapters/sqlite/sqlite_event_source.hpp"
#include "adapters/sqlite/sqlite_repository.hpp"
#include "base/random.hpp"
#include "config/settings.hpp"
#include "obs/histogram.hpp"
#include "obs/metrics.hpp"
#include "rt/offload.hpp"
#include "services/worker/worker_thread.hpp"

namespace doorbuster {

class EmbeddedStack {
 public:
  /// Locks the folder, reads the log back, starts log, worker and look-up threads.
  /// \returns conflict (folder in use), unavailable, corrupt, unsupported: each one line for people
  static Result<std::unique_ptr<EmbeddedStack>> open(const config::Settings& settings, Clock& clock);
  ~EmbeddedStack();

  MemoryLedger& ledger() { return ledger_; }  ///< belongs to the first shard once that has started
  sqlite::SqliteEventLog& log() { return *log_; }
  CouponRepository& repository() { return *repository_; }
  rt::Offload& lookups() { return *lookups_; }
  LogPosition read_back() const { return read_back_; }

  /// Has the worker stored all that is safe in the log now? Any thread.
  Result<bool> worker_caught_up();
  /// Numbers of log, worker and look-ups. Any thread.
  void write_metrics(obs::MetricsWriter& out);
  /// Tells once, in the program's log, when the worker has ended by itself. Called now and then.
  void watch_worker();

  /// Commits what is queued, stores what is in the log, ends the threads. Told again: no effect.
  void stop();

 private:
  explicit EmbeddedStack(Clock& clock) : ledger_(clock, random_) {}
  Result<void> open_parts(const config::Settings& settings);

  SystemRandom random_;
  sqlite::DataDirectory folder_;
  std::unique_ptr<sqlite::SqliteEventLog> log_;
  MemoryLedger ledger_;
  LogPosition read_back_ = 0;
  std::unique_ptr<sqlite::SqliteRepository> repository_;
  std::unique_ptr<sqlite::SqliteEventSource> source_;
  std::unique_ptr<worker::WorkerThread> worker_;
  std::unique_ptr<rt::Offload> lookups_;
  std::mutex commit_mutex_;
  // Guarded by commit_mutex_; recorded by the log's thread.
  obs::Histogram commit_time_;
  obs::SizeHistogram commit_events_;
  bool worker_end_told_ = false;
};

}  // namespace doorbuster
