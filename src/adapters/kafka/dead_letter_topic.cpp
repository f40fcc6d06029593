#include "adapters/kafka/dead_letter_topic.hpp"

#include <fmt/format.h>
#include <librdkafka/rdkafka.h>

#include <algorithm>
#include <mutex>

#include "adapters/kafka/kafka_event_log.hpp"
#include "adapters/kafka/partition_reader.hpp"
#include "adapters/kafka/partitioner.hpp"
#include "proto/event/event_codec.hpp"

namespace doorbuster::kafka {
namespace {

constexpr std::size_t kLettersAtOnce = 1000;

/// What became of the letters of one call.
struct Progress {
  std::size_t left = 0;
  std::string failure;
};

void delivered(rd_kafka_t*, const rd_kafka_message_t* message, void*) {
  auto& progress = *static_cast<Progress*>(message->_private);
  --progress.left;
  if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR) progress.failure = rd_kafka_err2str(message->err);
}

std::string header_of(const rd_kafka_message_t& message, const char* name) {
  rd_kafka_headers_t* headers = nullptr;
  const void* value = nullptr;
  std::size_t size = 0;
  if (rd_kafka_message_headers(&message, &headers) != RD_KAFKA_RESP_ERR_NO_ERROR ||
      rd_kafka_header_get_last(headers, name, &value, &size) != RD_KAFKA_RESP_ERR_NO_ERROR ||
      value == nullptr)
    return {};
  return {static_cast<const char*>(value), size};
}

struct FreeList {
  void operator()(rd_kafka_topic_partition_list_t* list) const {
    rd_kafka_topic_partition_list_destroy(list);
  }
};
using PartitionList = std::unique_ptr<rd_kafka_topic_partition_list_t, FreeList>;

PartitionList one_partition(const std::string& topic, int partition) {
  PartitionList list(rd_kafka_topic_partition_list_new(1));
  rd_kafka_topic_partition_list_add(list.get(), topic.c_str(), partition);
  return list;
}

/// The same key as the event had, so that tools see what belongs together.
std::string key_in(std::string_view payload) {
  const auto event = event::from_json(payload);
  if (!event) return {};
  if (const auto* issued = std::get_if<CouponIssued>(&*event)) return key_of(*issued);
  if (const auto* changed = std::get_if<CampaignChanged>(&*event))
    return std::string(changed->definition.id.text());
  return {};
}

}  // namespace

class DeadLetterTopic::Core {
 public:
  Core(KafkaOptions made, Client producer) : options(std::move(made)), client(std::move(producer)) {}

  Result<void> put(std::size_t partition, const std::vector<DeadLetter>& letters) {
    std::lock_guard lock(mutex);
    Progress progress;
    for (const DeadLetter& letter : letters) {
      if (const auto why = produce(partition, letter, progress); !why.empty()) {
        progress.failure = why;
        break;
      }
      ++progress.left;
    }
    // Every message has a report after message.timeout.ms at latest, so that `progress` outlives them all.
    while (progress.left > 0) rd_kafka_poll(client.get(), 100);
    if (progress.failure.empty()) return {};
    return make_error(ErrorCode::unavailable,
                      fmt::format("kafka: topic '{}': {}", options.dead_letter_topic, progress.failure));
  }

  /// \returns why it was not taken; empty when it was
  std::string produce(std::size_t partition, const DeadLetter& letter, Progress& progress) {
    const auto source_partition = std::to_string(partition);
    const auto source_position = std::to_string(letter.position);
    std::vector<rd_kafka_vu_t> parts;
    const auto part = [&](rd_kafka_vtype_t type) -> auto& {
      parts.emplace_back().vtype = type;
      return parts.back().u;
    };
    const auto header = [&](const char* name, const std::string& value) {
      part(RD_KAFKA_VTYPE_HEADER).header = {name, value.data(), static_cast<ssize_t>(value.size())};
    };
    part(RD_KAFKA_VTYPE_TOPIC).cstr = options.dead_letter_topic.c_str();
    part(RD_KAFKA_VTYPE_PARTITION).i32 = static_cast<std::int32_t>(partition);
    part(RD_KAFKA_VTYPE_MSGFLAGS).i = RD_KAFKA_MSG_F_COPY;
    // It is copied; only librdkafka's other mode needs a value that is not const.
    part(RD_KAFKA_VTYPE_VALUE).mem = {const_cast<char*>(letter.event.data()), letter.event.size()};
    part(RD_KAFKA_VTYPE_OPAQUE).ptr = &progress;
    header("reason", letter.reason);
    header("source_topic", options.topic);
    header("source_partition", source_partition);
    header("source_position", source_position);
    rd_kafka_error_t* error = rd_kafka_produceva(client.get(), parts.data(), parts.size());
    if (error == nullptr) return {};
    std::string why = rd_kafka_error_string(error);
    rd_kafka_error_destroy(error);
    return why;
  }

  const KafkaOptions options;
  const Client client;
  std::mutex mutex;
};

Result<std::unique_ptr<DeadLetterTopic>> DeadLetterTopic::open(KafkaOptions options) {
  auto client = make_client(Kind::producer, options, {}, [](rd_kafka_conf_s* configuration) {
    rd_kafka_conf_set_dr_msg_cb(configuration, delivered);
  });
  if (!client) return client.error();
  auto core = std::make_unique<Core>(std::move(options), std::move(*client));
  return std::unique_ptr<DeadLetterTopic>(new DeadLetterTopic(std::move(core)));
}

DeadLetterTopic::DeadLetterTopic(std::unique_ptr<Core> core) : core_(std::move(core)) {}
DeadLetterTopic::~DeadLetterTopic() = default;

Result<void> DeadLetterTopic::put(std::size_t partition, const std::vector<DeadLetter>& letters) {
  return core_->put(partition, letters);
}

Result<ReplayResult> replay_dead_letters(const KafkaOptions& options, KafkaEventLog& log) {
  auto client = make_client(Kind::consumer, options, {{"group.id", options.group + "-replay"}});
  if (!client) return client.error();
  const auto failed = [&](rd_kafka_resp_err_t error) {
    return make_error(ErrorCode::unavailable,
                      fmt::format("kafka: the place of the last replay in '{}': {}",
                                  options.dead_letter_topic, rd_kafka_err2str(error)));
  };
  ReplayResult result;
  for (int partition = 0; partition < options.partitions; ++partition) {
    const auto low = first_offset(client->get(), options.dead_letter_topic, partition, options.timeout);
    if (!low) return low.error();
    const auto high = next_offset(client->get(), options.dead_letter_topic, partition, options.timeout);
    if (!high) return high.error();
    const auto place = one_partition(options.dead_letter_topic, partition);
    if (const auto error = rd_kafka_committed(client->get(), place.get(), in_milliseconds(options.timeout));
        error != RD_KAFKA_RESP_ERR_NO_ERROR)
      return failed(error);
    // Nothing noted is below zero. A topic that was made anew has less than was noted.
    auto next = place->elems[0].offset;
    if (next < *low || next > *high) next = *low;
    PartitionReader reader(client->get(), options, options.dead_letter_topic, partition);
    while (next < *high) {
      const auto letters =
          reader.read(next, std::min(kLettersAtOnce, static_cast<std::size_t>(*high - next)));
      if (!letters) return letters.error();
      for (const auto& letter : *letters) {
        const std::string_view payload(static_cast<const char*>(letter->payload), letter->len);
        if (header_of(*letter, "source_topic") != options.topic) {
          ++result.skipped;
          continue;
        }
        const auto appended = log.append_payload(partition, key_in(payload), payload,
                                                 options.delivery_timeout + options.timeout);
        if (!appended) return appended.error();
        ++result.replayed;
      }
      if (letters->empty()) return make_error(ErrorCode::unavailable, "kafka: dead letters do not come");
      next += static_cast<std::int64_t>(letters->size());
      place->elems[0].offset = next;
      if (const auto error = rd_kafka_commit(client->get(), place.get(), 0);
          error != RD_KAFKA_RESP_ERR_NO_ERROR)
        return failed(error);
    }
  }
  return result;
}

}  // namespace doorbuster::kafka
