#include "adapters/mariadb/coupon_batch.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <unordered_map>

#include "adapters/mariadb/rows.hpp"
#include "proto/event/event_codec.hpp"

namespace doorbuster::mariadb {
namespace {

// Inserts come in these sizes, so that a few prepared statements serve batches of any size. At 1000 rows a
// row costs the server half of what a multi-row text statement costs it, and larger ones gain nothing.
constexpr std::size_t kSizes[] = {1000, 200, 40, 8, 1};
/// A look-up by a list of users has so many places; the rest repeat the last user.
constexpr std::size_t kUsersAtOnce = 250;

std::size_t largest_size(std::size_t most) {
  return *std::find_if(std::begin(kSizes), std::end(kSizes), [most](auto size) { return size <= most; });
}

const std::string& insert_sql(std::size_t rows) {
  static const auto texts = [] {
    std::map<std::size_t, std::string> all;
    for (const auto size : kSizes) {
      all[size] = fmt::format("INSERT INTO coupon_issued_user ({}) VALUES {}", kCouponColumns,
                              placeholders(size, kCouponWidth));
    }
    return all;
  }();
  return texts.at(rows);
}

/// Epoch and revision tell under what it was decided; an event that waited for the log is written again under
/// a newer epoch.
bool same(const CouponIssued& stored, const CouponIssued& event) {
  return stored.campaign == event.campaign && stored.coupon == event.coupon &&
         stored.refilled == event.refilled;
}

std::string conflict_with(const CouponIssued& stored, const CouponIssued& event) {
  const auto& coupon = event.coupon;
  if (stored.campaign == event.campaign && stored.coupon.sequence == coupon.sequence) {
    return fmt::format("conflict: number {} of campaign {} is stored with other values", coupon.sequence,
                       event.campaign.text());
  }
  if (stored.campaign == event.campaign && stored.coupon.user == coupon.user) {
    return fmt::format("conflict: user {} holds number {} of campaign {}", coupon.user.text(),
                       stored.coupon.sequence, event.campaign.text());
  }
  return fmt::format("conflict: code {} belongs to number {} of campaign {}", coupon.code.text(),
                     stored.coupon.sequence, stored.campaign.text());
}

}  // namespace

Result<void> MariaDbCouponStore::Batch::insert(Connection& connection, std::span<const Item> items) {
  while (!items.empty()) {
    const auto part = items.first(largest_size(items.size()));
    items = items.subspan(part.size());
    auto inserted = insert_rows(connection, part);
    // A statement that met a key that is there, or a value that is refused, has undone all of itself, and
    // nothing else.
    if (!inserted && inserted.error().code == ErrorCode::conflict) {
      inserted = insert_new(connection, part);
    } else if (!inserted && connection.values_refused()) {
      inserted = insert_each(connection, part);
    }
    if (!inserted) return inserted;
  }
  return {};
}

Result<void> MariaDbCouponStore::Batch::insert_rows(Connection& connection, std::span<const Item> items) {
  values_.clear();
  for (const auto& item : items) add_coupon(*item.event, values_);
  auto inserted = connection.run(insert_sql(items.size()), values_);
  if (!inserted) return inserted.error();
  for (const auto& item : items) ++rows_by_campaign[item.event->campaign];
  rows += items.size();
  return {};
}

Result<void> MariaDbCouponStore::Batch::insert_new(Connection& connection, std::span<const Item> items) {
  // Most often a batch is told again: one look-up for many users finds their rows.
  std::map<CampaignId, std::vector<std::size_t>> by_campaign;
  for (std::size_t i = 0; i < items.size(); ++i) by_campaign[items[i].event->campaign].push_back(i);
  std::vector<bool> settled(items.size());
  static const auto select =
      fmt::format("SELECT {} FROM coupon_issued_user WHERE campaign_id = ? AND user_id IN {}", kCouponColumns,
                  placeholders(1, kUsersAtOnce));
  for (const auto& [campaign, indexes] : by_campaign) {
    for (std::size_t first = 0; first < indexes.size(); first += kUsersAtOnce) {
      const auto count = std::min(kUsersAtOnce, indexes.size() - first);
      std::unordered_map<UserId, CouponIssued> stored;
      values_.assign({campaign.text()});
      for (std::size_t i = 0; i < kUsersAtOnce; ++i) {
        values_.emplace_back(items[indexes[first + std::min(i, count - 1)]].event->coupon.user.text());
      }
      auto read = connection.rows(select, values_, [&](const Row& row) -> Result<void> {
        auto event = read_event(row);
        if (!event) return event.error();
        stored.emplace(event->coupon.user, *event);
        return {};
      });
      if (!read) return read;
      for (std::size_t i = first; i < first + count; ++i) {
        const auto& item = items[indexes[i]];
        const auto at = stored.find(item.event->coupon.user);
        if (at == stored.end()) continue;
        settled[indexes[i]] = true;
        if (same(at->second, *item.event)) {
          ++repeated;
        } else {
          letters.push_back({item.position, item.event, conflict_with(at->second, *item.event), {}, false});
        }
      }
    }
  }
  std::vector<Item> rest;
  for (std::size_t i = 0; i < items.size(); ++i) {
    if (!settled[i]) rest.push_back(items[i]);
  }
  return insert_each(connection, rest);
}

Result<void> MariaDbCouponStore::Batch::insert_each(Connection& connection, std::span<const Item> items) {
  while (!items.empty()) {
    const auto part = items.first(largest_size(items.size()));
    items = items.subspan(part.size());
    auto inserted = insert_rows(connection, part);
    const bool conflict = !inserted && inserted.error().code == ErrorCode::conflict;
    if (conflict || (!inserted && connection.values_refused())) {
      if (part.size() == 1) {
        if (conflict) {
          inserted = compare(connection, part.front());
        } else {
          put_aside(part.front(), inserted.error().detail);
          inserted = {};
        }
      } else {
        // In the order of the log, so that the first of two that contradict each other wins.
        inserted = insert_each(connection, part.first(part.size() / 2));
        if (inserted) inserted = insert_each(connection, part.subspan(part.size() / 2));
      }
    }
    if (!inserted) return inserted;
  }
  return {};
}

void MariaDbCouponStore::Batch::put_aside(const Item& item, const std::string& why) {
  letters.push_back({item.position, item.event, "refused: " + why, {}, true});
}

Result<void> MariaDbCouponStore::Batch::compare(Connection& connection, const Item& item) {
  const auto& event = *item.event;
  const auto& coupon = event.coupon;
  static const auto select = fmt::format(
      "SELECT {0} FROM coupon_issued_user WHERE campaign_id = ? AND user_id = ? UNION ALL "
      "SELECT {0} FROM coupon_issued_user WHERE campaign_id = ? AND sequence = ? UNION ALL "
      "SELECT {0} FROM coupon_issued_user WHERE code = ?",
      kCouponColumns);
  std::vector<CouponIssued> stored;
  auto read = connection.rows(select,
                              {event.campaign.text(), coupon.user.text(), event.campaign.text(),
                               coupon.sequence, bytes_of(coupon.code)},
                              [&](const Row& row) -> Result<void> {
                                auto found = read_event(row);
                                if (!found) return found.error();
                                stored.push_back(*found);
                                return {};
                              });
  if (!read) return read;
  if (stored.empty()) {
    return make_error(ErrorCode::unavailable,
                      fmt::format("the row that kept number {} of campaign {} out is gone", coupon.sequence,
                                  event.campaign.text()));
  }
  if (same(stored.front(), event)) {
    ++repeated;
    return {};
  }
  letters.push_back({item.position, &event, conflict_with(stored.front(), event), {}, false});
  return {};
}

}  // namespace doorbuster::mariadb
