#include "adapters/sqlite/repository_parts.hpp"

#include <fmt/format.h>

#include "adapters/sqlite/columns.hpp"
#include "adapters/sqlite/data_directory.hpp"
#include "proto/event/event_codec.hpp"

namespace doorbuster::sqlite {
namespace {

// Coupons lie in the order of their numbers, so that filling the table appends and a list reads neighbours;
// only the two indexes are filled at random places.
constexpr const char* kSchema = R"(
CREATE TABLE campaign(number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, watermark INTEGER NOT NULL);
CREATE TABLE coupon(
  campaign INTEGER NOT NULL REFERENCES campaign(number),
  sequence INTEGER NOT NULL,
  user_id NOT NULL,
  code BLOB NOT NULL,
  epoch INTEGER NOT NULL,
  revision INTEGER NOT NULL,
  decided_at INTEGER NOT NULL,
  refilled INTEGER NOT NULL,
  PRIMARY KEY(campaign, sequence)) WITHOUT ROWID;
CREATE UNIQUE INDEX coupon_code ON coupon(code);
CREATE UNIQUE INDEX coupon_user ON coupon(campaign, user_id);
CREATE TABLE redemption(
  code BLOB PRIMARY KEY,
  idempotency_key TEXT NOT NULL,
  redeemed_at INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE dead_letter(position INTEGER PRIMARY KEY, reason TEXT NOT NULL, event TEXT NOT NULL);
CREATE TABLE progress(one INTEGER PRIMARY KEY CHECK(one = 1), position INTEGER NOT NULL);
INSERT INTO progress VALUES(1, 0);
)";

constexpr std::string_view kCouponSelect =
    "SELECT campaign.id, coupon.user_id, coupon.sequence, coupon.code, coupon.decided_at, coupon.refilled, "
    "redemption.redeemed_at, coupon.epoch, coupon.revision FROM coupon JOIN campaign ON campaign.number = "
    "coupon.campaign "
    "LEFT JOIN redemption ON redemption.code = coupon.code ";

Result<void> prepare_all(Database& database, std::initializer_list<std::pair<Statement*, std::string>> list) {
  for (const auto& [statement, sql] : list) {
    auto prepared = database.prepare(sql);
    if (!prepared) return prepared.error();
    *statement = std::move(*prepared);
  }
  return {};
}

Result<Database> open_file(const std::string& path, const std::string& vfs, OpenMode mode) {
  auto database = Database::open(path, mode, vfs);
  if (!database) return database.error();
  for (const char* pragma :
       {"PRAGMA journal_mode=WAL", "PRAGMA synchronous=FULL", "PRAGMA secure_delete=OFF"}) {
    if (auto set = database->execute(pragma); !set) return set.error();
  }
  if (auto known = check_format(*database, kRepositoryFormats, "a coupon repository"); !known)
    return known.error();
  return database;
}

std::int64_t micros(Timestamp time) {
  return time.time_since_epoch().count();
}

}  // namespace

Result<void> SqliteRepository::Store::open(const std::string& path, const std::string& vfs) {
  auto opened = open_file(path, vfs, OpenMode::create);
  if (!opened) return opened.error();
  database = std::move(*opened);
  // Two indexes are filled at random places, so nearly every row touches two pages of its own. A cache of 96
  // MB holds their pages, and a checkpoint at 128 MB of write-ahead log copies each page once for many
  // batches: at 400 000 rows that halves the CPU of a row. The worker checkpoints inside its commits; nobody
  // waits for those.
  if (auto set = database.execute("PRAGMA wal_autocheckpoint=32000; PRAGMA cache_size=-98304"); !set)
    return set;
  auto version = database.query_integer("PRAGMA user_version");
  if (!version) return version.error();
  if (*version == 0) {
    auto tables = database.query_integer("SELECT count(*) FROM sqlite_schema");
    if (!tables) return tables.error();
    if (*tables != 0) {
      return make_error(ErrorCode::corrupt,
                        fmt::format("{}: an SQLite file, but not a repository of ours", path));
    }
    Transaction transaction(database);
    if (auto begun = transaction.begin(); !begun) return begun;
    if (auto made = database.execute(kSchema); !made) return made;
    if (auto set = database.execute(fmt::format("PRAGMA user_version={}", kRepositoryFormats.newest)); !set)
      return set;
    if (auto committed = transaction.commit(); !committed) return committed;
  }
  return prepare_all(
      database,
      {{&find_campaign, "SELECT number, watermark FROM campaign WHERE id = ?"},
       {&insert_campaign, "INSERT INTO campaign(id, watermark) VALUES(?, 0) RETURNING number"},
       {&set_watermark, "UPDATE campaign SET watermark = ? WHERE number = ?"},
       {&from_watermark, "SELECT sequence FROM coupon WHERE campaign = ? AND sequence > ? ORDER BY sequence"},
       {&insert_coupon, "INSERT OR FAIL INTO coupon VALUES(?,?,?,?,?,?,?,?)"},
       {&by_sequence,
        "SELECT user_id, code, epoch, decided_at, refilled FROM coupon WHERE campaign=? AND sequence=?"},
       {&by_user, "SELECT sequence FROM coupon WHERE campaign = ? AND user_id = ?"},
       {&by_code,
        "SELECT campaign.id, sequence FROM coupon JOIN campaign ON number = campaign WHERE code = ?"},
       {&insert_dead_letter, "INSERT OR REPLACE INTO dead_letter VALUES(?,?,?)"},
       {&set_position, "UPDATE progress SET position = max(position, ?)"},
       {&get_position, "SELECT position FROM progress"}});
}

Result<SqliteRepository::Store::Campaign*> SqliteRepository::Store::campaign(const CampaignId& id) {
  if (const auto known = campaigns.find(id); known != campaigns.end()) return &known->second;
  Campaign found;
  find_campaign.bind_text(1, id.text());
  auto row = find_campaign.step();
  if (!row) return row.error();
  if (*row) {
    found.number = find_campaign.integer(0);
    found.watermark = static_cast<std::uint64_t>(find_campaign.integer(1));
  } else {
    insert_campaign.bind_text(1, id.text());
    auto made = insert_campaign.step();
    if (!made) {
      find_campaign.reset();
      return made.error();
    }
    found.number = insert_campaign.integer(0);
    insert_campaign.reset();
  }
  find_campaign.reset();
  return &campaigns.emplace(id, found).first->second;
}

Result<std::string> SqliteRepository::Store::add(const CouponIssued& event) {
  auto at = campaign(event.campaign);
  if (!at) return at.error();
  auto& state = **at;
  const auto& coupon = event.coupon;
  insert_coupon.bind(1, state.number);
  insert_coupon.bind(2, static_cast<std::int64_t>(coupon.sequence));
  bind_user(insert_coupon, 3, coupon.user);
  insert_coupon.bind_blob(4, coupon.code.bytes());
  insert_coupon.bind(5, event.epoch);
  insert_coupon.bind(6, event.revision);
  insert_coupon.bind(7, micros(coupon.decided_at));
  insert_coupon.bind(8, event.refilled ? 1 : 0);
  if (auto inserted = insert_coupon.run(); !inserted) {
    if (inserted.error().code != ErrorCode::conflict) return inserted.error();
    return compare(event, state.number);
  }
  ++added;
  if (coupon.sequence == state.watermark + 1) {
    ++state.watermark;
    state.moved = true;
  } else {
    state.largest = std::max(state.largest, coupon.sequence);
  }
  return std::string();
}

Result<std::string> SqliteRepository::Store::compare(const CouponIssued& event, std::int64_t number) {
  const auto& coupon = event.coupon;
  std::string reason;
  // By number first: an equal row there is the same event once more. Revision and instance say under what it
  // was decided, not what was decided, and are not compared.
  by_sequence.bind(1, number);
  by_sequence.bind(2, static_cast<std::int64_t>(coupon.sequence));
  auto row = by_sequence.step();
  if (!row) return row.error();
  if (*row) {
    auto user = read_user(by_sequence, 0);
    auto code = read_code(by_sequence, 1);
    const bool equal = user && code && *user == coupon.user && *code == coupon.code &&
                       by_sequence.integer(2) == event.epoch &&
                       by_sequence.integer(3) == micros(coupon.decided_at) &&
                       (by_sequence.integer(4) != 0) == event.refilled;
    by_sequence.reset();
    if (equal) return std::string();
    return fmt::format("conflict: number {} of campaign {} is stored with other values", coupon.sequence,
                       event.campaign.text());
  }
  by_sequence.reset();
  bind_user(by_user, 2, coupon.user);
  by_user.bind(1, number);
  row = by_user.step();
  if (!row) return row.error();
  if (*row) {
    reason = fmt::format("conflict: user {} holds number {} of campaign {}", coupon.user.text(),
                         by_user.integer(0), event.campaign.text());
  }
  by_user.reset();
  if (!reason.empty()) return reason;
  by_code.bind_blob(1, coupon.code.bytes());
  row = by_code.step();
  if (!row) return row.error();
  reason = *row ? fmt::format("conflict: code {} belongs to number {} of campaign {}", coupon.code.text(),
                              by_code.integer(1), by_code.text(0))
                : "conflict: refused by a constraint";
  by_code.reset();
  return reason;
}

Result<void> SqliteRepository::Store::move_watermarks() {
  for (auto& [id, state] : campaigns) {
    // Where the mark moved, numbers stored earlier may follow on it.
    if (state.moved || state.largest > state.watermark) {
      from_watermark.bind(1, state.number);
      from_watermark.bind(2, static_cast<std::int64_t>(state.watermark));
      for (;;) {
        auto row = from_watermark.step();
        if (!row) return row.error();
        if (!*row || static_cast<std::uint64_t>(from_watermark.integer(0)) != state.watermark + 1) break;
        ++state.watermark;
        state.moved = true;
      }
      from_watermark.reset();
    }
    if (state.moved) {
      set_watermark.bind(1, static_cast<std::int64_t>(state.watermark));
      set_watermark.bind(2, state.number);
      if (auto set = set_watermark.run(); !set) return set;
    }
    state.moved = false;
    state.largest = 0;
  }
  return {};
}

Result<void> SqliteRepository::Store::advance(LogPosition position) {
  if (auto moved = move_watermarks(); !moved) return moved;
  set_position.bind(1, static_cast<std::int64_t>(position));
  return set_position.run();
}

Result<void> SqliteRepository::Store::store(const std::vector<LogRecord>& records) {
  added = 0;
  refused = 0;
  Transaction transaction(database);
  if (auto begun = transaction.begin(); !begun) return begun;
  for (const auto& record : records) {
    const auto* event = std::get_if<CouponIssued>(&record.event);
    DOORBUSTER_ASSERT(!std::holds_alternative<Unreadable>(record.event));  // this log ends at such a row
    if (event == nullptr) continue;                                        // definitions are the catalog's
    auto reason = add(*event);
    if (!reason) return reason.error();
    if (reason->empty()) continue;
    ++refused;
    const auto json = event::to_json(record.event);
    insert_dead_letter.bind(1, static_cast<std::int64_t>(record.position));
    insert_dead_letter.bind_text(2, *reason);
    insert_dead_letter.bind_text(3, json);
    if (auto inserted = insert_dead_letter.run(); !inserted) return inserted;
  }
  if (auto advanced = advance(records.back().position); !advanced) return advanced;
  return transaction.commit();
}

Result<void> SqliteRepository::Reader::open(const std::string& path, const std::string& vfs) {
  auto opened = open_file(path, vfs, OpenMode::read_write);
  if (!opened) return opened.error();
  database = std::move(*opened);
  const std::string select(kCouponSelect);
  return prepare_all(
      database,
      {{&by_code, select + "WHERE coupon.code = ?"},
       {&by_user,
        select + "WHERE coupon.campaign = (SELECT number FROM campaign WHERE id = ?) AND coupon.user_id = ?"},
       {&page, select + "WHERE coupon.campaign = (SELECT number FROM campaign WHERE id = ?1) AND "
                        "coupon.sequence > ?2 AND "
                        "coupon.sequence <= (SELECT watermark FROM campaign WHERE id = ?1) ORDER BY "
                        "coupon.sequence LIMIT "
                        "?3"},
       {&position, "SELECT position FROM progress"},
       {&watermark, "SELECT watermark FROM campaign WHERE id = ?"},
       {&letters, "SELECT position, reason, event FROM dead_letter ORDER BY position LIMIT ?"}});
}

Result<void> SqliteRepository::Redeemer::open(const std::string& path, const std::string& vfs) {
  auto opened = open_file(path, vfs, OpenMode::read_write);
  if (!opened) return opened.error();
  database = std::move(*opened);
  // The worker's commits checkpoint; this bound is for a worker that has nothing to do.
  if (auto set = database.execute("PRAGMA wal_autocheckpoint=64000"); !set) return set;
  return prepare_all(database, {{&coupon, "SELECT 1 FROM coupon WHERE code = ?"},
                                {&get, "SELECT idempotency_key, redeemed_at FROM redemption WHERE code = ?"},
                                {&insert, "INSERT INTO redemption VALUES(?,?,?)"}});
}

}  // namespace doorbuster::sqlite
