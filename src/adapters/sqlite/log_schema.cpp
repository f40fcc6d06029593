#include "adapters/sqlite/log_schema.hpp"

#include <fmt/format.h>

#include "adapters/sqlite/data_directory.hpp"

namespace doorbuster::sqlite {
namespace {

constexpr const char* kSchema = R"(
CREATE TABLE campaign(
  id TEXT PRIMARY KEY,
  name TEXT NOT NULL, coupon_limit INTEGER NOT NULL, starts_at INTEGER, ends_at INTEGER, status TEXT NOT NULL,
  strategy TEXT NOT NULL, durability TEXT NOT NULL, revision INTEGER NOT NULL, epoch INTEGER NOT NULL,
  created_at INTEGER NOT NULL);
CREATE TABLE batch(
  last INTEGER PRIMARY KEY,
  events BLOB NOT NULL,
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
  if (auto known = check_format(database, kLogFormats, "an event log"); !known) return known;
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
  if (auto marked = database.execute(fmt::format("PRAGMA user_version={}", kLogFormats.newest)); !marked)
    return marked;
  return transaction.commit();
}

Result<ChainEnd> stored_end(Database& database) {
  auto last = database.prepare("SELECT last, crc FROM batch ORDER BY last DESC LIMIT 1");
  if (!last) return last.error();
  auto row = last->step();
  if (!row) return row.error();
  if (!*row) return ChainEnd{};
  return ChainEnd{static_cast<LogPosition>(last->integer(0)), static_cast<std::uint32_t>(last->integer(1))};
}

Result<std::vector<CampaignDefinition>> read_definitions(Database& database) {
  auto rows = database.prepare(fmt::format("SELECT id, {} FROM campaign ORDER BY rowid", kDefinitionColumns));
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

}  // namespace doorbuster::sqlite
