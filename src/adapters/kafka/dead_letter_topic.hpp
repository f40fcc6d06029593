#pragma once
// The topic of events that could not be stored, with the reason, for people and for `doorbuster worker
// replay`. Each stands in the partition that it came from, with the headers `reason`, `source_topic`,
// `source_partition` and `source_position`.

#include <memory>
#include <vector>

#include "adapters/kafka/kafka_options.hpp"
#include "ports/coupon_repository.hpp"

namespace doorbuster::kafka {

class KafkaEventLog;

/// Thread-safe; blocking.
class DeadLetterTopic {
 public:
  /// The topic must be there (ensure_topics). \returns unavailable
  static Result<std::unique_ptr<DeadLetterTopic>> open(KafkaOptions options);
  ~DeadLetterTopic();
  DeadLetterTopic(const DeadLetterTopic&) = delete;
  DeadLetterTopic& operator=(const DeadLetterTopic&) = delete;

  /// Returns when all are acknowledged. Told again, they stand there twice. \returns unavailable,
  /// unknown_outcome
  Result<void> put(std::size_t partition, const std::vector<DeadLetter>& letters);

 private:
  class Core;
  explicit DeadLetterTopic(std::unique_ptr<Core> core);
  std::unique_ptr<Core> core_;
};

struct ReplayResult {
  std::size_t replayed = 0;  ///< events that stand in the log again
  std::size_t skipped = 0;   ///< dead letters of this topic that came from another one
};

/// Appends what the dead-letter topic holds at this moment, and what no earlier replay has appended, to the
/// log again, each to the partition that it came from. How far it came is noted in the offsets of the group
/// `<kafka.group>-replay`. Killed and run again it may append an event twice, which changes nothing.
Result<ReplayResult> replay_dead_letters(const KafkaOptions& options, KafkaEventLog& log);

}  // namespace doorbuster::kafka
