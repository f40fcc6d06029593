#pragma once
// What a ledger must say after a recovery (consistency.md, "Epochs and recovery"): the coupons of the
// database and the log, and what the lost or doubted ledger still knew and they do not contradict.
//
// Order of use: add_safe() for everything that the database and the log hold, most trusted first; then
// offer() for everything that the ledger knows; then settle(); then read.
//
// Invariants
//  1. No user, number or code is in it twice.
//  2. Only what settle() took from the offers is pending; it never lifts the count above the limit.
//
// One thread. About 100 bytes a coupon while it is used.

#include <cstdint>
#include <vector>

#include "core/issuing/coupon.hpp"
#include "core/issuing/epoch_fence.hpp"
#include "core/issuing/holder_table.hpp"

namespace doorbuster {

class LedgerImage {
 public:
  enum class Added : std::uint8_t {
    taken,        ///< new here
    known,        ///< here already, the same coupon
    contradicts,  ///< its user, number or code is here with another coupon, or a value is out of range
  };

  explicit LedgerImage(CampaignId campaign) : campaign_(campaign) {}

  /// A coupon that the database or the log has.
  Added add_safe(const CouponIssued& event);
  /// A coupon that the ledger still knows. `taken`: settle() will look at it.
  Added offer(const CouponIssued& event);

  struct Settled {
    std::uint64_t kept = 0;
    std::uint64_t contradicting = 0;
    std::uint64_t over_limit = 0;
  };
  /// Takes the offers in, lowest number first, as pending coupons of `epoch`, up to `limit` in all.
  Settled settle(std::uint64_t limit, std::uint32_t epoch);

  std::uint64_t size() const { return holders_.size(); }
  /// At most `max` coupons with numbers above `after`, ascending, that are safe (or pending, as asked).
  std::vector<CouponIssued> page(std::uint64_t after, std::size_t max, bool safe) const;
  /// Numbers below the highest that nobody holds, ascending.
  std::vector<NumberRange> missing() const;

 private:
  Added compare(const CouponIssued& event, const HolderTable::Key& key) const;
  void insert(const HolderTable::Key& key, const CouponIssued& event, bool pending);
  bool code_taken(const CouponCode& code) const;

  CampaignId campaign_;
  HolderTable holders_;
  std::vector<CouponCode> codes_;  // sorted by settle()
  std::vector<CouponIssued> offers_;
};

}  // namespace doorbuster
