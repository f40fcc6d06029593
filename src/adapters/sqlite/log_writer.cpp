// The writing side of log.db.

#include <fmt/format.h>

#include "adapters/sqlite/chain.hpp"
#include "adapters/sqlite/log_rows.hpp"

namespace doorbuster::sqlite {
namespace {

/// Rows of one statement: it costs a third less than as many of one row each, and more rows save little more.
constexpr std::size_t kRowsTogether = 8;
/// Campaign, epoch, revision, refilled and instance of all rows of the statement.
constexpr int kSharedParameters = 5;

std::int64_t micros(Timestamp time) {
  return time.time_since_epoch().count();
}
void bind_time(Statement& statement, int index, const std::optional<Timestamp>& time) {
  time ? statement.bind(index, micros(*time)) : statement.bind_null(index);
}

void bind_definition(Statement& statement, int first, const CampaignDefinition& definition) {
  statement.bind_text(first, definition.name);
  statement.bind(first + 1, static_cast<std::int64_t>(definition.limit));
  bind_time(statement, first + 2, definition.starts_at);
  bind_time(statement, first + 3, definition.ends_at);
  statement.bind_text(first + 4, to_text(definition.status));
  statement.bind_text(first + 5, to_text(definition.strategy));
  statement.bind_text(first + 6, to_text(definition.durability));
  statement.bind(first + 7, definition.revision);
  statement.bind(first + 8, definition.epoch);
  statement.bind(first + 9, micros(definition.created_at));
}

/// FAIL and not the usual ABORT, because nothing has to be kept for undoing the statement alone: after a
/// failure the whole transaction is given up.
std::string sql_for_rows_together() {
  std::string sql = "INSERT OR FAIL INTO event VALUES";
  int own = kSharedParameters;
  for (std::size_t row = 0; row < kRowsTogether; ++row) {
    sql +=
        fmt::format("{}(?{},{},?1,?2,?3,?{},?{},?{},?{},?4,?5,?{})", row == 0 ? "" : ",", own + 1,
                    static_cast<int>(EventKind::coupon_issued), own + 2, own + 3, own + 4, own + 5, own + 6);
    own += 6;
  }
  return sql;
}

}  // namespace

Result<LogWriter> LogWriter::make(Database& database) {
  LogWriter writer;
  const auto prepare = [&](Statement& statement, const std::string& sql) -> Result<void> {
    auto prepared = database.prepare(sql);
    if (!prepared) return prepared.error();
    statement = std::move(*prepared);
    return {};
  };
  static_assert(kDefinitionColumnCount == 10);
  const std::string ten = "?,?,?,?,?,?,?,?,?,?";
  Statement numbers;
  Statement instances;
  for (auto& [statement, sql] : std::initializer_list<std::pair<Statement*, std::string>>{
           {&writer.insert_event_, "INSERT INTO event VALUES(?,?,?,?,?,?,?,?,?,?,?,?)"},
           {&writer.insert_together_, sql_for_rows_together()},
           {&writer.insert_campaign_, "INSERT INTO campaign(number, id) VALUES(?,?)"},
           {&writer.insert_instance_, "INSERT INTO instance VALUES(?,?)"},
           {&writer.update_campaign_,
            fmt::format("UPDATE campaign SET ({}) = ({}) WHERE number = ?", kDefinitionColumns, ten)},
           {&writer.insert_change_, "INSERT INTO campaign_change VALUES(?,?," + ten + ")"},
           {&numbers, "SELECT number, id FROM campaign"},
           {&instances, "SELECT number, name FROM instance"}}) {
    if (auto done = prepare(*statement, sql); !done) return done.error();
  }
  for (;;) {
    auto row = numbers.step();
    if (!row) return row.error();
    if (!*row) break;
    auto id = CampaignId::parse(numbers.text(1));
    if (!id)
      return make_error(ErrorCode::corrupt, fmt::format("{}: a campaign's id is not valid", database.path()));
    writer.campaigns_.emplace(*id, numbers.integer(0));
  }
  for (;;) {
    auto row = instances.step();
    if (!row) return row.error();
    if (!*row) break;
    writer.instances_.emplace(instances.text(1), instances.integer(0));
  }
  auto definitions = read_definitions(database);
  if (!definitions) return definitions.error();
  for (auto& definition : *definitions) writer.definitions_.emplace(definition.id, std::move(definition));
  auto end = stored_end(database);
  if (!end) return end.error();
  writer.end_ = *end;
  return writer;
}

Result<std::int64_t> LogWriter::campaign_number(const CampaignId& campaign) {
  if (last_campaign_ && last_campaign_->first == campaign) return last_campaign_->second;
  auto [found, added] = campaigns_.try_emplace(campaign, static_cast<std::int64_t>(campaigns_.size()) + 1);
  if (added) {
    insert_campaign_.bind(1, found->second);
    insert_campaign_.bind_text(2, campaign.text());
    if (auto inserted = insert_campaign_.run(); !inserted) return inserted.error();
  }
  last_campaign_ = {campaign, found->second};
  return found->second;
}

Result<std::int64_t> LogWriter::instance_number(const InstanceName& instance) {
  if (last_instance_ && last_instance_->first == instance) return last_instance_->second;
  auto [found, added] =
      instances_.try_emplace(std::string(instance.view()), static_cast<std::int64_t>(instances_.size()) + 1);
  if (added) {
    insert_instance_.bind(1, found->second);
    insert_instance_.bind_text(2, found->first);
    if (auto inserted = insert_instance_.run(); !inserted) return inserted.error();
  }
  last_instance_ = {instance, found->second};
  return found->second;
}

Result<void> LogWriter::add(std::span<const CouponIssued> events) {
  while (!events.empty()) {
    const std::size_t alike = alike_at_front(events);
    const auto added =
        alike == kRowsTogether ? add_together(events.first(kRowsTogether)) : add_one(events.front());
    if (!added) return added;
    events = events.subspan(alike == kRowsTogether ? kRowsTogether : 1);
  }
  return {};
}

/// How many of the first events, kRowsTogether at most, share all that a crowd's coupons share.
std::size_t LogWriter::alike_at_front(std::span<const CouponIssued> events) {
  if (events.size() < kRowsTogether) return 1;
  const CouponIssued& first = events.front();
  std::size_t alike = 1;
  for (; alike < kRowsTogether; ++alike) {
    const CouponIssued& event = events[alike];
    if (event.epoch != first.epoch || event.revision != first.revision || event.refilled != first.refilled ||
        event.campaign != first.campaign || event.instance != first.instance) {
      break;
    }
  }
  return alike;
}

Result<void> LogWriter::add_together(std::span<const CouponIssued> events) {
  const CouponIssued& first = events.front();
  auto campaign = campaign_number(first.campaign);
  if (!campaign) return campaign.error();
  auto instance = instance_number(first.instance);
  if (!instance) return instance.error();
  insert_together_.bind(1, *campaign);
  insert_together_.bind(2, first.epoch);
  insert_together_.bind(3, first.revision);
  insert_together_.bind(4, first.refilled ? 1 : 0);
  insert_together_.bind(5, *instance);
  int index = kSharedParameters;
  for (const CouponIssued& event : events) {
    continue_chain(event);
    insert_together_.bind(++index, static_cast<std::int64_t>(end_.position));
    insert_together_.bind(++index, static_cast<std::int64_t>(event.coupon.sequence));
    bind_user(insert_together_, ++index, event.coupon.user);
    insert_together_.bind_blob(++index, event.coupon.code.bytes());
    insert_together_.bind(++index, micros(event.coupon.decided_at));
    insert_together_.bind(++index, end_.crc);
  }
  return insert_together_.run();
}

Result<void> LogWriter::add_one(const CouponIssued& event) {
  auto campaign = campaign_number(event.campaign);
  if (!campaign) return campaign.error();
  auto instance = instance_number(event.instance);
  if (!instance) return instance.error();
  continue_chain(event);
  insert_event_.bind(1, static_cast<std::int64_t>(end_.position));
  insert_event_.bind(2, static_cast<std::int64_t>(EventKind::coupon_issued));
  insert_event_.bind(3, *campaign);
  insert_event_.bind(4, event.epoch);
  insert_event_.bind(5, event.revision);
  insert_event_.bind(6, static_cast<std::int64_t>(event.coupon.sequence));
  bind_user(insert_event_, 7, event.coupon.user);
  insert_event_.bind_blob(8, event.coupon.code.bytes());
  insert_event_.bind(9, micros(event.coupon.decided_at));
  insert_event_.bind(10, event.refilled ? 1 : 0);
  insert_event_.bind(11, *instance);
  insert_event_.bind(12, end_.crc);
  return insert_event_.run();
}

void LogWriter::continue_chain(const CouponIssued& event) {
  end_.crc = next_crc(end_.crc, event, scratch_);
  ++end_.position;
}

Result<void> LogWriter::add(const CampaignDefinition& definition) {
  auto campaign = campaign_number(definition.id);
  if (!campaign) return campaign.error();
  end_.crc = next_crc(end_.crc, Event(CampaignChanged{definition}), scratch_);
  ++end_.position;
  bind_definition(update_campaign_, 1, definition);
  update_campaign_.bind(kDefinitionColumnCount + 1, *campaign);
  if (auto updated = update_campaign_.run(); !updated) return updated;
  insert_change_.bind(1, static_cast<std::int64_t>(end_.position));
  insert_change_.bind(2, *campaign);
  bind_definition(insert_change_, 3, definition);
  if (auto inserted = insert_change_.run(); !inserted) return inserted;
  insert_event_.bind(1, static_cast<std::int64_t>(end_.position));
  insert_event_.bind(2, static_cast<std::int64_t>(EventKind::campaign_changed));
  insert_event_.bind(3, *campaign);
  insert_event_.bind(4, definition.epoch);
  insert_event_.bind(5, definition.revision);
  for (int absent : {6, 7, 8, 9, 11}) insert_event_.bind_null(absent);
  insert_event_.bind(10, 0);
  insert_event_.bind(12, end_.crc);
  if (auto inserted = insert_event_.run(); !inserted) return inserted;
  definitions_.insert_or_assign(definition.id, definition);
  return {};
}

}  // namespace doorbuster::sqlite
