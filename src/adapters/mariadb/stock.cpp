#include "adapters/mariadb/stock.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "adapters/mariadb/rows.hpp"

namespace doorbuster::mariadb {
namespace {

/// Lists of parameters have so many places; the rest repeat the last one.
constexpr std::size_t kAtOnce = 100;

const std::string& select_stock() {
  static const auto text =
      fmt::format("SELECT campaign_id, {}, issued, pending, held_since, held_by, taken_over FROM stock",
                  kDefinitionColumns);
  return text;
}

Result<Stock> read_stock(const Row& row) {
  auto id = campaign_of(row.text(0));
  if (!id) return id.error();
  auto definition = read_definition(*id, row, 1);
  if (!definition) return definition.error();
  constexpr unsigned kNext = 1 + kDefinitionWidth;
  Stock stock;
  stock.definition = std::move(*definition);
  stock.issued = row.number(kNext);
  stock.pending = row.number(kNext + 1);
  if (!row.is_null(kNext + 2)) stock.held_since = time_of(row.integer(kNext + 2));
  stock.held_by = row.text(kNext + 3);
  stock.taken_over = row.integer(kNext + 4) != 0;
  return stock;
}

Result<std::vector<StockCoupon>> read_coupons(Connection& connection, std::string_view sql,
                                              std::span<const Value> parameters) {
  std::vector<StockCoupon> coupons;
  auto read = connection.rows(sql, parameters, [&](const Row& row) -> Result<void> {
    auto event = read_event(row);
    if (!event) return event.error();
    coupons.push_back({std::move(*event), !row.is_null(kCouponWidth)});
    return {};
  });
  if (!read) return read.error();
  return coupons;
}

const std::string& select_coupons() {
  static const auto text = fmt::format(
      "SELECT {}, since FROM coupon_issued_user LEFT JOIN stock_pending USING (campaign_id, sequence)",
      kCouponColumns);
  return text;
}

/// Runs a multi-row insert for all of `count` rows; `add(i, values)` appends the parameters of one.
template <class Add>
Result<void> insert_all(Connection& connection, std::string_view into, std::size_t columns, std::size_t count,
                        Add add) {
  std::vector<Value> values;
  for (std::size_t done = 0; done < count;) {
    std::size_t size = 1;
    for (const std::size_t larger : {kAtOnce, std::size_t{10}}) {
      if (size == 1 && count - done >= larger) size = larger;
    }
    values.clear();
    for (std::size_t i = done; i < done + size; ++i) add(i, values);
    auto inserted =
        connection.run(fmt::format("INSERT INTO {} VALUES {}", into, placeholders(size, columns)), values);
    if (!inserted) return inserted.error();
    done += size;
  }
  return {};
}

}  // namespace

CampaignView Stock::view(Timestamp now) const {
  return {definition, issued, issued - pending, state_at(definition, now, issued), held_since.has_value()};
}

Decision decision_of(const StockCoupon& coupon, Durability durability) {
  Decision decision;
  decision.outcome = Outcome::already_issued;
  decision.pending = coupon.pending;
  decision.refilled = coupon.event.refilled;
  decision.epoch = coupon.event.epoch;
  decision.revision = coupon.event.revision;
  decision.durability = durability;
  decision.coupon = coupon.event.coupon;
  return decision;
}

Result<Timestamp> database_now(Connection& connection) {
  auto now = connection.integer("SELECT CAST(UNIX_TIMESTAMP(NOW(6)) * 1000000 AS SIGNED)");
  if (!now) return now.error();
  if (!*now) return make_error(ErrorCode::unavailable, "the database has no time");
  return time_of(**now);
}

Result<std::optional<Stock>> find_stock(Connection& connection, const CampaignId& campaign, bool lock) {
  std::optional<Stock> found;
  auto read =
      connection.rows(fmt::format("{} WHERE campaign_id = ?{}", select_stock(), lock ? " FOR UPDATE" : ""),
                      {campaign.text()}, [&](const Row& row) -> Result<void> {
                        auto stock = read_stock(row);
                        if (!stock) return stock.error();
                        found = std::move(*stock);
                        return {};
                      });
  if (!read) return read.error();
  return found;
}

Result<std::vector<Stock>> list_stock(Connection& connection) {
  std::vector<Stock> all;
  auto read =
      connection.rows(select_stock() + " ORDER BY campaign_id", {}, [&](const Row& row) -> Result<void> {
        auto stock = read_stock(row);
        if (!stock) return stock.error();
        all.push_back(std::move(*stock));
        return {};
      });
  if (!read) return read.error();
  return all;
}

Result<void> add_stock(Connection& connection, const CampaignDefinition& definition) {
  std::vector<Value> values{definition.id.text()};
  add_definition(definition, values);
  auto added = connection.run(fmt::format("INSERT INTO stock (campaign_id, {}, issued, pending) VALUES {}",
                                          kDefinitionColumns, "(?,?,?,?,?,?,?,?,?,?,?,0,0)"),
                              values);
  if (!added) return added.error();
  return {};
}

Result<void> save_stock(Connection& connection, const Stock& stock) {
  std::vector<Value> values;
  add_definition(stock.definition, values);
  values.insert(
      values.end(),
      {stock.issued, stock.pending, stock.held_since ? Value(micros(*stock.held_since)) : Value(nullptr),
       stock.held_by, std::int64_t{stock.taken_over ? 1 : 0}, stock.definition.id.text()});
  auto saved = connection.run(
      "UPDATE stock SET name = ?, coupon_limit = ?, starts_at = ?, ends_at = ?, status = ?, strategy = ?, "
      "durability = ?, revision = ?, epoch = ?, created_at = ?, issued = ?, pending = ?, held_since = ?, "
      "held_by = ?, taken_over = ? WHERE campaign_id = ?",
      values);
  if (!saved) return saved.error();
  return {};
}

Result<std::vector<StockCoupon>> coupons_of(Connection& connection, const CampaignId& campaign,
                                            std::span<const UserId> users) {
  static const auto sql =
      fmt::format("{} WHERE campaign_id = ? AND user_id IN {}", select_coupons(), placeholders(1, kAtOnce));
  static const auto sql_for_one = select_coupons() + " WHERE campaign_id = ? AND user_id = ?";
  std::vector<StockCoupon> all;
  for (std::size_t first = 0; first < users.size(); first += kAtOnce) {
    const auto part = users.subspan(first, std::min(kAtOnce, users.size() - first));
    const auto places = part.size() == 1 ? 1 : kAtOnce;
    std::vector<Value> values{campaign.text()};
    for (std::size_t i = 0; i < places; ++i) values.emplace_back(part[std::min(i, part.size() - 1)].text());
    auto found = read_coupons(connection, places == 1 ? sql_for_one : sql, values);
    if (!found) return found;
    std::move(found->begin(), found->end(), std::back_inserter(all));
  }
  return all;
}

Result<std::vector<StockCoupon>> coupons_after(Connection& connection, const CampaignId& campaign,
                                               std::uint64_t after, std::size_t max) {
  const Value values[] = {campaign.text(), after, std::uint64_t{max}};
  return read_coupons(connection,
                      select_coupons() + " WHERE campaign_id = ? AND sequence > ? ORDER BY sequence LIMIT ?",
                      values);
}

Result<void> add_coupons(Connection& connection, std::span<const CouponIssued> events) {
  static const auto coupon_table = fmt::format("coupon_issued_user ({})", kCouponColumns);
  auto added = insert_all(connection, coupon_table, kCouponWidth, events.size(),
                          [&](std::size_t i, std::vector<Value>& values) { add_coupon(events[i], values); });
  if (!added) return added;
  return insert_all(connection, "stock_pending (campaign_id, sequence, since)", 3, events.size(),
                    [&](std::size_t i, std::vector<Value>& values) {
                      const auto& event = events[i];
                      values.insert(values.end(), {event.campaign.text(), event.coupon.sequence,
                                                   micros(event.coupon.decided_at)});
                    });
}

Result<std::uint64_t> remove_pending(Connection& connection, const CampaignId& campaign,
                                     std::span<const std::uint64_t> sequences) {
  static const auto sql = fmt::format("DELETE FROM stock_pending WHERE campaign_id = ? AND sequence IN {}",
                                      placeholders(1, kAtOnce));
  std::uint64_t removed = 0;
  for (std::size_t first = 0; first < sequences.size(); first += kAtOnce) {
    const auto part = sequences.subspan(first, std::min(kAtOnce, sequences.size() - first));
    std::vector<Value> values{campaign.text()};
    for (std::size_t i = 0; i < kAtOnce; ++i) values.emplace_back(part[std::min(i, part.size() - 1)]);
    auto gone = connection.run(sql, values);
    if (!gone) return gone;
    removed += *gone;
  }
  return removed;
}

Result<std::vector<CouponIssued>> take_pending(Connection& connection, Timestamp cutoff, Timestamp now,
                                               std::size_t max) {
  // What another relay is taking at this moment is passed over.
  static const auto sql = fmt::format(
      "SELECT {} FROM stock_pending JOIN coupon_issued_user USING (campaign_id, sequence) WHERE since < ? "
      "ORDER BY since, campaign_id, sequence LIMIT ? FOR UPDATE SKIP LOCKED",
      kCouponColumns);
  std::vector<CouponIssued> taken;
  auto read = connection.rows(sql, {micros(cutoff), std::uint64_t{max}}, [&](const Row& row) -> Result<void> {
    auto event = read_event(row);
    if (!event) return event.error();
    taken.push_back(std::move(*event));
    return {};
  });
  if (!read) return read.error();
  for (const auto& event : taken) {
    auto moved = connection.run("UPDATE stock_pending SET since = ? WHERE campaign_id = ? AND sequence = ?",
                                {micros(now), event.campaign.text(), event.coupon.sequence});
    if (!moved) return moved.error();
  }
  return taken;
}

}  // namespace doorbuster::mariadb
