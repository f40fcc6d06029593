#pragma once
// The embedded parts behind the ports: the folder with its lock, the event log, the ledger rebuilt from it,
// the repository with the worker that fills it, and the threads for look-ups. The only place that names them.

#include <chrono>
#include <memory>
#include <mutex>
#include <string>

#include "adapters/memory/memory_ledger.hpp"
#include "adapters/sqlite/data_directory.hpp"
#include "adapters/sqlite/sqlite_event_log.hpp"
#include "adapters/sqlite/sqlite_event_source.hpp"
#include "adapters/sqlite/sqlite_repository.hpp"
#include "apps/doorbuster/api_stack.hpp"
#include "base/random.hpp"
#include "obs/histogram.hpp"
#include "services/worker/worker_thread.hpp"

namespace doorbuster {

class EmbeddedStack final : public ApiStack {
 public:
  /// Locks the folder, reads the log back, starts log, worker and look-up threads.
  /// \returns conflict (folder in use), unavailable, corrupt, unsupported: each one line for people
  static Result<std::unique_ptr<EmbeddedStack>> open(const config::Settings& settings, Clock& clock);
  ~EmbeddedStack() override;

  /// The first shard owns the ledger; the others hand their batches to it.
  std::unique_ptr<StackShard> attach(rt::Shard& shard) override;
  EventLog& log() override { return *log_; }
  CampaignCatalog& catalog() override { return *log_; }
  CouponRepository& repository() override { return *repository_; }
  rt::Offload& lookups() override { return *lookups_; }
  api::CampaignOptions campaign_options() const override { return {}; }
  Result<bool> worker_caught_up() override;
  bool settles() const override { return true; }
  void write_metrics(obs::MetricsWriter& out) override;
  /// Tells once, in the program's log, when the worker has ended by itself.
  void watch() override;
  std::string summary() const override;

  /// Commits what is queued, stores what is in the log, ends the threads.
  void stop() override;

 private:
  explicit EmbeddedStack(Clock& clock) : ledger_(clock, random_) {}
  Result<void> open_parts(const config::Settings& settings);

  SystemRandom random_;
  sqlite::DataDirectory folder_;
  std::unique_ptr<sqlite::SqliteEventLog> log_;
  MemoryLedger ledger_;
  Duration unload_ended_after_{};
  rt::Shard* owner_ = nullptr;
  std::string path_;
  LogPosition read_back_ = 0;
  std::chrono::duration<double> read_back_took_{};
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
