#pragma once
// One batch of coupons inside a transaction: multi-row inserts, and a way through rows that are there
// already. Only mariadb_store.cpp and coupon_batch.cpp include this.

#include <span>
#include <string>
#include <vector>

#include "adapters/mariadb/mariadb_store.hpp"

namespace doorbuster::mariadb {

class MariaDbCouponStore::Batch {
 public:
  struct Letter {
    LogPosition position = 0;
    const CouponIssued* event = nullptr;  ///< nullptr: unreadable
    std::string reason;
    std::string payload;
    bool refused = false;  ///< by the server, for its values
  };
  /// A coupon of the log; both outlive the batch.
  struct Item {
    const CouponIssued* event = nullptr;
    LogPosition position = 0;
  };

  /// Inserts all, in their order. What contradicts a row becomes a letter, and so does what the server
  /// refuses for its values.
  Result<void> insert(Connection& connection, std::span<const Item> items);

  std::vector<Letter> letters;
  std::uint64_t rows = 0;
  std::uint64_t repeated = 0;
  std::uint64_t voided = 0;
  std::map<CampaignId, std::uint64_t> rows_by_campaign;

 private:
  /// One statement. \returns conflict: one of them is there, and none was inserted; another error: none was
  Result<void> insert_rows(Connection& connection, std::span<const Item> items);
  /// Looks first which of them are there.
  Result<void> insert_new(Connection& connection, std::span<const Item> items);
  /// In ever smaller parts, down to the one that is there.
  Result<void> insert_each(Connection& connection, std::span<const Item> items);
  Result<void> compare(Connection& connection, const Item& item);
  void put_aside(const Item& item, const std::string& why);

  std::vector<Value> values_;
};

}  // namespace doorbuster::mariadb
