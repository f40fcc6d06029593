#pragma once
// A Kafka topic: partitions keyed by campaign and user, and what may go wrong between a producer and it.

#include <functional>
#include <set>
#include <string>
#include <vector>

#include "ports/event_log.hpp"
#include "ports/recovery.hpp"

namespace doorbuster::model {

/// The topic, as it stands on the brokers.
struct Kafka {
  explicit Kafka(std::size_t partition_count) : partitions(partition_count) {}

  std::size_t partition_of(const CouponIssued& event) const {
    std::size_t hash = 0;
    for (const char c : event.coupon.user.text()) hash = hash * 31 + static_cast<unsigned char>(c);
    return hash % partitions.size();
  }
  void append(std::size_t partition, CouponIssued event) {
    partitions[partition].push_back(std::move(event));
    if (appended) appended(partition, partitions[partition].size());
  }
  /// The data directory is deleted.
  void wipe() {
    for (auto& partition : partitions) partition.clear();
    ++generation;
  }

  std::vector<std::vector<CouponIssued>> partitions;  // position = index + 1
  std::uint64_t generation = 1;                       // another one after wipe()
  bool available = true;
  std::function<void(std::size_t partition, LogPosition position)> appended;
};

/// What recovery reads. `before` as in RedisRebuild.
class KafkaReader final : public LogReader {
 public:
  using Before = std::function<Result<void>(const char*)>;
  KafkaReader(Kafka& kafka, Before before) : kafka_(kafka), before_(std::move(before)) {}

  Result<std::vector<LogPosition>> ends() override {
    if (const auto fine = reach("kafka ends"); !fine) return fine.error();
    std::vector<LogPosition> all;
    for (const auto& partition : kafka_.partitions) all.push_back(partition.size());
    return all;
  }
  Result<std::string> identity() override {
    if (const auto fine = reach("kafka identity"); !fine) return fine.error();
    return "cluster-" + std::to_string(kafka_.generation);
  }
  Result<void> read(std::size_t partition, LogPosition after, LogPosition through,
                    Each<LogRecord> each) override {
    if (const auto fine = reach("kafka read"); !fine) return fine;
    const auto& records = kafka_.partitions[partition];
    if (through > records.size()) return make_error(ErrorCode::unavailable, "the log ends before that");
    for (LogPosition at = after; at < through; ++at) {
      if (const auto taken = each({at + 1, records[at]}); !taken) return taken;
    }
    return {};
  }

 private:
  Result<void> reach(const char* what) {
    if (const auto fine = before_(what); !fine) return fine;
    if (!kafka_.available) return make_error(ErrorCode::unavailable, "the log does not answer");
    return {};
  }
  Kafka& kafka_;
  Before before_;
};

/// What a worker reads of one partition.
class KafkaSource final : public EventSource {
 public:
  KafkaSource(const Kafka& kafka, std::size_t partition) : kafka_(kafka), partition_(partition) {}
  Result<std::vector<LogRecord>> read(LogPosition after, std::size_t max) override {
    if (!kafka_.available) return make_error(ErrorCode::unavailable, "the log does not answer");
    const auto& records = kafka_.partitions[partition_];
    if (after > records.size()) return make_error(ErrorCode::corrupt, "the offset is out of range");
    std::vector<LogRecord> found;
    for (LogPosition at = after; at < records.size() && found.size() < max; ++at)
      found.push_back({at + 1, records[at]});
    return found;
  }
  Result<LogPosition> end() override {
    if (!kafka_.available) return make_error(ErrorCode::unavailable, "the log does not answer");
    return LogPosition{kafka_.partitions[partition_].size()};
  }
  void wait(LogPosition, Duration) override {}

 private:
  const Kafka& kafka_;
  std::size_t partition_;
};

}  // namespace doorbuster::model
