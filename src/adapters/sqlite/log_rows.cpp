#include "adapters/sqlite/log_rows.hpp"

#include <fmt/format.h>

#include "adapters/sqlite/chain.hpp"
#include "adapters/sqlite/data_directory.hpp"

namespace doorbuster::sqlite {
namespace {

constexpr const char* kSchema = R"(
CREATE TABLE campaign(
  number INTEGER PRIMARY KEY,
  id TEXT NOT NULL UNIQUE,
  name TEXT, coupon_limit INTEGER, starts_at INTEGER, ends_at INTEGER, status TEXT, strategy TEXT,
  durability TEXT, revision INTEGER, epoch INTEGER, created_at INTEGER);
CREATE TABLE campaign_change(
  position INTEGER PRIMARY KEY,
  campaign INTEGER NOT NULL REFERENCES campaign(number),
  name TEXT, coupon_limit INTEGER, starts_at INTEGER, ends_at INTEGER, status TEXT, strategy TEXT,
  durability TEXT, revision INTEGER, epoch INTEGER, created_at INTEGER);
CREATE TABLE instance(number INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
CREATE TABLE event(
  position INTEGER PRIMARY KEY,
  kind INTEGER NOT NULL,
  campaign INTEGER NOT NULL REFERENCES campaign(number),
  epoch INTEGER NOT NULL,
  revision INTEGER NOT NULL,
  sequence INTEGER,
  user_id,
  code BLOB,
  decided_at INTEGER,
  refilled INTEGER NOT NULL,
  instance INTEGER REFERENCES instance(number),
  crc INTEGER NOT NULL);
)";

Timestamp at(std::int64_t micros_since_1970) {
  return Timestamp(Duration(micros_since_1970));
}

std::optional<Timestamp> read_time(const Statement& statement, int column) {
  if (statement.is_null(column)) return std::nullopt;
  return at(statement.integer(column));
}

Result<CampaignDefinition> read_definition(const Statement& row, std::string_view id, int first) {
  auto campaign = CampaignId::parse(id);
  const auto status = parse_campaign_status(row.text(first + 4));
  const auto strategy = parse_strategy(row.text(first + 5));
  const auto durability = parse_durability(row.text(first + 6));
  if (!campaign || !status || !strategy || !durability) {
    return make_error(ErrorCode::corrupt,
                      fmt::format("the stored definition of campaign '{}' is not valid", id));
  }
  CampaignDefinition definition;
  definition.id = *campaign;
  definition.name = row.text(first);
  definition.limit = static_cast<std::uint64_t>(row.integer(first + 1));
  definition.starts_at = read_time(row, first + 2);
  definition.ends_at = read_time(row, first + 3);
  definition.status = *status;
  definition.strategy = *strategy;
  definition.durability = *durability;
  definition.revision = static_cast<std::uint32_t>(row.integer(first + 7));
  definition.epoch = static_cast<std::uint32_t>(row.integer(first + 8));
  definition.created_at = at(row.integer(first + 9));
  return definition;
}

}  // namespace

Result<void> prepare_log_schema(Database& database) {
  if (auto known = check_format(database, kDataFormat, "an event log"); !known) return known;
  auto version = database.query_integer("PRAGMA user_version");
  if (!version) return version.error();
  if (*version != 0) return {};
  auto tables = database.query_integer("SELECT count(*) FROM sqlite_schema");
  if (!tables) return tables.error();
  if (*tables != 0) {
    return make_error(ErrorCode::corrupt,
                      fmt::format("{}: an SQLite file, but not an event log of ours", database.path()));
  }
  Transaction transaction(database);
  if (auto begun = transaction.begin(); !begun) return begun;
  if (auto made = database.execute(kSchema); !made) return made;
  if (auto marked = database.execute(fmt::format("PRAGMA user_version={}", kDataFormat)); !marked)
    return marked;
  return transaction.commit();
}

void bind_user(Statement& statement, int index, const UserId& user) {
  if (const auto number = user.integer()) {
    statement.bind(index, static_cast<std::int64_t>(*number));
  } else {
    statement.bind_text(index, user.text());
  }
}

Result<UserId> read_user(const Statement& statement, int column) {
  if (statement.is_integer(column)) {
    const auto number = statement.integer(column);
    if (number < 0) return make_error(ErrorCode::corrupt, "the user id is negative");
    return UserId::from_integer(static_cast<std::uint64_t>(number));
  }
  return UserId::parse(statement.text(column));
}

Result<CouponCode> read_code(const Statement& statement, int column) {
  const auto bytes = statement.blob(column);
  if (bytes.size() != CouponCode::kBytes) return make_error(ErrorCode::corrupt, "the code has not ten bytes");
  CouponCode::Bytes copy;
  std::copy(bytes.begin(), bytes.end(), copy.begin());
  return CouponCode(copy);
}

Result<ChainEnd> stored_end(Database& database) {
  auto last = database.prepare("SELECT position, crc FROM event ORDER BY position DESC LIMIT 1");
  if (!last) return last.error();
  auto row = last->step();
  if (!row) return row.error();
  if (!*row) return ChainEnd{};
  return ChainEnd{static_cast<LogPosition>(last->integer(0)), static_cast<std::uint32_t>(last->integer(1))};
}

Result<std::vector<CampaignDefinition>> read_definitions(Database& database) {
  auto rows = database.prepare(fmt::format(
      "SELECT id, {} FROM campaign WHERE revision IS NOT NULL ORDER BY number", kDefinitionColumns));
  if (!rows) return rows.error();
  std::vector<CampaignDefinition> definitions;
  for (;;) {
    auto row = rows->step();
    if (!row) return row.error();
    if (!*row) return definitions;
    auto definition = read_definition(*rows, rows->text(0), 1);
    if (!definition) {
      return make_error(ErrorCode::corrupt,
                        fmt::format("{}: {}", database.path(), definition.error().detail));
    }
    definitions.push_back(std::move(*definition));
  }
}

Result<LogReader> LogReader::make(Database& database) {
  LogReader reader;
  reader.path_ = database.path();
  for (auto& [statement, sql] : std::initializer_list<std::pair<Statement*, std::string>>{
           {&reader.scan_,
            "SELECT position, kind, campaign, epoch, revision, sequence, user_id, code, decided_at, "
            "refilled, instance, "
            "crc FROM event WHERE position > ? ORDER BY position"},
           {&reader.crc_at_, "SELECT crc FROM event WHERE position = ?"},
           {&reader.change_,
            fmt::format("SELECT id, {} FROM (SELECT campaign.id AS id, campaign_change.* FROM "
                        "campaign_change JOIN campaign ON campaign.number = campaign_change.campaign) "
                        "WHERE position = ?",
                        kDefinitionColumns)},
           {&reader.all_campaigns_, "SELECT number, id FROM campaign ORDER BY number"},
           {&reader.all_instances_, "SELECT number, name FROM instance ORDER BY number"}}) {
    auto prepared = database.prepare(sql);
    if (!prepared) return prepared.error();
    *statement = std::move(*prepared);
  }
  if (auto sought = reader.seek(0); !sought) return sought.error();
  return reader;
}

void LogReader::pause() {
  scan_.reset();
}

Result<void> LogReader::seek(LogPosition after) {
  scan_.reset();
  if (after == 0) {
    end_ = {};
  } else if (after != end_.position) {
    crc_at_.bind(1, static_cast<std::int64_t>(after));
    auto row = crc_at_.step();
    if (!row) return row.error();
    if (!*row) {
      crc_at_.reset();
      return broken(after, "there is no such position: the log has lost its tail, or belongs to other data");
    }
    end_ = {after, static_cast<std::uint32_t>(crc_at_.integer(0))};
    crc_at_.reset();
  }
  scan_.bind(1, static_cast<std::int64_t>(after));
  return {};
}

Error LogReader::broken(LogPosition position, std::string_view why) const {
  return make_error(ErrorCode::corrupt, fmt::format("{}: damaged at position {}: {}", path_, position, why));
}

Result<void> LogReader::load_names() {
  campaigns_.clear();
  instances_.clear();
  all_campaigns_.reset();
  all_instances_.reset();
  for (;;) {
    auto row = all_campaigns_.step();
    if (!row) return row.error();
    if (!*row) break;
    auto id = CampaignId::parse(all_campaigns_.text(1));
    const auto number = static_cast<std::size_t>(all_campaigns_.integer(0));
    // Numbers are given 1, 2, 3: a larger one is damage, not a reason to ask for memory.
    if (!id || number != campaigns_.size() + 1) {
      return make_error(ErrorCode::corrupt, fmt::format("{}: the table of campaigns is damaged", path_));
    }
    campaigns_.push_back(*id);
  }
  for (;;) {
    auto row = all_instances_.step();
    if (!row) return row.error();
    if (!*row) break;
    const auto name = all_instances_.text(1);
    if (name.size() > 31 || static_cast<std::size_t>(all_instances_.integer(0)) != instances_.size() + 1) {
      return make_error(ErrorCode::corrupt, fmt::format("{}: the table of instances is damaged", path_));
    }
    instances_.emplace_back(name);
  }
  all_campaigns_.reset();
  all_instances_.reset();
  return {};
}

Result<void> LogReader::decode_coupon(CouponIssued& event) {
  const auto campaign = static_cast<std::size_t>(scan_.integer(2));
  const auto instance = static_cast<std::size_t>(scan_.integer(10));
  if (campaign - 1 >= campaigns_.size() || instance - 1 >= instances_.size()) {
    if (auto loaded = load_names(); !loaded) return loaded;
    if (campaign - 1 >= campaigns_.size() || instance - 1 >= instances_.size()) {
      return make_error(ErrorCode::corrupt, "it names a campaign or an instance that is not in its table");
    }
  }
  event.campaign = campaigns_[campaign - 1];
  event.epoch = static_cast<std::uint32_t>(scan_.integer(3));
  event.revision = static_cast<std::uint32_t>(scan_.integer(4));
  event.coupon.sequence = static_cast<std::uint64_t>(scan_.integer(5));
  auto user = read_user(scan_, 6);
  if (!user) return user.error();
  event.coupon.user = *user;
  auto code = read_code(scan_, 7);
  if (!code) return code.error();
  event.coupon.code = *code;
  event.coupon.decided_at = at(scan_.integer(8));
  event.refilled = scan_.integer(9) != 0;
  event.instance = instances_[instance - 1];
  return {};
}

Result<CampaignDefinition> LogReader::change_at(LogPosition position) {
  change_.bind(1, static_cast<std::int64_t>(position));
  auto row = change_.step();
  if (!row) return row.error();
  if (!*row) {
    change_.reset();
    return make_error(ErrorCode::corrupt, "its definition is missing");
  }
  auto definition = read_definition(change_, change_.text(0), 1);
  change_.reset();
  return definition;
}

Result<bool> LogReader::next(LogRecord& record) {
  auto row = scan_.step();
  if (!row) return row.error();
  if (!*row) {
    scan_.reset();
    scan_.bind(1, static_cast<std::int64_t>(end_.position));
    return false;
  }
  const auto position = static_cast<LogPosition>(scan_.integer(0));
  if (position != end_.position + 1) {
    return broken(end_.position + 1, fmt::format("the row is missing, the next one is {}", position));
  }
  record.position = position;
  const auto kind = scan_.integer(1);
  if (kind == static_cast<std::int64_t>(EventKind::coupon_issued)) {
    auto* event = std::get_if<CouponIssued>(&record.event);
    if (event == nullptr) event = &record.event.emplace<CouponIssued>();
    if (auto decoded = decode_coupon(*event); !decoded) {
      return decoded.error().code == ErrorCode::unavailable ? decoded.error()
                                                            : broken(position, decoded.error().detail);
    }
  } else if (kind == static_cast<std::int64_t>(EventKind::campaign_changed)) {
    auto definition = change_at(position);
    if (!definition) {
      return definition.error().code == ErrorCode::unavailable ? definition.error()
                                                               : broken(position, definition.error().detail);
    }
    record.event = CampaignChanged{std::move(*definition)};
  } else {
    return broken(position, fmt::format("{} is no kind of event", kind));
  }
  const auto crc = next_crc(end_.crc, record.event, scratch_);
  if (static_cast<std::int64_t>(crc) != scan_.integer(11)) {
    return broken(position, "the row does not match its CRC, which continues that of the row before");
  }
  end_ = {position, crc};
  return true;
}

}  // namespace doorbuster::sqlite
