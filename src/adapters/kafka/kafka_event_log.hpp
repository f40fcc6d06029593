#pragma once
// The event log on Kafka: one idempotent producer a process, acknowledged by all in-sync replicas.
//
// Invariants
//  1. A completion says success only after the acknowledgement of every one of its events.
//  2. Every completion is called once, whatever happens to brokers or to this object: an event has an answer
//     after options.delivery_timeout at latest.
//  3. `unavailable` means that certainly none of the events is in the topic; what may be there is
//     `unknown_outcome`.
//  4. A failed delivery closes the log (accepting() is false) until a look at the cluster shows a leader and
//     enough in-sync replicas for every partition; then one append at a time is let in until one is
//     acknowledged.
//  5. Events of one user in one campaign are in one partition (partitioner.hpp), in the order of the calls.
//
// The thread named `kafka` serves acknowledgements and looks after the cluster; librdkafka has threads of its
// own.

#include <memory>

#include "adapters/kafka/kafka_options.hpp"
#include "ports/event_log.hpp"

namespace doorbuster::kafka {

struct EventLogStats {
  std::uint64_t events = 0;       ///< acknowledged
  std::uint64_t appends = 0;      ///< answered, well or not
  std::uint64_t failures = 0;     ///< appends that failed
  std::uint64_t renewals = 0;     ///< producers that had to be made anew
  std::size_t queued_events = 0;  ///< on their way
  Duration oldest{};              ///< how long the oldest of these waits
  bool accepting = false;
  std::string last_error;  ///< stays after the log has opened again
};

/// Thread-safe. Executors that were given must live until stop() returns.
class KafkaEventLog final : public EventLog, public ChangeLog {
 public:
  /// Makes and checks the topics (ensure_topics), starts the threads. \returns unavailable, invalid
  static Result<std::unique_ptr<KafkaEventLog>> open(KafkaOptions options);
  ~KafkaEventLog() override;
  KafkaEventLog(const KafkaEventLog&) = delete;
  KafkaEventLog& operator=(const KafkaEventLog&) = delete;

  void append(std::vector<CouponIssued> events, Executor& on, Appended done) override;
  bool accepting() const override;
  Result<void> publish(const CampaignChanged& change, Duration timeout) override;

  /// Appends bytes as they are, for the replay of dead letters. Blocking. \returns unavailable,
  /// unknown_outcome
  Result<void> append_payload(int partition, std::string_view key, std::string_view payload,
                              Duration timeout);

  /// Delivers for options.flush what is on its way, answers the rest `unknown_outcome`, ends the threads.
  /// Calls from then on are answered `unavailable`. Told again: no effect.
  void stop();

  EventLogStats stats() const;

 private:
  class Core;
  explicit KafkaEventLog(std::unique_ptr<Core> core);
  std::unique_ptr<Core> core_;
};

}  // namespace doorbuster::kafka
