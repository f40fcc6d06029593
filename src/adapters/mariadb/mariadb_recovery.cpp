#include "adapters/mariadb/mariadb_recovery.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "adapters/mariadb/mariadb_store.hpp"
#include "adapters/mariadb/rows.hpp"
#include "proto/event/event_codec.hpp"

namespace doorbuster::mariadb {
namespace {

constexpr std::string_view kCouponColumnsOfC =
    "c.campaign_id, c.user_id, c.sequence, c.code, c.epoch, c.revision, c.refilled, c.decided_at";

}  // namespace

Result<Connection*> MariaDbRecoveryStore::connected() {
  if (!connection_ || !connection_->seems_alive()) {
    connection_.reset();
    auto made = Connection::open(server_);
    if (!made) return made.error();
    connection_ = std::move(*made);
  }
  return connection_.get();
}

Result<std::vector<CampaignDefinition>> MariaDbRecoveryStore::campaigns() {
  auto connection = connected();
  if (!connection) return connection.error();
  return list_definitions(**connection);
}

Result<CampaignDefinition> MariaDbRecoveryStore::raise_epoch(const CampaignId& campaign, std::uint32_t from) {
  auto connection = connected();
  if (!connection) return connection.error();
  Transaction transaction(**connection);
  if (auto begun = transaction.begin(); !begun) return begun.error();
  auto raised = (*connection)
                    ->run("UPDATE campaign SET epoch = epoch + 1 WHERE id = ? AND epoch = ?",
                          {campaign.text(), std::uint64_t{from}});
  if (!raised) return raised.error();
  std::optional<CampaignDefinition> now;
  auto read = (*connection)
                  ->rows(fmt::format("SELECT {} FROM campaign WHERE id = ?", kDefinitionColumns),
                         {campaign.text()}, [&](const Row& row) -> Result<void> {
                           auto definition = read_definition(campaign, row, 0);
                           if (!definition) return definition.error();
                           now = std::move(*definition);
                           return {};
                         });
  if (!read) return read.error();
  if (!now) {
    return make_error(ErrorCode::not_found,
                      fmt::format("the database has no campaign '{}'", campaign.text()));
  }
  if (*raised == 0) {
    return make_error(ErrorCode::conflict,
                      fmt::format("campaign '{}' is at epoch {}, not {}: another recovery is at work",
                                  campaign.text(), now->epoch, from));
  }
  if (auto committed = transaction.commit(); !committed) return committed.error();
  return *now;
}

Result<EpochFence> MariaDbRecoveryStore::fence(const CampaignId& campaign, std::uint32_t epoch,
                                               UniqueFunction<Result<std::vector<LogPosition>>()> ends) {
  auto connection = connected();
  if (!connection) return connection.error();
  Transaction transaction(**connection);
  if (auto begun = transaction.begin(); !begun) return begun.error();
  // Waits for the transactions of all workers, and lets none begin until this one ends.
  auto locked = (*connection)->run("UPDATE fence_lock SET generation = generation + 1 WHERE one = 1");
  if (!locked) return locked.error();
  auto there = list_fences(**connection, topic_);
  if (!there) return there.error();
  for (const auto& fence : (*there)[campaign]) {
    if (fence.epoch == epoch) return fence;
  }
  auto now = ends();
  if (!now) return now.error();
  for (std::size_t partition = 0; partition < now->size(); ++partition) {
    auto noted =
        (*connection)
            ->run(
                "INSERT INTO epoch_fence (topic, campaign_id, epoch, partition_no, end_position) "
                "VALUES (?, ?, ?, ?, ?)",
                {topic_, campaign.text(), std::uint64_t{epoch}, std::uint64_t{partition}, (*now)[partition]});
    if (!noted) return noted.error();
  }
  if (auto committed = transaction.commit(); !committed) return committed.error();
  return EpochFence{epoch, std::move(*now)};
}

Result<std::vector<EpochFence>> MariaDbRecoveryStore::fences(const CampaignId& campaign) {
  auto connection = connected();
  if (!connection) return connection.error();
  auto all = list_fences(**connection, topic_);
  if (!all) return all.error();
  return std::move((*all)[campaign]);
}

Result<void> MariaDbRecoveryStore::read_rows(const CampaignId& campaign, Each<CouponIssued> each) {
  auto connection = connected();
  if (!connection) return connection.error();
  static const auto select =
      fmt::format("SELECT {} FROM coupon_issued_user WHERE campaign_id = ?", kCouponColumns);
  auto read = (*connection)->stream(select, {campaign.text()}, [&](const Row& row) -> Result<void> {
    auto event = read_event(row);
    if (!event) return event.error();
    return each(std::move(*event));
  });
  // Rows that nobody took are still on their way: that connection is of no use any more.
  if (!read) connection_.reset();
  return read;
}

Result<void> MariaDbRecoveryStore::read_dead_letters(const CampaignId& campaign, Each<CouponIssued> each) {
  auto connection = connected();
  if (!connection) return connection.error();
  return (*connection)
      ->rows(
          "SELECT payload FROM dead_letter WHERE topic = ? AND campaign_id = ? ORDER BY partition_no, "
          "position",
          {topic_, campaign.text()}, [&](const Row& row) -> Result<void> {
            auto event = event::from_json(row.text(0));
            auto* coupon = event ? std::get_if<CouponIssued>(&*event) : nullptr;
            if (coupon == nullptr) return {};
            return each(std::move(*coupon));
          });
}

Result<std::vector<LogPosition>> MariaDbRecoveryStore::stored_through(std::size_t partitions) {
  auto connection = connected();
  if (!connection) return connection.error();
  return read_positions(**connection, topic_, partitions);
}

Result<void> MariaDbRecoveryStore::rewind_to_start() {
  auto connection = connected();
  if (!connection) return connection.error();
  Transaction transaction(**connection);
  if (auto begun = transaction.begin(); !begun) return begun;
  auto rewound = (*connection)->run("UPDATE worker_offset SET position = 0 WHERE topic = ?", {topic_});
  if (!rewound) return rewound.error();
  // A log that was made anew knows no definitions: the catalog tells it again.
  auto told = (*connection)->run("UPDATE campaign_revision SET published = 0");
  if (!told) return told.error();
  // Under the epochs that the recovery has just begun: what is stored under older ones needs no event.
  auto noted =
      (*connection)
          ->run(
              "INSERT INTO log_loss (topic, campaign_id, epoch, noted_at) SELECT ?, id, epoch, "
              "CAST(UNIX_TIMESTAMP(NOW(6)) * 1000000 AS SIGNED) FROM campaign ON DUPLICATE KEY UPDATE "
              "noted_at = VALUES(noted_at)",
              {topic_});
  if (!noted) return noted.error();
  return transaction.commit();
}

Result<std::vector<Event>> MariaDbRecoveryStore::told_by_rows_alone(const CampaignId& campaign) {
  auto connection = connected();
  if (!connection) return connection.error();
  std::vector<Event> events;
  // Strategy db-lock has one epoch for ever, and its times are the database's.
  auto rows =
      (*connection)
          ->rows(fmt::format("SELECT {} FROM coupon_issued_user AS c JOIN (SELECT MAX(epoch) AS epoch, "
                             "MAX(noted_at) AS noted_at FROM log_loss WHERE topic = ? AND campaign_id = ?) "
                             "AS lost ON c.epoch < lost.epoch OR (c.decided_at < lost.noted_at AND EXISTS "
                             "(SELECT 1 FROM stock WHERE stock.campaign_id = c.campaign_id)) "
                             "WHERE c.campaign_id = ?",
                             kCouponColumnsOfC),
                 {topic_, campaign.text(), campaign.text()}, [&](const Row& row) -> Result<void> {
                   auto event = read_event(row);
                   if (!event) return event.error();
                   events.emplace_back(std::move(*event));
                   return {};
                 });
  if (!rows) return rows.error();
  auto changes =
      (*connection)
          ->rows(fmt::format("SELECT {} FROM campaign_revision WHERE campaign_id = ? AND EXISTS (SELECT 1 "
                             "FROM log_loss WHERE topic = ? AND log_loss.campaign_id = ?)",
                             kDefinitionColumns),
                 {campaign.text(), topic_, campaign.text()}, [&](const Row& row) -> Result<void> {
                   auto definition = read_definition(campaign, row, 0);
                   if (!definition) return definition.error();
                   events.emplace_back(CampaignChanged{std::move(*definition)});
                   return {};
                 });
  if (!changes) return changes.error();
  return events;
}

Result<std::string> MariaDbRecoveryStore::log_identity() {
  auto connection = connected();
  if (!connection) return connection.error();
  std::string identity;
  auto read = (*connection)
                  ->rows("SELECT identity FROM log_identity WHERE topic = ?", {topic_},
                         [&](const Row& row) -> Result<void> {
                           identity = row.text(0);
                           return {};
                         });
  if (!read) return read.error();
  return identity;
}

Result<void> MariaDbRecoveryStore::note_log_identity(const std::string& identity) {
  auto connection = connected();
  if (!connection) return connection.error();
  auto noted = (*connection)
                   ->run(
                       "INSERT INTO log_identity (topic, identity) VALUES (?, ?) "
                       "ON DUPLICATE KEY UPDATE identity = VALUES(identity)",
                       {topic_, identity});
  if (!noted) return noted.error();
  return {};
}

Result<bool> MariaDbRecoveryStore::try_lock(const CampaignId& campaign) {
  if (!locks_ || !locks_->seems_alive()) {
    locks_.reset();
    auto made = Connection::open(server_);
    if (!made) return made.error();
    locks_ = std::move(*made);
  }
  auto taken = locks_->integer("SELECT GET_LOCK(SHA1(CONCAT('doorbuster.recovery.', DATABASE(), '.', ?)), 0)",
                               {campaign.text()});
  if (!taken) return taken.error();
  return taken->value_or(0) == 1;
}

void MariaDbRecoveryStore::unlock(const CampaignId& campaign) {
  if (!locks_) return;
  const auto released = locks_->integer(
      "SELECT RELEASE_LOCK(SHA1(CONCAT('doorbuster.recovery.', DATABASE(), '.', ?)))", {campaign.text()});
  if (!released) locks_.reset();
}

}  // namespace doorbuster::mariadb
