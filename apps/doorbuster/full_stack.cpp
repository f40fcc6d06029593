#include "apps/doorbuster/full_stack.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <thread>

#include "adapters/mariadb/schema.hpp"
#include "apps/doorbuster/full_shard.hpp"
#include "apps/doorbuster/stack_settings.hpp"
#include "base/log.hpp"
#include "core/issuing/sold_out_latch.hpp"
#include "services/issuing/strategy_ledger.hpp"

namespace doorbuster {
namespace {

constexpr std::size_t kMostLookupsWaiting = 4096;
constexpr std::size_t kMostChangesWaiting = 1024;
constexpr std::size_t kDatabaseThreads = 4;
constexpr Duration kLookPatience = std::chrono::seconds(60);
constexpr auto kLookAgainAfter = std::chrono::milliseconds(500);
/// A round over Redis and Kafka takes about as long when they are busy; when they hang, it does not matter.
constexpr auto kLongestGathering = std::chrono::milliseconds(5);

}  // namespace

Result<std::unique_ptr<FullStack>> FullStack::open(const config::Settings& settings) {
  std::unique_ptr<FullStack> stack(new FullStack());
  if (const auto opened = stack->open_parts(settings); !opened) return opened.error();
  return stack;
}

FullStack::~FullStack() {
  stop();
}

Result<void> FullStack::open_parts(const config::Settings& settings) {
  const auto lock_campaign = locks_campaign(settings);
  if (!lock_campaign) return lock_campaign.error();
  lock_campaign_ = *lock_campaign;
  auto database = database_options(settings);
  if (!database) return database.error();
  auto redis = doorbuster::redis_options(settings);
  if (!redis) return redis.error();
  redis_ = std::move(*redis);
  auto kafka = kafka::kafka_options(settings);
  kafka.most_queued_events = static_cast<std::size_t>(settings.integer("api.log_queue"));
  topic_ = kafka.topic;
  replication_ = kafka.replication;
  auto_recover_ = settings.boolean("api.auto_recover");
  latch_bytes_ = static_cast<std::size_t>(settings.integer("api.latch_bytes"));
  places_ = fmt::format("Redis {}:{}, Kafka {}, MariaDB {}:{}/{}", redis_.host, redis_.port, kafka.brokers,
                        database->host, database->port, database->name);
  std::array<std::uint8_t, sizeof filter_key_> bytes{};
  SystemRandom().fill(bytes);
  std::memcpy(&filter_key_, bytes.data(), sizeof filter_key_);

  if (const auto prepared = mariadb::prepare_database(*database); !prepared) return prepared;
  if (const auto probed = redis::BlockingConnection::open(redis_); !probed) return probed.error();
  auto log = kafka::KafkaEventLog::open(kafka);
  if (!log) return log.error();
  log_ = std::move(*log);
  auto reader = kafka::KafkaLogReader::open(kafka);
  if (!reader) return reader.error();
  reader_ = std::move(*reader);

  writers_ = std::make_unique<mariadb::Pool>(
      mariadb::PoolOptions{.server = *database, .most_connections = kDatabaseThreads});
  database_threads_ = std::make_unique<rt::Offload>("sql", kDatabaseThreads, kMostChangesWaiting);
  catalog_ = std::make_unique<mariadb::MariaDbCatalog>(*writers_, *log_, *database_threads_);
  const auto threads = static_cast<std::size_t>(settings.integer("api.lookup_threads"));
  mariadb::RepositoryOptions options;
  options.server = *database;
  options.topic = topic_;
  options.readers = options.redeemers = threads;
  repository_ = std::make_unique<mariadb::MariaDbRepository>(options);
  lookups_ = std::make_unique<rt::Offload>("db", threads, kMostLookupsWaiting);

  rebuildable_ = std::make_unique<RedisRebuildableLedger>(redis_);
  recovery_store_ = std::make_unique<mariadb::MariaDbRecoveryStore>(*database, topic_);
  recovery::SupervisorOptions how;
  how.wall_clock = &wall_clock_;
  recovery_ = std::make_unique<recovery::RecoveryThread>(
      recovery::Parts{*recovery_store_, *reader_, *rebuildable_}, boot_clock_, how);
  // Before anything is decided: a log that has lost its data concerns every campaign.
  if (auto_recover_) {
    if (const auto looked = look_at_log(); !looked) return looked;
    recovery_->start();
    return {};
  }
  const auto lost =
      recovery::Recovery({*recovery_store_, *reader_, *rebuildable_}, boot_clock_).log_has_lost_data();
  if (!lost) return lost.error();
  if (!*lost) return {};
  return make_error(ErrorCode::corrupt, "kafka.topic: '" + topic_ +
                                            "' has lost data that the database had stored of it; "
                                            "api.auto_recover is off: run doorbuster recover --all");
}

Result<void> FullStack::look_at_log() {
  // Another process may be at the same recovery: it is waited for.
  const auto until = boot_clock_.now() + kLookPatience;
  for (;;) {
    auto looked = recovery_->look_at_log();
    if (looked || looked.error().code != ErrorCode::conflict || boot_clock_.now() > until) return looked;
    std::this_thread::sleep_for(kLookAgainAfter);
  }
}

std::unique_ptr<StackShard> FullStack::attach(rt::Shard& shard) {
  return std::make_unique<FullShard>(*this, shard);
}

api::CampaignOptions FullStack::campaign_options() const {
  api::CampaignOptions options;
  options.strategies = offered_strategies();
  options.durabilities = {Durability::log, Durability::ledger};
  options.stack = "full";
  options.limit_settles = SoldOutLatch::kTrust;
  options.creation_settles = 2 * issuing::StrategyLedger::kUnknownLasts;
  return options;
}

std::string FullStack::durability_text(Durability durability) const {
  if (durability == Durability::log && replication_ < 2) return "log(rf=1)";
  return std::string(to_text(durability));
}

void FullStack::adjust(api::IssueOptions& options) const {
  // An event that is on its way to a busy Kafka is not overdue: appended again, it would only add to the
  // crowd. Yet with a log that is quick, those of an instance that died are safe within the patience of who
  // asks another one.
  options.relay_after = std::max<Duration>(options.relay_after, options.patience * 2 / 5);
  options.longest_gathering = kLongestGathering;
}

Result<bool> FullStack::worker_caught_up() {
  const std::uint64_t mine = ++askers_;
  const std::lock_guard lock(look_mutex_);
  if (looked_for_ >= mine) return last_look_;  // a look that began after this call
  looked_for_ = askers_;
  last_look_ = compare_log_with_rows();
  return last_look_;
}

Result<bool> FullStack::compare_log_with_rows() {
  const auto ends = reader_->ends();
  if (!ends) return ends.error();
  const auto stored = repository_->stored_through(ends->size());
  if (!stored) return stored.error();
  for (std::size_t partition = 0; partition < ends->size(); ++partition) {
    if ((*stored)[partition] < (*ends)[partition]) return false;
  }
  const auto refused = repository_->any_refused();
  if (!refused) return refused.error();
  return !*refused;
}

void FullStack::needs_recovery(const CampaignId& campaign) {
  if (auto_recover_) recovery_->notice(campaign);
}

void FullStack::write_metrics(obs::MetricsWriter& out) {
  const auto log = log_->stats();
  out.gauge("doorbuster_log_accepting", "1: the event log takes events", log.accepting ? 1 : 0);
  out.gauge("doorbuster_log_queued_events", "Events waiting for their acknowledgement",
            static_cast<double>(log.queued_events));
  out.gauge("doorbuster_log_oldest_seconds", "How long the oldest of these waits",
            std::chrono::duration<double>(log.oldest).count());
  out.counter("doorbuster_log_events_total", "Events acknowledged", log.events);
  out.counter("doorbuster_log_failures_total", "Appends that failed", log.failures);
  const auto recovery = recovery_->stats();
  out.counter("doorbuster_recoveries_total", "Campaigns recovered by this process", recovery.recovered);
  out.counter("doorbuster_recovery_failures_total", "Attempts to recover that were given up",
              recovery.failures);
  out.counter("doorbuster_log_losses_total", "How often the event log was found to have lost its data",
              recovery.log_losses);
  out.gauge("doorbuster_recovery_waiting", "Campaigns known to be closed",
            static_cast<double>(recovery.waiting));
  out.gauge("doorbuster_database_reachable", "1: the last attempt to connect went well",
            writers_->reachable() ? 1 : 0);
  out.gauge("doorbuster_lookups_waiting", "Look-ups waiting for a thread",
            static_cast<double>(lookups_->waiting()));
}

void FullStack::watch() {
  const auto published = catalog_->publish_pending();
  if (!published && !publishing_failed_) {
    doorbuster::log().warn("changes of campaigns wait for the event log: {}", published.error().detail);
  }
  publishing_failed_ = !published;
}

std::string FullStack::summary() const {
  return places_;
}

void FullStack::stop() {
  if (log_) log_->stop();
  if (recovery_) recovery_->stop();
  // Not destroyed: requests that are still in the air refer to them.
  if (lookups_) lookups_->stop();
  if (database_threads_) database_threads_->stop();
}

}  // namespace doorbuster
