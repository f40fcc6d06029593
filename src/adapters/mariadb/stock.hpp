#pragma once
// The statements of strategy db-lock: a stock row for each campaign, locked by each decision, with the
// coupons beside it. Blocking; only mariadb_ledger.cpp includes this. What is a rule is in
// mariadb_ledger.hpp.

#include <span>
#include <string>
#include <vector>

#include "adapters/mariadb/connection.hpp"
#include "core/issuing/decision.hpp"

namespace doorbuster::mariadb {

struct Stock {
  CampaignDefinition definition;
  std::uint64_t issued = 0;
  std::uint64_t pending = 0;
  std::optional<Timestamp> held_since;
  std::string held_by;
  bool taken_over = false;

  CampaignView view(Timestamp now) const;
};

/// A coupon as the tables have it.
struct StockCoupon {
  CouponIssued event;
  bool pending = false;
};
Decision decision_of(const StockCoupon& coupon, Durability durability);

/// The database's clock, at this call and not at the start of a transaction.
Result<Timestamp> database_now(Connection& connection);

/// With `lock` nobody else has the row until the transaction ends.
Result<std::optional<Stock>> find_stock(Connection& connection, const CampaignId& campaign, bool lock);
Result<std::vector<Stock>> list_stock(Connection& connection);
/// \returns conflict when it is there
Result<void> add_stock(Connection& connection, const CampaignDefinition& definition);
/// Writes back what a decision, a confirmation or a change has made of a locked row.
Result<void> save_stock(Connection& connection, const Stock& stock);

/// The coupons of these users, as far as they have any.
Result<std::vector<StockCoupon>> coupons_of(Connection& connection, const CampaignId& campaign,
                                            std::span<const UserId> users);
Result<std::vector<StockCoupon>> coupons_after(Connection& connection, const CampaignId& campaign,
                                               std::uint64_t after, std::size_t max);
/// Coupons with their entries among the pending ones.
Result<void> add_coupons(Connection& connection, std::span<const CouponIssued> events);
/// \returns how many of them were pending
Result<std::uint64_t> remove_pending(Connection& connection, const CampaignId& campaign,
                                     std::span<const std::uint64_t> sequences);
/// Takes those that wait since before `cutoff`, oldest first; they wait anew from `now`.
Result<std::vector<CouponIssued>> take_pending(Connection& connection, Timestamp cutoff, Timestamp now,
                                               std::size_t max);

}  // namespace doorbuster::mariadb
