#include "adapters/kafka/kafka_event_log.hpp"

#include <fmt/format.h>
#include <librdkafka/rdkafka.h>
#include <pthread.h>

#include <condition_variable>
#include <optional>
#include <shared_mutex>
#include <thread>

#include "adapters/kafka/client.hpp"
#include "adapters/kafka/partitioner.hpp"
#include "adapters/kafka/pending_batches.hpp"
#include "adapters/kafka/topics.hpp"
#include "base/log.hpp"
#include "proto/event/event_codec.hpp"

namespace doorbuster::kafka {
namespace {

constexpr int kPollMilliseconds = 20;
constexpr int kProbeMilliseconds = 300;
constexpr auto kProbeEvery = std::chrono::milliseconds(200);
constexpr auto kLongestProbePause = std::chrono::seconds(3);

/// A completion that a blocking caller waits for.
struct Waiter {
  std::mutex mutex;
  std::condition_variable answered;
  std::optional<Result<void>> result;  // guarded by mutex
};

}  // namespace

class KafkaEventLog::Core {
 public:
  explicit Core(KafkaOptions options) : options_(std::move(options)), pending_(options_.most_queued_events) {}
  ~Core() { stop(); }

  Result<void> start() {
    if (const auto ensured = ensure_topics(options_); !ensured) return ensured;
    if (const auto made = make_producer(); !made) return made;
    healthy_ = true;
    thread_ = std::thread([this] {
      pthread_setname_np(pthread_self(), "kafka");
      work();
    });
    return {};
  }

  void append(const std::vector<CouponIssued>& events, Executor& on, Appended done) {
    if (events.empty()) {
      on.post([done = std::move(done)]() mutable { done({}); });
      return;
    }
    std::shared_lock lock(producer_mutex_);
    Error refusal;
    auto* batch = admit(events.size(), &on, done, refusal);
    if (batch == nullptr) {
      on.post([done = std::move(done), refusal = std::move(refusal)]() mutable { done(std::move(refusal)); });
      return;
    }
    // With the last event handed over, the batch may be gone.
    std::string payload;
    for (std::size_t i = 0; i < events.size(); ++i) {
      const auto key = key_of(events[i]);
      payload.clear();
      event::append_json(events[i], payload);
      if (const auto why = produce(partition_of(key, options_.partitions), key, payload, batch); !why.empty())
        return pending_.settle(batch, Delivery::not_sent, why, events.size() - i);
    }
  }

  Result<void> append_payload(int partition, std::string_view key, std::string_view payload,
                              Duration timeout) {
    auto waiter = std::make_shared<Waiter>();
    Appended done = [waiter](Result<void> result) {
      {
        std::lock_guard lock(waiter->mutex);
        waiter->result = std::move(result);
      }
      waiter->answered.notify_one();
    };
    {
      std::shared_lock lock(producer_mutex_);
      Error refusal;
      auto* batch = admit(1, nullptr, done, refusal);
      if (batch == nullptr) return refusal;
      if (const auto why = produce(partition, key, payload, batch); !why.empty())
        pending_.settle(batch, Delivery::not_sent, why);
    }
    std::unique_lock lock(waiter->mutex);
    if (!waiter->answered.wait_for(lock, timeout, [&] { return waiter->result.has_value(); }))
      return make_error(ErrorCode::unknown_outcome, "kafka: no acknowledgement within the time given");
    return *waiter->result;
  }

  Result<void> publish(const CampaignChanged& change, Duration timeout) {
    const std::string key(change.definition.id.text());
    return append_payload(partition_of(key, options_.partitions), key, event::to_json(change), timeout);
  }

  bool accepting() const {
    if (!healthy_.load(std::memory_order_relaxed) || pending_.nearly_full()) return false;
    if (on_trial_.load(std::memory_order_relaxed) && pending_.events() > 0) return false;
    return pending_.oldest_age() < options_.stall;
  }

  void stop() {
    {
      std::unique_lock lock(producer_mutex_);
      stopped_ = true;
    }
    healthy_ = false;
    if (thread_.joinable()) thread_.join();
    const std::unique_lock lock(producer_mutex_);
    topic_.reset();
    producer_.reset();
  }

  EventLogStats stats() const {
    auto counts = pending_.counts();
    return {counts.events,     counts.appends,        counts.failures, renewals_.load(),
            pending_.events(), pending_.oldest_age(), accepting(),     std::move(counts.last_error)};
  }

 private:
  /// producer_mutex_ is held.
  PendingBatches::Batch* admit(std::size_t events, Executor* on, Appended& done, Error& refusal) {
    if (stopped_ || producer_ == nullptr) {
      refusal = make_error(ErrorCode::unavailable, "the event log does not take events now");
      return nullptr;
    }
    auto* batch = pending_.begin(events, on, done);
    if (batch == nullptr)
      refusal = make_error(ErrorCode::overloaded, "too many events wait for the event log");
    return batch;
  }

  /// producer_mutex_ is held. \returns why the event was not taken; empty when it was
  std::string produce(int partition, std::string_view key, std::string_view payload,
                      PendingBatches::Batch* batch) {
    // It copies what it is given, and takes a pointer that is not const only for its other mode.
    auto* bytes = const_cast<char*>(payload.data());
    if (rd_kafka_produce(topic_.get(), partition, RD_KAFKA_MSG_F_COPY, bytes, payload.size(), key.data(),
                         key.size(), batch) == 0)
      return {};
    return rd_kafka_err2str(rd_kafka_last_error());
  }

  Result<void> make_producer() {
    auto made = make_client(Kind::producer, options_, {}, [this](rd_kafka_conf_s* configuration) {
      rd_kafka_conf_set_opaque(configuration, this);
      rd_kafka_conf_set_dr_msg_cb(configuration, delivered);
      rd_kafka_conf_set_error_cb(configuration, failed);
    });
    if (!made) return made.error();
    producer_ = std::move(*made);
    topic_ = Topic(rd_kafka_topic_new(producer_.get(), options_.topic.c_str(), nullptr));
    return {};
  }

  /// On the thread `kafka`, as all of librdkafka's callbacks.
  static void delivered(rd_kafka_t*, const rd_kafka_message_t* message, void* opaque) {
    auto& self = *static_cast<Core*>(opaque);
    auto* batch = static_cast<PendingBatches::Batch*>(message->_private);
    if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
      if (self.on_trial_.load(std::memory_order_relaxed)) self.on_trial_ = false;
      self.pending_.settle(batch, Delivery::acknowledged);
      return;
    }
    self.close(rd_kafka_err2str(message->err));
    const bool certain = rd_kafka_message_status(message) == RD_KAFKA_MSG_STATUS_NOT_PERSISTED;
    self.pending_.settle(batch, certain ? Delivery::not_sent : Delivery::maybe_sent,
                         rd_kafka_err2str(message->err));
  }

  static void failed(rd_kafka_t*, int error, const char* reason, void* opaque) {
    auto& self = *static_cast<Core*>(opaque);
    if (error == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN) self.close("no broker can be reached");
    if (error == RD_KAFKA_RESP_ERR__FATAL) self.close(reason);
  }

  void close(const std::string& why) {
    if (healthy_.exchange(false)) log().warn("the event log is closed until Kafka answers: {}", why);
  }

  void work() {
    auto next_probe = std::chrono::steady_clock::now();
    std::chrono::milliseconds probe_every = kProbeEvery;
    while (!stopping()) {
      rd_kafka_poll(producer_.get(), kPollMilliseconds);
      char why[256] = "";
      if (rd_kafka_fatal_error(producer_.get(), why, sizeof why) != RD_KAFKA_RESP_ERR_NO_ERROR) renew(why);
      if (healthy_ && !on_trial_) probe_every = kProbeEvery;
      if (healthy_ || std::chrono::steady_clock::now() < next_probe) continue;
      // One that failed in its trial is looked at less often.
      if (on_trial_) probe_every = std::min<std::chrono::milliseconds>(probe_every * 2, kLongestProbePause);
      probe();
      next_probe = std::chrono::steady_clock::now() + probe_every;
    }
    drain(options_.flush);
    pending_.give_up("the event log was stopped");
  }

  bool stopping() const {
    std::shared_lock lock(producer_mutex_);
    return stopped_;
  }

  /// Serves acknowledgements until all are there or the time is over, then has the rest given back.
  void drain(Duration patience) {
    if (producer_ == nullptr) return;
    const auto deadline = std::chrono::steady_clock::now() + patience;
    while (rd_kafka_outq_len(producer_.get()) > 0 && std::chrono::steady_clock::now() < deadline)
      rd_kafka_poll(producer_.get(), kPollMilliseconds);
    rd_kafka_purge(producer_.get(), RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
    for (int i = 0; rd_kafka_outq_len(producer_.get()) > 0 && i < 50; ++i)
      rd_kafka_poll(producer_.get(), kPollMilliseconds);
  }

  /// An idempotent producer that has lost its place in a partition refuses to go on, for good. What it had on
  /// its way is given back as unknown; a new one has a new identity, and starts at a new place.
  void renew(const std::string& why) {
    close(why);
    log().warn("a new Kafka producer is made: {}", why);
    std::unique_lock lock(producer_mutex_);
    drain(Duration::zero());
    pending_.give_up(why);
    topic_.reset();
    auto old = std::move(producer_);
    old.reset();
    while (!stopped_) {
      if (const auto made = make_producer(); made) break;
      lock.unlock();
      std::this_thread::sleep_for(kProbeEvery);
      lock.lock();
    }
    ++renewals_;
  }

  /// Looks whether every partition could take an event.
  void probe() {
    const struct rd_kafka_metadata* metadata = nullptr;
    if (rd_kafka_metadata(producer_.get(), 0, topic_.get(), &metadata, kProbeMilliseconds) !=
        RD_KAFKA_RESP_ERR_NO_ERROR)
      return;
    const std::unique_ptr<const struct rd_kafka_metadata, void (*)(const struct rd_kafka_metadata*)> freed(
        metadata, rd_kafka_metadata_destroy);
    if (metadata->topic_cnt != 1) return;
    const auto& topic = metadata->topics[0];
    if (topic.err == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART) {
      if (!std::exchange(told_of_loss_, true))
        log().error(
            "Kafka has no topic '{}' any more: it has lost its data, or somebody has deleted it; see "
            "'doorbuster recover'",
            options_.topic);
      return;
    }
    if (topic.err != RD_KAFKA_RESP_ERR_NO_ERROR || topic.partition_cnt != options_.partitions) return;
    for (int i = 0; i < topic.partition_cnt; ++i) {
      const auto& partition = topic.partitions[i];
      if (partition.leader < 0 || partition.isr_cnt < options_.min_insync_replicas) return;
    }
    told_of_loss_ = false;
    const std::shared_lock lock(producer_mutex_);
    if (stopped_) return;
    on_trial_ = true;
    healthy_ = true;
    log().info("the event log is open again");
  }

  const KafkaOptions options_;
  PendingBatches pending_;
  std::atomic<bool> healthy_{false};
  /// Open again, and nothing was acknowledged since: a broker may show leaders and replicas that are gone, so
  /// only one append at a time is let in.
  std::atomic<bool> on_trial_{false};
  std::atomic<std::uint64_t> renewals_{0};
  bool told_of_loss_ = false;  // of the thread

  // Held shared by those who hand over events, alone by those who change what follows.
  mutable std::shared_mutex producer_mutex_;
  Client producer_;
  Topic topic_;
  bool stopped_ = false;
  std::thread thread_;
};

Result<std::unique_ptr<KafkaEventLog>> KafkaEventLog::open(KafkaOptions options) {
  auto core = std::make_unique<Core>(std::move(options));
  if (const auto started = core->start(); !started) return started.error();
  return std::unique_ptr<KafkaEventLog>(new KafkaEventLog(std::move(core)));
}

KafkaEventLog::KafkaEventLog(std::unique_ptr<Core> core) : core_(std::move(core)) {}
KafkaEventLog::~KafkaEventLog() = default;

void KafkaEventLog::append(std::vector<CouponIssued> events, Executor& on, Appended done) {
  core_->append(events, on, std::move(done));
}

bool KafkaEventLog::accepting() const {
  return core_->accepting();
}

Result<void> KafkaEventLog::publish(const CampaignChanged& change, Duration timeout) {
  return core_->publish(change, timeout);
}

Result<void> KafkaEventLog::append_payload(int partition, std::string_view key, std::string_view payload,
                                           Duration timeout) {
  return core_->append_payload(partition, key, payload, timeout);
}

void KafkaEventLog::stop() {
  core_->stop();
}

EventLogStats KafkaEventLog::stats() const {
  return core_->stats();
}

}  // namespace doorbuster::kafka
