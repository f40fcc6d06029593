#pragma once
// librdkafka's handles as owned values, for the sources of this folder: rdkafka.h stays out of headers.

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "adapters/kafka/kafka_options.hpp"
#include "base/error.hpp"

struct rd_kafka_s;
struct rd_kafka_conf_s;
struct rd_kafka_message_s;
struct rd_kafka_queue_s;
struct rd_kafka_topic_s;

namespace doorbuster::kafka {

struct Release {
  void operator()(rd_kafka_s* client) const;
  void operator()(rd_kafka_topic_s* topic) const;
  void operator()(rd_kafka_queue_s* queue) const;
  void operator()(rd_kafka_message_s* message) const;
};
using Client = std::unique_ptr<rd_kafka_s, Release>;
using Topic = std::unique_ptr<rd_kafka_topic_s, Release>;
using Queue = std::unique_ptr<rd_kafka_queue_s, Release>;
using Message = std::unique_ptr<rd_kafka_message_s, Release>;

enum class Kind { producer, consumer };
using Properties = std::vector<std::pair<std::string, std::string>>;

/// A client with what all of ours have in common, the properties of its kind, and `more`. `configure` sets
/// callbacks. It connects in the background. \returns invalid (kafka.brokers), unavailable
Result<Client> make_client(Kind kind, const KafkaOptions& options, const Properties& more = {},
                           const std::function<void(rd_kafka_conf_s*)>& configure = {});

int in_milliseconds(Duration duration);

}  // namespace doorbuster::kafka
