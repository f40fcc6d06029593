#pragma once
// The coupons of one campaign as the log tells them, found by number, by user and by code. Made for ten
// million: 40 bytes a coupon and three tables of numbers (4 bytes a slot, at most 3/4 full, doubled when they
// are), together 56 to 72 bytes a coupon. One thread.
//
// A user is kept as a 64-bit key: integers below 2^63 as they are, other ids by a hash with the top bit set.
// Two different ids with one hash would look like one user; with ten million users of that kind the chance is
// about 5e-6 for a whole audit.
//
// Invariants
//  1. An entry never moves; its place is its order in the log.
//  2. Each table finds the first entry with that key.

#include <cstdint>
#include <deque>
#include <vector>

#include "base/clock.hpp"
#include "base/ids.hpp"

namespace doorbuster::audit {

std::uint64_t user_key(const UserId& user);

struct IndexedCoupon {
  std::uint64_t user = 0;  ///< user_key()
  std::uint64_t sequence = 0;
  Timestamp decided_at{};
  std::uint32_t epoch = 0;
  CouponCode code;
  bool refilled : 1 = false;
  bool late : 1 = false;  ///< behind the cut: need not be in ledger or repository yet
  bool in_ledger : 1 = false;
  bool in_rows : 1 = false;
  bool acknowledged : 1 = false;
};

class CouponIndex {
 public:
  void add(const IndexedCoupon& coupon);
  IndexedCoupon* by_user(std::uint64_t user);
  IndexedCoupon* by_sequence(std::uint64_t sequence);
  IndexedCoupon* by_code(const CouponCode& code);
  std::deque<IndexedCoupon>& all() { return entries_; }
  std::size_t size() const { return entries_.size(); }

 private:
  using Table = std::vector<std::uint32_t>;  // place in entries_ plus one; 0: free
  template <class Key, class Get>
  std::uint32_t* slot(Table& table, std::uint64_t hash, const Key& key, Get get);
  void grow();
  void insert(std::uint32_t place);

  std::deque<IndexedCoupon> entries_;
  Table users_, sequences_, codes_;
};

}  // namespace doorbuster::audit
