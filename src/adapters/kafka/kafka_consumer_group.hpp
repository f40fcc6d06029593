#pragma once
// Which partitions are this process's to work on: a member of the workers' consumer group. It reads nothing
// itself (KafkaLogReader does): where a partition was left off is known from the database, and two workers
// that think they have the same partition are kept apart there.
//
// Rebalancing is cooperative: partitions that stay are not interrupted. A member that does not answer for ten
// seconds loses its partitions to the others.

#include <functional>
#include <memory>
#include <vector>

#include "adapters/kafka/kafka_options.hpp"
#include "ports/event_log.hpp"

namespace doorbuster::kafka {

class KafkaConsumerGroup {
 public:
  /// On the thread `group`. `revoked` returns when nothing works on the partitions any more, at best within a
  /// second: the other members wait for it.
  struct Callbacks {
    std::function<void(const std::vector<std::size_t>& partitions)> assigned;
    std::function<void(const std::vector<std::size_t>& partitions)> revoked;
  };

  /// Joins in the background. \returns invalid, unavailable
  static Result<std::unique_ptr<KafkaConsumerGroup>> join(const KafkaOptions& options, Callbacks callbacks);
  /// leave()
  ~KafkaConsumerGroup();
  KafkaConsumerGroup(const KafkaConsumerGroup&) = delete;
  KafkaConsumerGroup& operator=(const KafkaConsumerGroup&) = delete;

  /// For tools that show how far a group is behind. Nothing is read from it. Any thread.
  void note_position(std::size_t partition, LogPosition position);

  /// Has every partition revoked, and leaves. Told again: no effect.
  void leave();

 private:
  class Core;
  explicit KafkaConsumerGroup(std::unique_ptr<Core> core);
  std::unique_ptr<Core> core_;
};

}  // namespace doorbuster::kafka
