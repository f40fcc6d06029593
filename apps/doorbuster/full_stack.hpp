#pragma once
// The distributed parts behind the ports: Redis decides, Kafka remembers, MariaDB answers questions. Any
// number of api processes share them. The only place that names these adapters for the api; full_shard.hpp
// has what belongs to one shard.

#include <atomic>
#include <memory>
#include <mutex>
#include <string>

#include "adapters/kafka/kafka_event_log.hpp"
#include "adapters/kafka/kafka_log_reader.hpp"
#include "adapters/mariadb/mariadb_catalog.hpp"
#include "adapters/mariadb/mariadb_recovery.hpp"
#include "adapters/mariadb/mariadb_repository.hpp"
#include "adapters/redis/rebuildable_ledger.hpp"
#include "apps/doorbuster/api_stack.hpp"
#include "services/recovery/recovery_thread.hpp"

namespace doorbuster {

class FullStack final : public ApiStack {
 public:
  /// Reaches all three, makes and checks tables and topics, and looks whether the log still has what the
  /// database stored of it. \returns one line for people that names the key of the configuration
  static Result<std::unique_ptr<FullStack>> open(const config::Settings& settings);
  ~FullStack() override;

  std::unique_ptr<StackShard> attach(rt::Shard& shard) override;
  EventLog& log() override { return *log_; }
  CampaignCatalog& catalog() override { return *catalog_; }
  CouponRepository& repository() override { return *repository_; }
  rt::Offload& lookups() override { return *lookups_; }
  api::CampaignOptions campaign_options() const override;
  void adjust(api::IssueOptions& options) const override;
  std::string durability_text(Durability durability) const override;
  Result<bool> worker_caught_up() override;
  /// What is pending waits in Redis, and any instance makes it safe.
  bool settles() const override { return false; }
  void write_metrics(obs::MetricsWriter& out) override;
  void watch() override;
  std::string summary() const override;
  void stop() override;

  // For the shards.
  const redis::Options& redis_options() const { return redis_; }
  mariadb::Pool& writers() { return *writers_; }
  rt::Offload& database_threads() { return *database_threads_; }
  Clock& boot_clock() { return boot_clock_; }
  std::uint64_t filter_key() const { return filter_key_; }
  std::size_t latch_bytes() const { return latch_bytes_; }
  /// Of the strategies with a lock: one for the campaign, and not one for each user.
  bool lock_campaign() const { return lock_campaign_; }
  /// A campaign was found closed. Any thread.
  void needs_recovery(const CampaignId& campaign);

 private:
  FullStack() = default;
  Result<bool> compare_log_with_rows();
  Result<void> look_at_log();
  Result<void> open_parts(const config::Settings& settings);

  BootClock boot_clock_;
  SystemClock wall_clock_;
  std::string places_;
  redis::Options redis_;
  std::string topic_;
  int replication_ = 1;
  std::uint64_t filter_key_ = 0;
  std::size_t latch_bytes_ = 0;
  bool lock_campaign_ = false;
  std::unique_ptr<kafka::KafkaEventLog> log_;
  std::unique_ptr<kafka::KafkaLogReader> reader_;
  std::unique_ptr<mariadb::Pool> writers_;
  std::unique_ptr<rt::Offload> database_threads_;
  std::unique_ptr<mariadb::MariaDbCatalog> catalog_;
  std::unique_ptr<mariadb::MariaDbRepository> repository_;
  std::unique_ptr<rt::Offload> lookups_;
  std::unique_ptr<RedisRebuildableLedger> rebuildable_;
  std::unique_ptr<mariadb::MariaDbRecoveryStore> recovery_store_;
  std::unique_ptr<recovery::RecoveryThread> recovery_;
  bool auto_recover_ = true;

  // worker_caught_up(): those who ask while somebody looks share the next look.
  std::atomic<std::uint64_t> askers_{0};
  std::mutex look_mutex_;
  std::uint64_t looked_for_ = 0;  // askers up to this one are answered by last_look_
  Result<bool> last_look_ = false;
  bool publishing_failed_ = false;  // of the main thread
};

}  // namespace doorbuster
