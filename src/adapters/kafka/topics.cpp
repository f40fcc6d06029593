#include "adapters/kafka/topics.hpp"

#include <fmt/format.h>
#include <librdkafka/rdkafka.h>

#include <algorithm>
#include <charconv>
#include <optional>

#include "adapters/kafka/client.hpp"
#include "base/log.hpp"

namespace doorbuster::kafka {
namespace {

struct FreeEvent {
  void operator()(rd_kafka_event_t* event) const { rd_kafka_event_destroy(event); }
};
using AdminEvent = std::unique_ptr<rd_kafka_event_t, FreeEvent>;

struct FreeMetadata {
  void operator()(const struct rd_kafka_metadata* metadata) const { rd_kafka_metadata_destroy(metadata); }
};
using Metadata = std::unique_ptr<const struct rd_kafka_metadata, FreeMetadata>;

Error unreachable(const KafkaOptions& options, const std::string& why) {
  return make_error(ErrorCode::unavailable,
                    fmt::format("kafka.brokers: no broker answers at '{}' within {} ms: {}", options.brokers,
                                in_milliseconds(options.timeout), why),
                    "kafka.brokers");
}

/// Talks to the cluster's controller.
class Admin {
 public:
  Admin(const KafkaOptions& options, Client client)
      : options_(options), client_(std::move(client)), queue_(rd_kafka_queue_new(client_.get())) {}

  struct Shape {
    int partitions = 0;
    int replicas = 0;  // of the partition that has fewest
    bool led = true;
  };

  /// \returns empty when there is no such topic
  Result<std::optional<Shape>> shape(const std::string& name) {
    const Topic topic(rd_kafka_topic_new(client_.get(), name.c_str(), nullptr));
    const struct rd_kafka_metadata* found = nullptr;
    const auto error =
        rd_kafka_metadata(client_.get(), 0, topic.get(), &found, in_milliseconds(options_.timeout));
    if (error != RD_KAFKA_RESP_ERR_NO_ERROR) return unreachable(options_, rd_kafka_err2str(error));
    const Metadata metadata(found);
    if (metadata->topic_cnt != 1 || metadata->topics[0].err == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART)
      return std::optional<Shape>();
    const auto& described = metadata->topics[0];
    if (described.err == RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION) {
      return make_error(ErrorCode::invalid, fmt::format("kafka.topic: '{}' is no name for a topic", name),
                        "kafka.topic");
    }
    Shape shape;
    shape.partitions = described.partition_cnt;
    for (int i = 0; i < described.partition_cnt; ++i) {
      const auto& partition = described.partitions[i];
      shape.replicas = i == 0 ? partition.replica_cnt : std::min<int>(shape.replicas, partition.replica_cnt);
      if (partition.leader < 0) shape.led = false;
    }
    if (described.partition_cnt == 0 || described.err != RD_KAFKA_RESP_ERR_NO_ERROR) shape.led = false;
    return std::optional<Shape>(shape);
  }

  Result<void> create(const std::string& name) {
    char why[512] = "";
    rd_kafka_NewTopic_t* topic =
        rd_kafka_NewTopic_new(name.c_str(), options_.partitions, options_.replication, why, sizeof why);
    if (topic == nullptr)
      return make_error(ErrorCode::invalid, fmt::format("kafka.topic: '{}': {}", name, why), "kafka.topic");
    const auto insync = std::to_string(options_.min_insync_replicas);
    rd_kafka_NewTopic_set_config(topic, "min.insync.replicas", insync.c_str());
    rd_kafka_NewTopic_set_config(topic, "cleanup.policy", "delete");
    // The log is the truth that database and ledger are filled from: it is kept until somebody decides.
    rd_kafka_NewTopic_set_config(topic, "retention.ms", "-1");
    rd_kafka_NewTopic_set_config(topic, "retention.bytes", "-1");
    rd_kafka_CreateTopics(client_.get(), &topic, 1, admin_options(RD_KAFKA_ADMIN_OP_CREATETOPICS).get(),
                          queue_.get());
    rd_kafka_NewTopic_destroy(topic);
    const auto event = answer();
    if (!event) return unreachable(options_, "creating a topic took too long");
    if (const auto error = rd_kafka_event_error(event.get()); error != RD_KAFKA_RESP_ERR_NO_ERROR)
      return unreachable(options_, rd_kafka_event_error_string(event.get()));
    std::size_t count = 0;
    const auto** results =
        rd_kafka_CreateTopics_result_topics(rd_kafka_event_CreateTopics_result(event.get()), &count);
    for (std::size_t i = 0; i < count; ++i) {
      const auto error = rd_kafka_topic_result_error(results[i]);
      if (error == RD_KAFKA_RESP_ERR_NO_ERROR || error == RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS) continue;
      const char* key = error == RD_KAFKA_RESP_ERR_INVALID_REPLICATION_FACTOR ? "kafka.replication"
                        : error == RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION          ? "kafka.topic"
                        : error == RD_KAFKA_RESP_ERR_INVALID_PARTITIONS       ? "kafka.partitions"
                                                                              : "kafka.brokers";
      const char* said = rd_kafka_topic_result_error_string(results[i]);
      return make_error(ErrorCode::invalid,
                        fmt::format("{}: topic '{}' with {} replicas cannot be made: {}", key, name,
                                    options_.replication, said != nullptr ? said : rd_kafka_err2str(error)),
                        key);
    }
    return {};
  }

  /// A moment for the cluster to go on.
  void rest() { rd_kafka_poll(client_.get(), 50); }

  /// One of the topic's settings.
  Result<std::string> setting(const std::string& name, const std::string& key) {
    rd_kafka_ConfigResource_t* resource = rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, name.c_str());
    rd_kafka_DescribeConfigs(client_.get(), &resource, 1,
                             admin_options(RD_KAFKA_ADMIN_OP_DESCRIBECONFIGS).get(), queue_.get());
    rd_kafka_ConfigResource_destroy(resource);
    const auto event = answer();
    if (!event) return unreachable(options_, "describing a topic took too long");
    if (rd_kafka_event_error(event.get()) != RD_KAFKA_RESP_ERR_NO_ERROR)
      return unreachable(options_, rd_kafka_event_error_string(event.get()));
    std::size_t count = 0;
    const auto** resources =
        rd_kafka_DescribeConfigs_result_resources(rd_kafka_event_DescribeConfigs_result(event.get()), &count);
    for (std::size_t i = 0; i < count; ++i) {
      std::size_t entries = 0;
      const auto** configs = rd_kafka_ConfigResource_configs(resources[i], &entries);
      for (std::size_t j = 0; j < entries; ++j) {
        const char* value = rd_kafka_ConfigEntry_value(configs[j]);
        if (rd_kafka_ConfigEntry_name(configs[j]) == key && value != nullptr) return std::string(value);
      }
    }
    return make_error(ErrorCode::unavailable, fmt::format("kafka: topic '{}' has no {}", name, key));
  }

 private:
  struct FreeOptions {
    void operator()(rd_kafka_AdminOptions_t* options) const { rd_kafka_AdminOptions_destroy(options); }
  };
  std::unique_ptr<rd_kafka_AdminOptions_t, FreeOptions> admin_options(rd_kafka_admin_op_t operation) {
    auto* made = rd_kafka_AdminOptions_new(client_.get(), operation);
    const int timeout = in_milliseconds(options_.timeout);
    char why[256] = "";
    rd_kafka_AdminOptions_set_request_timeout(made, timeout, why, sizeof why);
    if (operation == RD_KAFKA_ADMIN_OP_CREATETOPICS)
      rd_kafka_AdminOptions_set_operation_timeout(made, timeout, why, sizeof why);
    return std::unique_ptr<rd_kafka_AdminOptions_t, FreeOptions>(made);
  }
  AdminEvent answer() {
    return AdminEvent(rd_kafka_queue_poll(queue_.get(), in_milliseconds(options_.timeout) + 1000));
  }

  const KafkaOptions& options_;
  Client client_;
  Queue queue_;
};

Result<void> check(Admin& admin, const std::string& name, const Admin::Shape& shape,
                   const KafkaOptions& options) {
  const auto wrong = [](const char* key, const std::string& detail) {
    return make_error(ErrorCode::invalid, fmt::format("{}: {}", key, detail), key);
  };
  if (shape.partitions != options.partitions) {
    return wrong("kafka.partitions", fmt::format("topic '{}' has {} partitions, and {} are configured; their "
                                                 "number never changes, for a user's events stay in one",
                                                 name, shape.partitions, options.partitions));
  }
  if (shape.replicas < options.replication) {
    return wrong("kafka.replication", fmt::format("topic '{}' has {} replicas, and {} are configured", name,
                                                  shape.replicas, options.replication));
  }
  const auto insync = admin.setting(name, "min.insync.replicas");
  if (!insync) return insync.error();
  int number = 0;
  std::from_chars(insync->data(), insync->data() + insync->size(), number);
  if (number < options.min_insync_replicas) {
    return wrong("kafka.min_insync_replicas",
                 fmt::format("topic '{}' has min.insync.replicas {}, and {} is configured", name, number,
                             options.min_insync_replicas));
  }
  const auto policy = admin.setting(name, "cleanup.policy");
  if (!policy) return policy.error();
  if (*policy != "delete")
    return wrong("kafka.topic", fmt::format("topic '{}' is compacted, and would lose events", name));
  const auto retention = admin.setting(name, "retention.ms");
  if (!retention) return retention.error();
  if (*retention != "-1") {
    log().warn("kafka.topic: '{}' drops events after {} ms: what is not in the database by then is lost",
               name, *retention);
  }
  return {};
}

Result<void> go_through(const KafkaOptions& options, bool create, Duration patience) {
  if (options.min_insync_replicas > options.replication) {
    return make_error(
        ErrorCode::invalid,
        fmt::format("kafka.min_insync_replicas: {} of {} replicas (kafka.replication) can never "
                    "have an event",
                    options.min_insync_replicas, options.replication),
        "kafka.min_insync_replicas");
  }
  // What goes wrong here is told once, by the result.
  auto client = make_client(Kind::producer, options, {{"log_level", "0"}});
  if (!client) return client.error();
  Admin admin(options, std::move(*client));
  for (const auto& name : {options.topic, options.dead_letter_topic}) {
    const auto deadline = std::chrono::steady_clock::now() + options.timeout;
    // Of a topic that was made a moment ago one broker may know and the next one, who is asked now, not yet.
    const auto known_everywhere = std::chrono::steady_clock::now() + patience;
    bool made = false;
    for (;;) {
      const auto shape = admin.shape(name);
      if (!shape) return shape.error();
      if (*shape && (*shape)->led) {
        const auto checked = check(admin, name, **shape, options);
        if (checked) break;
        // As above, when the next broker is asked for the settings.
        const bool later = checked.error().code == ErrorCode::unavailable;
        if (!later || std::chrono::steady_clock::now() > deadline) return checked;
        admin.rest();
        continue;
      }
      if (!*shape && !create) {
        if (std::chrono::steady_clock::now() < known_everywhere) {
          admin.rest();
          continue;
        }
        return make_error(ErrorCode::not_found, fmt::format("kafka.topic: there is no topic '{}'", name),
                          "kafka.topic");
      }
      if (!*shape && !made) {
        if (const auto created = admin.create(name); !created) return created;
        made = true;
        log().info("kafka: made topic '{}' with {} partitions of {} replicas", name, options.partitions,
                   options.replication);
      } else if (std::chrono::steady_clock::now() > deadline) {
        return make_error(ErrorCode::unavailable,
                          fmt::format("kafka.brokers: topic '{}' has partitions without a leader", name),
                          "kafka.brokers");
      } else {
        admin.rest();
      }
    }
  }
  return {};
}

}  // namespace

Result<void> ensure_topics(const KafkaOptions& options) {
  return go_through(options, true, Duration::zero());
}

Result<void> check_topics(const KafkaOptions& options, Duration patience) {
  return go_through(options, false, patience);
}

}  // namespace doorbuster::kafka
