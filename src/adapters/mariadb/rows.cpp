#include "adapters/mariadb/rows.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

namespace doorbuster::mariadb {

Result<CouponCode> code_of(std::string_view bytes) {
  if (bytes.size() != CouponCode::kBytes) {
    return make_error(ErrorCode::corrupt, fmt::format("a code of {} bytes is stored", bytes.size()));
  }
  CouponCode::Bytes out;
  std::memcpy(out.data(), bytes.data(), out.size());
  return CouponCode(out);
}

Result<CampaignId> campaign_of(std::string_view text) {
  auto id = CampaignId::parse(text);
  if (!id) return make_error(ErrorCode::corrupt, fmt::format("'{}' is stored as a campaign's id", text));
  return *id;
}

Result<CampaignDefinition> read_definition(const CampaignId& id, const Row& row, unsigned first) {
  CampaignDefinition definition;
  definition.id = id;
  definition.name = row.text(first);
  definition.limit = row.number(first + 1);
  if (!row.is_null(first + 2)) definition.starts_at = time_of(row.integer(first + 2));
  if (!row.is_null(first + 3)) definition.ends_at = time_of(row.integer(first + 3));
  const auto status = parse_campaign_status(row.text(first + 4));
  const auto strategy = parse_strategy(row.text(first + 5));
  const auto durability = parse_durability(row.text(first + 6));
  if (!status || !strategy || !durability) {
    return make_error(
        ErrorCode::corrupt,
        fmt::format("campaign {}: status, strategy or durability has an unknown value", id.text()));
  }
  definition.status = *status;
  definition.strategy = *strategy;
  definition.durability = *durability;
  definition.revision = static_cast<std::uint32_t>(row.number(first + 7));
  definition.epoch = static_cast<std::uint32_t>(row.number(first + 8));
  definition.created_at = time_of(row.integer(first + 9));
  return definition;
}

Result<std::vector<CampaignDefinition>> list_definitions(Connection& connection) {
  std::vector<CampaignDefinition> all;
  auto read = connection.rows(fmt::format("SELECT id, {} FROM campaign ORDER BY id", kDefinitionColumns), {},
                              [&](const Row& row) -> Result<void> {
                                auto id = campaign_of(row.text(0));
                                if (!id) return id.error();
                                auto definition = read_definition(*id, row, 1);
                                if (!definition) return definition.error();
                                all.push_back(std::move(*definition));
                                return {};
                              });
  if (!read) return read.error();
  return all;
}

void add_definition(const CampaignDefinition& definition, std::vector<Value>& values) {
  const auto time = [](const std::optional<Timestamp>& at) -> Value {
    if (at) return micros(*at);
    return nullptr;
  };
  values.insert(values.end(),
                {std::string_view(definition.name), definition.limit, time(definition.starts_at),
                 time(definition.ends_at), to_text(definition.status), to_text(definition.strategy),
                 to_text(definition.durability), std::uint64_t{definition.revision},
                 std::uint64_t{definition.epoch}, micros(definition.created_at)});
}

Result<CouponIssued> read_event(const Row& row) {
  CouponIssued event;
  auto campaign = CampaignId::parse(row.text(0));
  auto user = UserId::parse(row.text(1));
  auto code = code_of(row.text(3));
  if (!campaign || !user || !code) {
    return make_error(ErrorCode::corrupt, fmt::format("a row of campaign '{}', user '{}' is not valid",
                                                      row.text(0), row.text(1)));
  }
  event.campaign = *campaign;
  event.coupon = {*user, row.number(2), *code, time_of(row.integer(7))};
  event.epoch = static_cast<std::uint32_t>(row.number(4));
  event.revision = static_cast<std::uint32_t>(row.number(5));
  event.refilled = row.integer(6) != 0;
  return event;
}

void add_coupon(const CouponIssued& event, std::vector<Value>& values) {
  const auto& coupon = event.coupon;
  values.insert(values.end(),
                {event.campaign.text(), coupon.user.text(), coupon.sequence, bytes_of(coupon.code),
                 std::uint64_t{event.epoch}, std::uint64_t{event.revision},
                 std::int64_t{event.refilled ? 1 : 0}, micros(coupon.decided_at)});
}

Result<std::vector<LogPosition>> read_positions(Connection& connection, const std::string& topic,
                                                std::size_t partitions) {
  std::vector<LogPosition> positions(partitions);
  auto read = connection.rows("SELECT partition_no, position FROM worker_offset WHERE topic = ?", {topic},
                              [&](const Row& row) -> Result<void> {
                                if (row.number(0) < partitions) positions[row.number(0)] = row.number(1);
                                return {};
                              });
  if (!read) return read.error();
  return positions;
}

Result<std::uint64_t> contiguous_through(Connection& connection, const CampaignId& campaign,
                                         std::uint64_t from, std::uint64_t wanted) {
  std::uint64_t step = wanted > from ? wanted - from : 0;
  while (step > 0) {
    // Numbers are unique: without a gap there are as many as the highest is away.
    std::uint64_t count = 0;
    std::uint64_t highest = from;
    auto counted = connection.rows(
        "SELECT COUNT(*), MAX(sequence) FROM coupon_issued_user WHERE campaign_id = ? AND sequence > ? AND "
        "sequence <= ?",
        {campaign.text(), from, from + std::min(step, UINT64_MAX - from)},
        [&](const Row& row) -> Result<void> {
          count = row.number(0);
          if (!row.is_null(1)) highest = row.number(1);
          return {};
        });
    if (!counted) return counted.error();
    if (count == 0) return from;
    if (highest - from == count) {
      const bool all = count < step;  // nothing stands behind the highest, as far as was looked
      from = highest;
      if (all || from >= wanted) return from;
      step = wanted - from;
    } else {
      step = (highest - from) / 2;
    }
  }
  return from;
}

}  // namespace doorbuster::mariadb
