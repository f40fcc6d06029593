#pragma once
// The worker of the full stack: Kafka's partitions that are this process's, each moved into MariaDB by a
// thread of its own. The only place beside worker_command.cpp that names both adapters for it.
//
// Order of life: open() → watch() every second → stop() → destroyed.

#include <atomic>
#include <chrono>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "adapters/kafka/dead_letter_topic.hpp"
#include "adapters/kafka/kafka_consumer_group.hpp"
#include "adapters/kafka/kafka_log_reader.hpp"
#include "adapters/mariadb/mariadb_recovery.hpp"
#include "adapters/mariadb/mariadb_store.hpp"
#include "config/settings.hpp"
#include "obs/metrics.hpp"
#include "services/worker/partition_workers.hpp"

namespace doorbuster {

class WorkerProcess {
 public:
  /// What the stores of all partitions have done since the start.
  struct Stored {
    std::atomic<std::uint64_t> rows{0}, repeated{0}, voided{0}, dead_letters{0};
  };

  /// Prepares database and topics, joins the group. \returns one line for people
  static Result<std::unique_ptr<WorkerProcess>> open(const config::Settings& settings);
  ~WorkerProcess();

  /// Looks how far the log has grown, whether it is still the log that the database has positions of, and
  /// notes positions. Takes a second or two when Kafka does not answer. One thread.
  void watch();

  /// Leaves the group after the batches that are under way. Told again: no effect.
  void stop();

  /// Any thread. \returns why the worker is of no use at the moment
  Result<void> ready() const;
  void write_metrics(obs::MetricsWriter& out) const;

 private:
  WorkerProcess(kafka::KafkaOptions log, mariadb::ServerOptions database);
  Result<void> open_parts(std::size_t batch);
  Result<void> open_topics();
  worker::PartitionWorkers::Parts make_parts(std::size_t partition);
  /// \returns empty when the log is the one that the database knows, else what is wrong
  Result<std::string> strange_log();
  void note_rate();

  Stored stored_;
  const kafka::KafkaOptions log_;
  const mariadb::ServerOptions database_;
  mariadb::MariaDbRecoveryStore recovery_;  // of the thread that calls watch()
  std::unique_ptr<kafka::DeadLetterTopic> dead_letters_;
  std::unique_ptr<kafka::KafkaLogReader> reader_;
  std::unique_ptr<kafka::KafkaLogReader> monitor_;  // with less patience
  std::unique_ptr<worker::PartitionWorkers> workers_;
  std::unique_ptr<kafka::KafkaConsumerGroup> group_;

  mutable std::mutex mutex_;  // guards what follows
  std::vector<LogPosition> ends_;
  std::string complaint_;
  double rows_per_second_ = 0;
  std::uint64_t rows_seen_ = 0;
  std::chrono::steady_clock::time_point seen_at_ = std::chrono::steady_clock::now();
};

}  // namespace doorbuster
