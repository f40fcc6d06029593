#include "adapters/sqlite/log_writer.hpp"

#include <fmt/format.h>

#include "proto/event/event_bytes.hpp"

namespace doorbuster::sqlite {
namespace {

std::int64_t micros(Timestamp time) {
  return time.time_since_epoch().count();
}

void bind_time(Statement& statement, int index, const std::optional<Timestamp>& time) {
  time ? statement.bind(index, micros(*time)) : statement.bind_null(index);
}

/// In the order of kDefinitionColumns, behind the id.
void bind_definition(Statement& statement, const CampaignDefinition& definition) {
  statement.bind_text(1, definition.id.text());
  statement.bind_text(2, definition.name);
  statement.bind(3, static_cast<std::int64_t>(definition.limit));
  bind_time(statement, 4, definition.starts_at);
  bind_time(statement, 5, definition.ends_at);
  statement.bind_text(6, to_text(definition.status));
  statement.bind_text(7, to_text(definition.strategy));
  statement.bind_text(8, to_text(definition.durability));
  statement.bind(9, definition.revision);
  statement.bind(10, definition.epoch);
  statement.bind(11, micros(definition.created_at));
}

}  // namespace

Result<LogWriter> LogWriter::make(Database& database) {
  LogWriter writer;
  // FAIL and not the usual ABORT, because nothing has to be kept for undoing the statement alone: after a
  // failure the whole transaction is given up.
  auto insert = database.prepare("INSERT OR FAIL INTO batch VALUES(?,?,?)");
  if (!insert) return insert.error();
  writer.insert_batch_ = std::move(*insert);
  auto put =
      database.prepare(fmt::format("INSERT INTO campaign(id, {0}) VALUES(?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11) "
                                   "ON CONFLICT(id) DO UPDATE SET ({0}) = (?2,?3,?4,?5,?6,?7,?8,?9,?10,?11)",
                                   kDefinitionColumns));
  if (!put) return put.error();
  writer.put_campaign_ = std::move(*put);
  auto definitions = read_definitions(database);
  if (!definitions) return definitions.error();
  for (auto& definition : *definitions) writer.definitions_.emplace(definition.id, std::move(definition));
  auto end = stored_end(database);
  if (!end) return end.error();
  writer.end_ = *end;
  return writer;
}

Result<void> LogWriter::add(std::span<const CouponIssued> events) {
  while (!events.empty()) {
    bytes_.clear();
    const std::size_t together = event::append_coupons(events, bytes_);
    if (auto added = add_row(together); !added) return added;
    events = events.subspan(together);
  }
  return {};
}

Result<void> LogWriter::add(const CampaignDefinition& definition) {
  bytes_.clear();
  event::append_definition(definition, bytes_);
  if (auto added = add_row(1); !added) return added;
  bind_definition(put_campaign_, definition);
  if (auto put = put_campaign_.run(); !put) return put;
  definitions_.insert_or_assign(definition.id, definition);
  return {};
}

Result<void> LogWriter::add_row(std::size_t events) {
  end_.position += events;
  end_.crc = event::chained_crc(end_.crc, bytes_);
  insert_batch_.bind(1, static_cast<std::int64_t>(end_.position));
  insert_batch_.bind_blob(2, {reinterpret_cast<const std::uint8_t*>(bytes_.data()), bytes_.size()});
  insert_batch_.bind(3, end_.crc);
  return insert_batch_.run();
}

}  // namespace doorbuster::sqlite
