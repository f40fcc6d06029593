#pragma once
// For the tests of this folder: topics of a test's own on the broker that stands beside it.

#include <unistd.h>

#include <atomic>
#include <string>

#include "adapters/kafka/kafka_event_log.hpp"
#include "adapters/kafka/kafka_log_reader.hpp"
#include "tests/support/await.hpp"
#include "tests/support/real_servers.hpp"
#include "tests/support/samples.hpp"

namespace doorbuster::kafka {

/// Topics that nobody has used before.
inline KafkaOptions fresh_options(int partitions = 1) {
  static std::atomic<int> number{0};
  const auto suffix = std::to_string(::getpid()) + "-" + std::to_string(++number);
  KafkaOptions options;
  options.brokers = test::kafka_brokers();
  options.topic = "events-" + suffix;
  options.dead_letter_topic = "dead-" + suffix;
  options.group = "group-" + suffix;
  options.partitions = partitions;
  return options;
}

inline std::unique_ptr<KafkaEventLog> open_log(const KafkaOptions& options) {
  auto log = KafkaEventLog::open(options);
  EXPECT_TRUE(log.has_value()) << log.error().detail;
  return log ? std::move(*log) : nullptr;
}

inline std::unique_ptr<KafkaLogReader> open_reader(const KafkaOptions& options) {
  auto reader = KafkaLogReader::open(options);
  EXPECT_TRUE(reader.has_value()) << reader.error().detail;
  return reader ? std::move(*reader) : nullptr;
}

/// Every record of every partition.
inline std::vector<LogRecord> read_all(const KafkaOptions& options) {
  std::vector<LogRecord> records;
  const auto reader = open_reader(options);
  const auto ends = reader->ends();
  EXPECT_TRUE(ends.has_value());
  for (std::size_t partition = 0; ends && partition < ends->size(); ++partition) {
    const auto read = reader->read(partition, 0, (*ends)[partition], [&](LogRecord&& record) {
      records.push_back(std::move(record));
      return Result<void>();
    });
    EXPECT_TRUE(read.has_value()) << read.error().detail;
  }
  return records;
}

/// Asks until it is so; for what another process does in its own time.
template <class Predicate>
bool becomes_true(Predicate predicate, std::chrono::seconds patience = std::chrono::seconds(30)) {
  test::ManualExecutor pause;
  return pause.wait_until(predicate, patience);
}

}  // namespace doorbuster::kafka
