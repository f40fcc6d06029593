#pragma once
// The topics of the full stack: made when they are missing, refused when they promise less than is
// configured.

#include "adapters/kafka/kafka_options.hpp"
#include "base/error.hpp"

namespace doorbuster::kafka {

/// Makes the topics of events and of dead letters as far as they are missing, and checks both. Blocking, at
/// most a few times options.timeout. \returns unavailable (kafka.brokers), invalid: one line that names the
/// key (kafka.partitions, kafka.replication, kafka.min_insync_replicas)
Result<void> ensure_topics(const KafkaOptions& options);

/// Only checks them: for programs that must not make up a log that has been lost. \returns not_found, too
/// \param patience how long a topic may be missing: one that was made a moment ago is not known to every
/// broker
Result<void> check_topics(const KafkaOptions& options, Duration patience = Duration::zero());

/// The id that Kafka gave to the topic of events when it was made: another one after it was made anew.
/// \returns unavailable, not_found
Result<std::string> topic_identity(const KafkaOptions& options);

}  // namespace doorbuster::kafka
