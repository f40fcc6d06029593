#include "adapters/kafka/client.hpp"

#include <fmt/format.h>
#include <librdkafka/rdkafka.h>

#include <algorithm>

#include "base/log.hpp"

namespace doorbuster::kafka {
namespace {

void write_log(const rd_kafka_t*, int level, const char* facility, const char* text) {
  constexpr int kError = 3;  // of syslog
  const std::string_view about(facility);
  // A consumer that is told to stop while its broker is away says so as if it were an error of ours.
  if (level > kError || about == "TERMINATE") return log().debug("kafka: {}: {}", facility, text);
  log().warn("kafka: {}", text);
}

Properties common(const KafkaOptions& options) {
  return {
      {"bootstrap.servers", options.brokers},
      {"client.id", "doorbuster"},
      {"socket.nagle.disable", "true"},
      {"socket.keepalive.enable", "true"},
      {"socket.timeout.ms", std::to_string(in_milliseconds(options.timeout))},
      {"socket.connection.setup.timeout.ms", "3000"},
      {"reconnect.backoff.ms", "50"},
      {"reconnect.backoff.max.ms", "500"},
      {"retry.backoff.ms", "50"},
      {"topic.metadata.refresh.fast.interval.ms", "100"},
      {"topic.metadata.propagation.max.ms", "5000"},
      {"allow.auto.create.topics", "false"},
      {"log.connection.close", "false"},
  };
}

Properties of_producer(const KafkaOptions& options) {
  return {
      {"enable.idempotence", "true"},
      {"acks", "all"},
      {"message.timeout.ms", std::to_string(in_milliseconds(options.delivery_timeout))},
      {"request.timeout.ms", std::to_string(in_milliseconds(options.delivery_timeout))},
      // Our own bound (most_queued_events) comes first, so that librdkafka's queue is never full.
      {"queue.buffering.max.messages", "10000000"},
      {"queue.buffering.max.kbytes", "2000000"},
      // Appends come as large as they get (batch_gate.hpp), so this is not to make them larger: with 0,
      // the thread of librdkafka 2.0 looks at its queue without pause as long as a request has no answer.
      {"linger.ms", "0.5"},
  };
}

Properties of_consumer() {
  return {
      {"enable.auto.commit", "false"},
      {"enable.auto.offset.store", "false"},
      // Where to read is known from the database. A place that is not there is an error, never a skip.
      {"auto.offset.reset", "error"},
      {"check.crcs", "true"},
      {"fetch.wait.max.ms", "100"},
      {"queued.max.messages.kbytes", "32768"},
      {"fetch.error.backoff.ms", "50"},
  };
}

}  // namespace

void Release::operator()(rd_kafka_s* client) const {
  rd_kafka_destroy(client);
}
void Release::operator()(rd_kafka_topic_s* topic) const {
  rd_kafka_topic_destroy(topic);
}
void Release::operator()(rd_kafka_queue_s* queue) const {
  rd_kafka_queue_destroy(queue);
}
void Release::operator()(rd_kafka_message_s* message) const {
  rd_kafka_message_destroy(message);
}

int in_milliseconds(Duration duration) {
  const auto count = std::chrono::duration_cast<std::chrono::milliseconds>(duration).count();
  return static_cast<int>(std::clamp<std::int64_t>(count, 1, 1'000'000'000));
}

Result<Client> make_client(Kind kind, const KafkaOptions& options, const Properties& more,
                           const std::function<void(rd_kafka_conf_s*)>& configure) {
  rd_kafka_conf_t* configuration = rd_kafka_conf_new();
  char why[512] = "";
  for (const auto& properties :
       {common(options), kind == Kind::producer ? of_producer(options) : of_consumer(), more}) {
    for (const auto& [name, value] : properties) {
      if (rd_kafka_conf_set(configuration, name.c_str(), value.c_str(), why, sizeof why) !=
          RD_KAFKA_CONF_OK) {
        rd_kafka_conf_destroy(configuration);
        return make_error(ErrorCode::invalid, fmt::format("kafka: {} = '{}': {}", name, value, why),
                          "kafka.brokers");
      }
    }
  }
  rd_kafka_conf_set_log_cb(configuration, write_log);
  if (configure) configure(configuration);
  // It takes the configuration when it succeeds.
  rd_kafka_t* client = rd_kafka_new(kind == Kind::producer ? RD_KAFKA_PRODUCER : RD_KAFKA_CONSUMER,
                                    configuration, why, sizeof why);
  if (client == nullptr) {
    rd_kafka_conf_destroy(configuration);
    return make_error(ErrorCode::unavailable, fmt::format("kafka.brokers: '{}': {}", options.brokers, why),
                      "kafka.brokers");
  }
  return Client(client);
}

}  // namespace doorbuster::kafka
