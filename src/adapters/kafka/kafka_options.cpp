#include "adapters/kafka/kafka_options.hpp"

#include "config/settings.hpp"

namespace doorbuster::kafka {

KafkaOptions kafka_options(const config::Settings& settings) {
  KafkaOptions options;
  options.brokers = settings.text("kafka.brokers");
  options.topic = settings.text("kafka.topic");
  options.dead_letter_topic = settings.text("kafka.dead_letter_topic");
  options.group = settings.text("kafka.group");
  options.partitions = static_cast<int>(settings.integer("kafka.partitions"));
  options.replication = static_cast<int>(settings.integer("kafka.replication"));
  options.min_insync_replicas = static_cast<int>(settings.integer("kafka.min_insync_replicas"));
  options.delivery_timeout = settings.duration("kafka.delivery_timeout");
  options.stall = settings.duration("kafka.stall");
  return options;
}

}  // namespace doorbuster::kafka
