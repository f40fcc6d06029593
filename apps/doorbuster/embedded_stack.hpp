#pragma once
// The embedded system: everything in this process, with its files in one data folder.
//
// start() makes the parts from the bottom up, stop() ends them from the top down:
//
//   lock ─ log ─ ledger (rebuilt from the log) ─ repository ─ worker ─ look-ups ─ shards ─ HTTP
//
// Owner and thread: the main thread, which makes, stops and destroys it.

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "adapters/sqlite/data_directory.hpp"
#include "adapters/sqlite/sqlite_event_source.hpp"
#include "apps/doorbuster/io_shard.hpp"
#include "apps/doorbuster/stack_metrics.hpp"

namespace doorbuster {

struct EmbeddedOptions {
  std::string data;
  std::size_t io_threads = 1;
  std::size_t lookup_threads = 2;
  std::size_t most_lookups_waiting = 1024;
  Duration drain_timeout{};
  std::uint64_t default_campaign = 0;  ///< limit of `default`, made when there is no campaign; 0: do not
  api::Authorizer authorizer;
  api::IssueOptions issue;
  net::HttpServerOptions http;
  Duration gather{};
  std::int64_t checkpoint_bytes = 0;
  std::size_t most_queued_events = 0;
};

class EmbeddedStack {
 public:
  /// Serves when it returns. \returns conflict (data folder in use), corrupt, unsupported, unavailable
  /// (files, port), invalid
  static Result<std::unique_ptr<EmbeddedStack>> start(EmbeddedOptions options);
  ~EmbeddedStack();
  EmbeddedStack(const EmbeddedStack&) = delete;
  EmbeddedStack& operator=(const EmbeddedStack&) = delete;

  /// Answers what is in the air, commits what is queued, stores it, ends all threads. Told again: no effect.
  void stop();

  std::uint16_t port() const { return port_; }
  /// Records that were in the log at the start.
  LogPosition restored() const { return restored_; }

 private:
  explicit EmbeddedStack(EmbeddedOptions options);

  Result<void> open_files();
  Result<void> restore_ledger();
  Result<void> start_worker();
  void make_shards();
  Result<void> create_default_campaign();
  Result<void> listen();
  api::ApiOptions api_options(const std::string& shard);
  bool has_campaigns();
  bool has_pending();
  void drain();
  /// Waits for coupons whose append had failed: the relay writes them, so that their numbers are not missing.
  void settle();

  EmbeddedOptions options_;
  SystemClock clock_;
  SystemRandom random_;
  sqlite::DataDirectory directory_;
  MemoryLedger ledger_{clock_, random_};
  // Before log and look-ups, which post to them until they have stopped.
  std::vector<std::unique_ptr<rt::Shard>> shards_;
  CommitTimes commit_times_;  // before the log, whose thread writes to it
  std::unique_ptr<sqlite::SqliteEventLog> log_;
  std::unique_ptr<sqlite::SqliteRepository> repository_;
  std::unique_ptr<sqlite::SqliteEventSource> source_;
  std::unique_ptr<worker::WorkerThread> worker_;
  obs::Registry metrics_;
  std::vector<std::unique_ptr<IoShard>> io_;
  std::unique_ptr<rt::Offload> offload_;
  std::atomic<bool> stopping_{false};
  bool running_ = false;  // the shards' threads
  std::uint16_t port_ = 0;
  LogPosition restored_ = 0;
};

}  // namespace doorbuster
