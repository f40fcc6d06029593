#include "adapters/mariadb/mariadb_store.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "adapters/mariadb/coupon_batch.hpp"
#include "adapters/mariadb/rows.hpp"
#include "proto/event/event_codec.hpp"

namespace doorbuster::mariadb {
namespace {

/// The stored watermark only spares a new reader some counting: it is moved once for so many rows.
constexpr std::uint64_t kRowsPerWatermark = 10'000;
constexpr std::size_t kLongestReason = 1000;

}  // namespace

Result<std::map<CampaignId, std::vector<EpochFence>>> list_fences(Connection& connection,
                                                                  const std::string& topic) {
  std::map<CampaignId, std::vector<EpochFence>> all;
  auto read = connection.rows(
      "SELECT campaign_id, epoch, partition_no, end_position FROM epoch_fence WHERE topic = ? "
      "ORDER BY campaign_id, epoch, partition_no",
      {topic}, [&](const Row& row) -> Result<void> {
        auto campaign = campaign_of(row.text(0));
        if (!campaign) return campaign.error();
        auto& fences = all[*campaign];
        const auto epoch = static_cast<std::uint32_t>(row.number(1));
        if (fences.empty() || fences.back().epoch != epoch) fences.push_back({epoch, {}});
        auto& ends = fences.back().ends;
        ends.resize(std::max<std::size_t>(ends.size(), row.number(2) + 1));
        ends[row.number(2)] = row.number(3);
        return {};
      });
  if (!read) return read.error();
  return all;
}

MariaDbCouponStore::MariaDbCouponStore(ServerOptions server, StoreOptions options)
    : server_(std::move(server)), options_(std::move(options)) {}

MariaDbCouponStore::~MariaDbCouponStore() = default;

Result<Connection*> MariaDbCouponStore::connected() {
  if (!connection_ || !connection_->seems_alive()) {
    connection_.reset();
    auto made = Connection::open(server_);
    if (!made) return made.error();
    connection_ = std::move(*made);
  }
  return connection_.get();
}

/// After a failure nothing is known any more: position and fences are read again.
template <class T>
Result<T> MariaDbCouponStore::ended(Result<T> result) {
  if (!result) {
    position_.reset();
    generation_.reset();
    if (connection_ && connection_->lost()) connection_.reset();
  }
  return result;
}

Result<LogPosition> MariaDbCouponStore::stored_through() {
  auto connection = connected();
  if (!connection) return ended<LogPosition>(connection.error());
  auto position = (*connection)
                      ->integer("SELECT position FROM worker_offset WHERE topic = ? AND partition_no = ?",
                                {options_.topic, std::uint64_t{options_.partition}});
  if (!position) return ended<LogPosition>(position.error());
  position_ = static_cast<LogPosition>(position->value_or(0));
  return *position_;
}

Result<void> MariaDbCouponStore::store(const std::vector<LogRecord>& records) {
  if (records.empty()) return {};
  auto connection = connected();
  if (!connection) return ended<void>(connection.error());
  Batch batch;
  auto stored = ended(store_in(**connection, records, batch));
  if (!stored) return stored;
  rows_ += batch.rows;
  repeated_ += batch.repeated;
  voided_ += batch.voided;
  dead_letters_ += batch.letters.size();
  note_watermarks(**connection, batch);
  return {};
}

/// Locks the partition's row: the end of a recovery waits for this transaction, and so does another worker.
Result<LogPosition> MariaDbCouponStore::lock_position(Connection& connection) {
  const std::initializer_list<Value> key{options_.topic, std::uint64_t{options_.partition}};
  std::optional<std::int64_t> position;
  for (int attempt = 0; attempt < 2 && !position; ++attempt) {
    auto found = connection.integer(
        "SELECT position FROM worker_offset WHERE topic = ? AND partition_no = ? FOR UPDATE", key);
    if (!found) return found.error();
    position = *found;
    if (position || attempt > 0) break;
    auto made =
        connection.run("INSERT INTO worker_offset (topic, partition_no, position) VALUES (?, ?, 0)", key);
    if (!made && made.error().code != ErrorCode::conflict) return made.error();
  }
  const auto there = static_cast<LogPosition>(position.value_or(0));
  if (position_ && *position_ != there) {
    return make_error(ErrorCode::conflict,
                      fmt::format("another worker has stored partition {} of {} up to {}, not {}",
                                  options_.partition, options_.topic, there, *position_));
  }
  return there;
}

Result<void> MariaDbCouponStore::read_fences(Connection& connection) {
  auto generation = connection.integer(
      "SELECT CAST(generation AS SIGNED) FROM fence_lock WHERE one = 1 LOCK IN SHARE MODE");
  if (!generation) return generation.error();
  if (!*generation) return make_error(ErrorCode::corrupt, "the row of table fence_lock is missing");
  const auto now = static_cast<std::uint64_t>(**generation);
  if (generation_ == now) return {};
  auto fences = list_fences(connection, options_.topic);
  if (!fences) return fences.error();
  fences_ = std::move(*fences);
  generation_ = now;
  return {};
}

Result<void> MariaDbCouponStore::store_in(Connection& connection, const std::vector<LogRecord>& records,
                                          Batch& batch) {
  Transaction transaction(connection);
  if (auto begun = transaction.begin(); !begun) return begun;
  if (auto read = read_fences(connection); !read) return read;
  auto before = lock_position(connection);
  if (!before) return before.error();

  std::vector<Batch::Item> items;
  items.reserve(records.size());
  for (const auto& record : records) {
    if (record.position <= *before) continue;
    if (const auto* unreadable = std::get_if<Unreadable>(&record.event)) {
      batch.letters.push_back(
          {record.position, nullptr, "poison: " + unreadable->reason, unreadable->payload, false});
    } else if (const auto* event = std::get_if<CouponIssued>(&record.event)) {
      const auto fences = fences_.find(event->campaign);
      if (fences != fences_.end() &&
          is_void(fences->second, event->epoch, options_.partition, record.position)) {
        ++batch.voided;
      } else {
        items.push_back({event, record.position});
      }
    }
  }
  if (auto inserted = batch.insert(connection, items); !inserted) return inserted;
  if (auto enough = tried_long_enough(batch); !enough) return enough;

  for (auto& letter : batch.letters) {
    if (letter.event != nullptr) letter.payload = event::to_json(*letter.event);
    auto kept = connection.run(
        "INSERT INTO dead_letter (topic, partition_no, position, campaign_id, reason, payload) "
        "VALUES (?, ?, ?, ?, ?, ?) ON DUPLICATE KEY UPDATE reason = VALUES(reason)",
        {options_.topic, std::uint64_t{options_.partition}, letter.position,
         letter.event == nullptr ? Value(nullptr) : Value(letter.event->campaign.text()),
         std::string_view(letter.reason).substr(0, kLongestReason), letter.payload});
    if (!kept) return kept.error();
  }
  if (!batch.letters.empty() && options_.on_dead_letters) {
    std::vector<DeadLetter> told;
    for (const auto& letter : batch.letters) told.push_back({letter.position, letter.reason, letter.payload});
    if (auto taken = options_.on_dead_letters(told); !taken) return taken;
  }

  const auto through = std::max(*before, records.back().position);
  auto moved = connection.run(
      "UPDATE worker_offset SET position = ? WHERE topic = ? AND partition_no = ? AND position = ?",
      {through, options_.topic, std::uint64_t{options_.partition}, *before});
  if (!moved) return moved.error();
  if (*moved != 1) return make_error(ErrorCode::conflict, "the position has moved under a lock of ours");
  if (auto committed = transaction.commit(); !committed) return committed;
  position_ = through;
  refused_since_.erase(refused_since_.begin(), refused_since_.upper_bound(through));
  return {};
}

/// \returns unavailable: something was refused, and is to be tried again before it is put aside
Result<void> MariaDbCouponStore::tried_long_enough(const Batch& batch) {
  const auto now = std::chrono::steady_clock::now();
  Result<void> enough;
  for (const auto& letter : batch.letters) {
    if (!letter.refused) continue;
    const auto since = refused_since_.try_emplace(letter.position, now).first->second;
    if (now - since >= options_.refused_for || !enough) continue;
    enough = make_error(
        ErrorCode::unavailable,
        fmt::format("record {} of partition {} of {} is refused, and put aside when that lasts for {} s: {}",
                    letter.position, options_.partition, options_.topic,
                    std::chrono::duration_cast<std::chrono::seconds>(options_.refused_for).count(),
                    letter.reason));
  }
  return enough;
}

void MariaDbCouponStore::note_watermarks(Connection& connection, const Batch& batch) {
  for (const auto& [campaign, rows] : batch.rows_by_campaign) {
    auto& since = since_watermark_[campaign];
    since += rows;
    if (since < kRowsPerWatermark) continue;
    const auto asked = since;
    since = 0;
    auto mark = connection.integer(
        "SELECT CAST(watermark AS SIGNED) FROM coupon_watermark WHERE campaign_id = ?", {campaign.text()});
    if (!mark) return;
    const auto from = static_cast<std::uint64_t>(mark->value_or(0));
    auto through = contiguous_through(connection, campaign, from, from + 2 * asked);
    if (!through || *through == from) continue;
    // When it fails it is for the next time to succeed: readers count on from whatever is there.
    (void)connection.run(
        "INSERT INTO coupon_watermark (campaign_id, watermark) VALUES (?, ?) ON DUPLICATE KEY UPDATE "
        "watermark = GREATEST(watermark, VALUES(watermark))",
        {campaign.text(), *through});
  }
}

Result<std::size_t> MariaDbCouponStore::replay_dead_letters() {
  auto connected_to = connected();
  if (!connected_to) return ended<std::size_t>(connected_to.error());
  auto& connection = **connected_to;
  const auto replay = [&]() -> Result<std::size_t> {
    Transaction transaction(connection);
    if (auto begun = transaction.begin(); !begun) return begun.error();
    if (auto read = read_fences(connection); !read) return read.error();
    std::vector<std::pair<LogPosition, CouponIssued>> letters;
    auto read = connection.rows(
        "SELECT position, payload FROM dead_letter WHERE topic = ? AND partition_no = ? ORDER BY position "
        "FOR "
        "UPDATE",
        {options_.topic, std::uint64_t{options_.partition}}, [&](const Row& row) -> Result<void> {
          auto event = event::from_json(row.text(1));
          if (const auto* coupon = event ? std::get_if<CouponIssued>(&*event) : nullptr) {
            letters.emplace_back(row.number(0), *coupon);
          }
          return {};
        });
    if (!read) return read.error();
    std::size_t left = 0;
    Batch batch;
    for (const auto& [position, event] : letters) {
      const auto fences = fences_.find(event.campaign);
      if (fences == fences_.end() || !is_void(fences->second, event.epoch, options_.partition, position)) {
        const Batch::Item item{&event, position};
        batch.letters.clear();
        if (auto inserted = batch.insert(connection, {&item, 1}); !inserted) return inserted.error();
        if (!batch.letters.empty()) continue;
      }
      auto gone =
          connection.run("DELETE FROM dead_letter WHERE topic = ? AND partition_no = ? AND position = ?",
                         {options_.topic, std::uint64_t{options_.partition}, position});
      if (!gone) return gone.error();
      ++left;
    }
    if (auto committed = transaction.commit(); !committed) return committed.error();
    rows_ += batch.rows;
    return left;
  };
  return ended(replay());
}

StoreStats MariaDbCouponStore::stats() const {
  return {rows_.load(), repeated_.load(), voided_.load(), dead_letters_.load()};
}

}  // namespace doorbuster::mariadb
