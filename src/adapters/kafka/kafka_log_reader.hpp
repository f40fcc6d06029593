#pragma once
// Reads the topic of events without being a member of a group: for the worker's partitions, for recovery and
// for audit.
//
// Invariants
//  1. The position of a record is its offset and one: 1 is the first, 0 stands before everything.
//  2. Nothing is skipped: a place that the broker does not have, or a gap between offsets, is `corrupt`.
//  3. Every call ends within a few times options.timeout.

#include <cstddef>
#include <memory>
#include <vector>

#include "adapters/kafka/kafka_options.hpp"
#include "ports/event_log.hpp"
#include "ports/recovery.hpp"

namespace doorbuster::kafka {

/// Thread-safe; each source belongs to one thread.
class KafkaLogReader final : public LogReader {
 public:
  /// Checks that the topic is there with its partitions. \returns unavailable, not_found, invalid
  static Result<std::unique_ptr<KafkaLogReader>> open(KafkaOptions options);
  ~KafkaLogReader() override;
  KafkaLogReader(const KafkaLogReader&) = delete;
  KafkaLogReader& operator=(const KafkaLogReader&) = delete;

  std::size_t partitions() const;
  /// The reading side of one partition. One at a time for each partition; gone before this reader.
  std::unique_ptr<EventSource> source(std::size_t partition);

  Result<std::vector<LogPosition>> ends() override;
  Result<std::string> identity() override;
  /// A partition that has no source(). \returns corrupt, unavailable, or what `each` returned
  Result<void> read(std::size_t partition, LogPosition after, LogPosition through,
                    Each<LogRecord> each) override;

 private:
  class Core;
  explicit KafkaLogReader(std::unique_ptr<Core> core);
  std::unique_ptr<Core> core_;
};

}  // namespace doorbuster::kafka
