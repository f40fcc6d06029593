#pragma once
// The numbers of the parts that have none of their own in /metrics: server, log, worker, repository.

#include <mutex>

#include "adapters/sqlite/sqlite_event_log.hpp"
#include "adapters/sqlite/sqlite_repository.hpp"
#include "net/http_server.hpp"
#include "obs/metrics.hpp"
#include "services/worker/worker_thread.hpp"

namespace doorbuster {

/// How long commits took: written by the log's thread, read by whoever is asked for numbers. Thread-safe.
class CommitTimes {
 public:
  void record(Duration time) {
    std::lock_guard lock(mutex_);
    times_.record(time);
  }
  void write(obs::MetricsWriter& out) const;

 private:
  mutable std::mutex mutex_;
  obs::Histogram times_;
};

void write_http_metrics(const net::HttpServerStats& stats, std::string_view shard, obs::MetricsWriter& out);
void write_log_metrics(const sqlite::EventLogStats& stats, obs::MetricsWriter& out);
void write_worker_metrics(const worker::WorkerStats& stats, LogPosition log_end, obs::MetricsWriter& out);
void write_repository_metrics(const sqlite::RepositoryStats& stats, obs::MetricsWriter& out);

}  // namespace doorbuster
