#include "adapters/kafka/kafka_consumer_group.hpp"

#include <fmt/format.h>
#include <librdkafka/rdkafka.h>
#include <pthread.h>

#include <atomic>
#include <thread>

#include "adapters/kafka/client.hpp"
#include "base/log.hpp"

namespace doorbuster::kafka {
namespace {

constexpr int kPollMilliseconds = 100;

struct FreeList {
  void operator()(rd_kafka_topic_partition_list_t* list) const {
    rd_kafka_topic_partition_list_destroy(list);
  }
};
using PartitionList = std::unique_ptr<rd_kafka_topic_partition_list_t, FreeList>;

std::vector<std::size_t> numbers_of(const rd_kafka_topic_partition_list_t& list) {
  std::vector<std::size_t> numbers;
  for (int i = 0; i < list.cnt; ++i) numbers.push_back(static_cast<std::size_t>(list.elems[i].partition));
  return numbers;
}

}  // namespace

class KafkaConsumerGroup::Core {
 public:
  Core(const KafkaOptions& options, Callbacks callbacks)
      : options_(options), callbacks_(std::move(callbacks)) {}
  ~Core() { leave(); }

  Result<void> join() {
    auto made =
        make_client(Kind::consumer, options_,
                    {{"group.id", options_.group},
                     {"partition.assignment.strategy", "cooperative-sticky"},
                     {"session.timeout.ms", "10000"},
                     {"heartbeat.interval.ms", "1000"},
                     // The thread polls all the time, but for a revocation that waits for the database.
                     {"max.poll.interval.ms", "120000"}},
                    [this](rd_kafka_conf_s* configuration) {
                      rd_kafka_conf_set_opaque(configuration, this);
                      rd_kafka_conf_set_rebalance_cb(configuration, rebalance);
                    });
    if (!made) return made.error();
    client_ = std::move(*made);
    rd_kafka_poll_set_consumer(client_.get());
    const PartitionList topics(rd_kafka_topic_partition_list_new(1));
    rd_kafka_topic_partition_list_add(topics.get(), options_.topic.c_str(), RD_KAFKA_PARTITION_UA);
    if (const auto error = rd_kafka_subscribe(client_.get(), topics.get());
        error != RD_KAFKA_RESP_ERR_NO_ERROR) {
      return make_error(
          ErrorCode::invalid,
          fmt::format("kafka.group: '{}' cannot be joined: {}", options_.group, rd_kafka_err2str(error)),
          "kafka.group");
    }
    thread_ = std::thread([this] {
      pthread_setname_np(pthread_self(), "group");
      while (!leaving_) {
        // Partitions are paused: what comes here are errors, which the log has shown.
        const Message message(rd_kafka_consumer_poll(client_.get(), kPollMilliseconds));
      }
      rd_kafka_consumer_close(client_.get());  // revokes, on this thread
    });
    return {};
  }

  void note_position(std::size_t partition, LogPosition position) {
    const PartitionList list(rd_kafka_topic_partition_list_new(1));
    rd_kafka_topic_partition_list_add(list.get(), options_.topic.c_str(), static_cast<int>(partition))
        ->offset = static_cast<std::int64_t>(position);
    rd_kafka_commit(client_.get(), list.get(), 1);
  }

  void leave() {
    leaving_ = true;
    if (thread_.joinable()) thread_.join();
  }

 private:
  static void rebalance(rd_kafka_t* client, rd_kafka_resp_err_t event, rd_kafka_topic_partition_list_t* list,
                        void* opaque) {
    auto& self = *static_cast<Core*>(opaque);
    const auto numbers = numbers_of(*list);
    rd_kafka_error_t* error = nullptr;
    if (event == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS) {
      // Nobody reads here, so any place will do that is there.
      for (int i = 0; i < list->cnt; ++i) list->elems[i].offset = RD_KAFKA_OFFSET_END;
      error = rd_kafka_incremental_assign(client, list);
      rd_kafka_pause_partitions(client, list);
      self.callbacks_.assigned(numbers);
    } else {
      self.callbacks_.revoked(numbers);
      error = rd_kafka_incremental_unassign(client, list);
    }
    if (error != nullptr) {
      log().warn("kafka: rebalancing: {}", rd_kafka_error_string(error));
      rd_kafka_error_destroy(error);
    }
  }

  const KafkaOptions options_;
  const Callbacks callbacks_;
  Client client_;
  std::atomic<bool> leaving_{false};
  std::thread thread_;
};

Result<std::unique_ptr<KafkaConsumerGroup>> KafkaConsumerGroup::join(const KafkaOptions& options,
                                                                     Callbacks callbacks) {
  auto core = std::make_unique<Core>(options, std::move(callbacks));
  if (const auto joined = core->join(); !joined) return joined.error();
  return std::unique_ptr<KafkaConsumerGroup>(new KafkaConsumerGroup(std::move(core)));
}

KafkaConsumerGroup::KafkaConsumerGroup(std::unique_ptr<Core> core) : core_(std::move(core)) {}
KafkaConsumerGroup::~KafkaConsumerGroup() = default;

void KafkaConsumerGroup::note_position(std::size_t partition, LogPosition position) {
  core_->note_position(partition, position);
}

void KafkaConsumerGroup::leave() {
  core_->leave();
}

}  // namespace doorbuster::kafka
