#pragma once
// Reads the messages of one partition of any topic, in order, from any offset. One thread.

#include <vector>

#include "adapters/kafka/client.hpp"

namespace doorbuster::kafka {

/// The first offset that is there, and the one that the next message will get. \returns unavailable
Result<std::int64_t> first_offset(rd_kafka_s* client, const std::string& topic, int partition,
                                  Duration timeout);
Result<std::int64_t> next_offset(rd_kafka_s* client, const std::string& topic, int partition,
                                 Duration timeout);

/// Over a consumer that others use, too, for other partitions.
class PartitionReader {
 public:
  PartitionReader(rd_kafka_s* client, const KafkaOptions& options, std::string topic, int partition);
  ~PartitionReader();
  PartitionReader(const PartitionReader&) = delete;
  PartitionReader& operator=(const PartitionReader&) = delete;

  /// Messages from `offset` on, at most `max`; fewer only at the end, or when more did not come within the
  /// timeout. \returns corrupt, unavailable
  Result<std::vector<Message>> read(std::int64_t offset, std::size_t max);
  Result<std::int64_t> first() const { return first_offset(client_, topic_, partition_, options_.timeout); }
  Result<std::int64_t> end() const { return next_offset(client_, topic_, partition_, options_.timeout); }
  /// Returns when there may be a message at `offset`, at latest after `timeout`.
  void wait(std::int64_t offset, Duration timeout);

 private:
  Result<bool> go_to(std::int64_t offset);
  Result<std::size_t> fetch(std::vector<Message>& into, std::size_t max, int milliseconds);
  Error read_error(const rd_kafka_message_s& message) const;
  void halt();

  rd_kafka_s* client_;
  const KafkaOptions& options_;
  const std::string topic_;
  const int partition_;
  Topic handle_;
  Queue queue_;
  bool running_ = false;
  std::int64_t next_ = 0;         // offset of what comes next out of waiting_ and queue_
  std::vector<Message> waiting_;  // fetched by wait() and not yet read
};

}  // namespace doorbuster::kafka
