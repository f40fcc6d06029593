#include "adapters/kafka/kafka_log_reader.hpp"

#include <fmt/format.h>
#include <librdkafka/rdkafka.h>

#include "adapters/kafka/partition_reader.hpp"
#include "adapters/kafka/topics.hpp"
#include "proto/event/event_codec.hpp"

namespace doorbuster::kafka {
namespace {

/// Until every broker of a cluster knows of a topic that was just made: tenths of a second, on a machine with
/// room.
constexpr Duration kSpreads = std::chrono::seconds(3);

constexpr std::size_t kRecordsAtOnce = 10'000;

LogRecord record_of(const rd_kafka_message_t& message) {
  LogRecord record;
  record.position = static_cast<LogPosition>(message.offset) + 1;
  const std::string_view payload(static_cast<const char*>(message.payload), message.len);
  if (auto event = event::from_json(payload)) {
    record.event = std::move(*event);
  } else {
    record.event = Unreadable{event.error().detail, std::string(payload)};
  }
  return record;
}

class KafkaEventSource final : public EventSource {
 public:
  KafkaEventSource(rd_kafka_t* client, const KafkaOptions& options, int partition)
      : reader_(client, options, options.topic, partition) {}

  Result<std::vector<LogRecord>> read(LogPosition after, std::size_t max) override {
    const auto messages = reader_.read(static_cast<std::int64_t>(after), max);
    if (!messages) return messages.error();
    std::vector<LogRecord> records;
    records.reserve(messages->size());
    for (const auto& message : *messages) records.push_back(record_of(*message));
    return records;
  }
  Result<LogPosition> end() override {
    const auto next = reader_.end();
    if (!next) return next.error();
    return static_cast<LogPosition>(*next);
  }
  void wait(LogPosition after, Duration timeout) override {
    reader_.wait(static_cast<std::int64_t>(after), timeout);
  }

 private:
  PartitionReader reader_;
};

}  // namespace

class KafkaLogReader::Core {
 public:
  Core(KafkaOptions made, Client consumer)
      : options(std::move(made)),
        client(std::move(consumer)),
        topic(rd_kafka_topic_new(client.get(), options.topic.c_str(), nullptr)) {}
  const KafkaOptions options;
  const Client client;
  // Told that it asked who is no leader any more, librdkafka asks anew for the leaders of the topics that it
  // has a handle of, and of no others: without this one, the ends would be unknown until metadata is too old
  // (15 min).
  const Topic topic;
};

Result<std::unique_ptr<KafkaLogReader>> KafkaLogReader::open(KafkaOptions options) {
  if (const auto checked = check_topics(options, kSpreads); !checked) return checked.error();
  auto client = make_client(Kind::consumer, options);
  if (!client) return client.error();
  auto core = std::make_unique<Core>(std::move(options), std::move(*client));
  return std::unique_ptr<KafkaLogReader>(new KafkaLogReader(std::move(core)));
}

KafkaLogReader::KafkaLogReader(std::unique_ptr<Core> core) : core_(std::move(core)) {}
KafkaLogReader::~KafkaLogReader() = default;

std::size_t KafkaLogReader::partitions() const {
  return static_cast<std::size_t>(core_->options.partitions);
}

std::unique_ptr<EventSource> KafkaLogReader::source(std::size_t partition) {
  return std::make_unique<KafkaEventSource>(core_->client.get(), core_->options, static_cast<int>(partition));
}

Result<std::vector<LogPosition>> KafkaLogReader::ends() {
  std::vector<LogPosition> ends;
  for (int partition = 0; partition < core_->options.partitions; ++partition) {
    const auto next =
        next_offset(core_->client.get(), core_->options.topic, partition, core_->options.timeout);
    if (!next) return next.error();
    ends.push_back(static_cast<LogPosition>(*next));
  }
  return ends;
}

Result<std::string> KafkaLogReader::identity() {
  return topic_identity(core_->options);
}

Result<void> KafkaLogReader::read(std::size_t partition, LogPosition after, LogPosition through,
                                  Each<LogRecord> each) {
  const auto from = source(partition);
  while (after < through) {
    auto records = from->read(after, std::min<std::size_t>(kRecordsAtOnce, through - after));
    if (!records) return records.error();
    if (records->empty()) {
      return make_error(ErrorCode::corrupt,
                        fmt::format("kafka: partition {} ends at position {}, and {} was expected", partition,
                                    after, through));
    }
    for (auto& record : *records) {
      after = record.position;
      if (auto told = each(std::move(record)); !told) return told;
    }
  }
  return {};
}

}  // namespace doorbuster::kafka
