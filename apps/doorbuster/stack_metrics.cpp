#include "apps/doorbuster/stack_metrics.hpp"

namespace doorbuster {

void CommitTimes::write(obs::MetricsWriter& out) const {
  std::lock_guard lock(mutex_);
  out.histogram("doorbuster_log_commit_seconds", "Time of a commit of the event log, fsync included", times_);
}

void write_http_metrics(const net::HttpServerStats& stats, std::string_view shard, obs::MetricsWriter& out) {
  out.gauge("doorbuster_http_connections", "Open connections", static_cast<double>(stats.open),
            {{"shard", shard}});
  out.counter("doorbuster_http_accepted_total", "Connections accepted", stats.accepted, {{"shard", shard}});
  out.counter("doorbuster_http_refused_total", "Connections over the limit", stats.refused,
              {{"shard", shard}});
  out.counter("doorbuster_http_requests_total", "Requests read", stats.requests, {{"shard", shard}});
  out.counter("doorbuster_http_bad_requests_total", "Requests that could not be read", stats.bad_requests,
              {{"shard", shard}});
  out.counter("doorbuster_http_timed_out_total", "Connections cut for being slow or idle", stats.timed_out,
              {{"shard", shard}});
}

void write_log_metrics(const sqlite::EventLogStats& stats, obs::MetricsWriter& out) {
  out.counter("doorbuster_log_commits_total", "Commits of the event log", stats.commits);
  out.counter("doorbuster_log_events_total", "Events committed by this process", stats.events);
  out.counter("doorbuster_log_failures_total", "Failed writes that closed the event log", stats.failures);
  out.counter("doorbuster_log_checkpoints_total", "Checkpoints of the event log", stats.checkpoints);
  out.gauge("doorbuster_log_wal_bytes", "Write-ahead log of the event log, in use",
            static_cast<double>(stats.wal_bytes));
  out.gauge("doorbuster_log_queued_events", "Events waiting for the disk",
            static_cast<double>(stats.queued_events));
  out.gauge("doorbuster_log_position", "Last safe position of the event log",
            static_cast<double>(stats.position));
}

void write_worker_metrics(const worker::WorkerStats& stats, LogPosition log_end, obs::MetricsWriter& out) {
  const auto lag = log_end > stats.position ? log_end - stats.position : 0;
  out.gauge("doorbuster_worker_position", "Position up to which the repository is filled",
            static_cast<double>(stats.position));
  out.gauge("doorbuster_worker_lag", "Records of the log that are not in the repository yet",
            static_cast<double>(lag));
  out.counter("doorbuster_worker_records_total", "Records stored by this process", stats.records);
  out.counter("doorbuster_worker_failures_total", "Failed batches of the worker", stats.failures);
}

void write_repository_metrics(const sqlite::RepositoryStats& stats, obs::MetricsWriter& out) {
  out.counter("doorbuster_repository_rows_total", "Coupons stored by this process", stats.rows);
  out.counter("doorbuster_dead_letters_total", "Records set aside because they contradict what is stored",
              stats.dead_letters);
}

}  // namespace doorbuster
