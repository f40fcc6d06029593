#include "adapters/kafka/partition_reader.hpp"

#include <fmt/format.h>
#include <librdkafka/rdkafka.h>

#include <algorithm>
#include <thread>

namespace doorbuster::kafka {
namespace {

using SteadyClock = std::chrono::steady_clock;

constexpr std::size_t kMostAtOnce = 1000;

Duration left_until(SteadyClock::time_point deadline) {
  return std::max(Duration{}, std::chrono::duration_cast<Duration>(deadline - SteadyClock::now()));
}

/// rd_kafka_query_watermark_offsets() would do, but has no end while the leader is away.
Result<std::int64_t> offset_at(rd_kafka_s* client, const std::string& topic, int partition, std::int64_t time,
                               Duration timeout) {
  rd_kafka_topic_partition_list_t* list = rd_kafka_topic_partition_list_new(1);
  auto* place = rd_kafka_topic_partition_list_add(list, topic.c_str(), partition);
  place->offset = time;
  auto error = rd_kafka_offsets_for_times(client, list, in_milliseconds(timeout));
  if (error == RD_KAFKA_RESP_ERR_NO_ERROR) error = place->err;
  const auto offset = place->offset;
  rd_kafka_topic_partition_list_destroy(list);
  if (error == RD_KAFKA_RESP_ERR_NO_ERROR && offset >= 0) return offset;
  return make_error(ErrorCode::unavailable,
                    fmt::format("kafka: topic '{}', partition {}: {}", topic, partition,
                                error == RD_KAFKA_RESP_ERR_NO_ERROR ? "no answer" : rd_kafka_err2str(error)));
}

}  // namespace

Result<std::int64_t> first_offset(rd_kafka_s* client, const std::string& topic, int partition,
                                  Duration timeout) {
  return offset_at(client, topic, partition, RD_KAFKA_OFFSET_BEGINNING, timeout);
}

Result<std::int64_t> next_offset(rd_kafka_s* client, const std::string& topic, int partition,
                                 Duration timeout) {
  return offset_at(client, topic, partition, RD_KAFKA_OFFSET_END, timeout);
}

PartitionReader::PartitionReader(rd_kafka_s* client, const KafkaOptions& options, std::string topic,
                                 int partition)
    : client_(client),
      options_(options),
      topic_(std::move(topic)),
      partition_(partition),
      handle_(rd_kafka_topic_new(client, topic_.c_str(), nullptr)),
      queue_(rd_kafka_queue_new(client)) {}

PartitionReader::~PartitionReader() {
  halt();
}

void PartitionReader::halt() {
  waiting_.clear();
  if (std::exchange(running_, false)) rd_kafka_consume_stop(handle_.get(), partition_);
}

/// Has the next message be the one at `offset`. \returns false when the log ends before it
Result<bool> PartitionReader::go_to(std::int64_t offset) {
  if (running_ && offset == next_) return true;
  halt();
  const auto high = end();
  if (!high) return high.error();
  if (offset > *high) return false;
  const auto low = first();
  if (!low) return low.error();
  if (offset < *low) {
    return make_error(ErrorCode::corrupt,
                      fmt::format("kafka: topic '{}', partition {}: what stood from offset {} "
                                  "to {} is gone",
                                  topic_, partition_, offset, *low - 1));
  }
  // What an earlier run has left in the queue is of no use any more.
  queue_ = Queue(rd_kafka_queue_new(client_));
  if (rd_kafka_consume_start_queue(handle_.get(), partition_, offset, queue_.get()) != 0) {
    return make_error(ErrorCode::unavailable,
                      fmt::format("kafka: topic '{}', partition {}: {}", topic_, partition_,
                                  rd_kafka_err2str(rd_kafka_last_error())));
  }
  running_ = true;
  next_ = offset;
  return true;
}

Error PartitionReader::read_error(const rd_kafka_message_s& message) const {
  const auto text = fmt::format("kafka: topic '{}', partition {}: {}", topic_, partition_,
                                rd_kafka_message_errstr(&message));
  switch (message.err) {
    case RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET:
    case RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE:
    case RD_KAFKA_RESP_ERR__BAD_MSG:
      return make_error(ErrorCode::corrupt, text);
    default:
      return make_error(ErrorCode::unavailable, text);
  }
}

/// \returns how many came
Result<std::size_t> PartitionReader::fetch(std::vector<Message>& into, std::size_t max, int milliseconds) {
  rd_kafka_message_t* found[kMostAtOnce];
  // It would wait for as many as it may take: so for one, when it waits at all.
  const auto count = rd_kafka_consume_batch_queue(queue_.get(), milliseconds, found,
                                                  milliseconds > 0 ? 1 : std::min(max, kMostAtOnce));
  if (count <= 0) return std::size_t{0};
  std::vector<Message> messages;
  for (ssize_t i = 0; i < count; ++i) messages.emplace_back(found[i]);
  for (auto& message : messages) {
    if (message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) continue;
    if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR) {
      auto error = read_error(*message);
      halt();
      return error;
    }
    if (message->offset != next_) {
      auto error = make_error(ErrorCode::corrupt,
                              fmt::format("kafka: topic '{}', partition {}: offset {} follows on {}", topic_,
                                          partition_, message->offset, next_ - 1));
      halt();
      return error;
    }
    ++next_;
    into.push_back(std::move(message));
  }
  return static_cast<std::size_t>(count);
}

Result<std::vector<Message>> PartitionReader::read(std::int64_t offset, std::size_t max) {
  std::vector<Message> messages;
  if (!waiting_.empty() && running_ && waiting_.front()->offset == offset && waiting_.size() <= max) {
    messages = std::move(waiting_);
    waiting_.clear();
  } else {
    waiting_.clear();
    const auto there = go_to(offset);
    if (!there) return there.error();
    if (!*there) return messages;
  }
  while (messages.size() < max) {
    const auto fetched = fetch(messages, max - messages.size(), 0);
    if (!fetched) return fetched.error();
    if (*fetched == 0) break;
  }
  if (messages.size() == max) return messages;
  // The queue is empty: either this is the end, or the rest is on its way.
  const auto high = end();
  if (!high) {
    if (!messages.empty()) return messages;
    return high.error();
  }
  if (*high < next_) {
    halt();
    return make_error(
        ErrorCode::corrupt,
        fmt::format("kafka: topic '{}', partition {} ends at offset {}, and {} has been read: the "
                    "log has lost its tail",
                    topic_, partition_, *high, next_));
  }
  const auto deadline = SteadyClock::now() + options_.timeout;
  while (messages.size() < max && next_ < *high) {
    const auto left = left_until(deadline);
    if (left == Duration{}) break;
    for (const int wait_milliseconds : {in_milliseconds(left), 0}) {
      if (messages.size() == max) break;
      const auto fetched = fetch(messages, max - messages.size(), wait_milliseconds);
      if (!fetched) return fetched.error();
    }
  }
  if (messages.empty() && next_ < *high) {
    halt();
    return make_error(ErrorCode::unavailable,
                      fmt::format("kafka: topic '{}', partition {}: nothing came within {} ms", topic_,
                                  partition_, in_milliseconds(options_.timeout)));
  }
  return messages;
}

void PartitionReader::wait(std::int64_t offset, Duration timeout) {
  if (!waiting_.empty() && waiting_.front()->offset == offset) return;
  const auto there = go_to(offset);
  if (!there || !*there) {
    std::this_thread::sleep_for(timeout);  // the next read will say what is wrong
    return;
  }
  if (const auto fetched = fetch(waiting_, 1, in_milliseconds(timeout)); !fetched) waiting_.clear();
}

}  // namespace doorbuster::kafka
