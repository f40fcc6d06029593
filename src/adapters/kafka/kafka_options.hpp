#pragma once
// Where Kafka is and how its topics are made: the section `kafka` of the configuration.

#include <cstddef>
#include <string>

#include "base/clock.hpp"

namespace doorbuster::config {
class Settings;
}

namespace doorbuster::kafka {

struct KafkaOptions {
  std::string brokers = "127.0.0.1:9092";
  std::string topic = "coupon-issued";
  std::string dead_letter_topic = "coupon-issued-dead";
  std::string group = "doorbuster-worker";
  int partitions = 4;
  int replication = 1;
  int min_insync_replicas = 1;
  /// An event that is not acknowledged after so long has an unknown outcome.
  Duration delivery_timeout = std::chrono::seconds(5);
  /// When the oldest event waits so long for its acknowledgement, the log does not accept.
  Duration stall = std::chrono::seconds(1);
  /// Bound of events on their way. Beyond it appends are refused with `overloaded`.
  std::size_t most_queued_events = 65536;
  /// Longest wait for an answer of a broker, at start and for readers.
  Duration timeout = std::chrono::seconds(5);
  /// How long stop() goes on delivering.
  Duration flush = std::chrono::seconds(5);
};

/// Of a role that has these keys (properties.cpp).
KafkaOptions kafka_options(const config::Settings& settings);

}  // namespace doorbuster::kafka
