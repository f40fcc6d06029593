#pragma once
// When was a campaign certainly not sold out? Read from the log: it fills, is full with its limit-th coupon,
// and may be opened again by a raised limit. A refusal "sold out" that was sent and received within a stretch
// in which the campaign was certainly not full contradicts promise 5.
//
// Changes of the limit carry no time of their own, so a stretch that begins with a raised limit begins, for
// sure, with the first coupon decided after it; one that ends with a lowered limit ends with the last coupon
// before it. On one machine all times come from one clock: no tolerance is given. One thread.

#include <optional>
#include <vector>

#include "base/clock.hpp"

namespace doorbuster::audit {

class SoldOutPhases {
 public:
  /// A definition, in the order of the log; `count`: coupons in the log before it.
  void limit_changed(std::uint64_t limit, std::uint64_t count);
  /// A coupon, in the order of the log; `count` includes it.
  void decided(Timestamp at, std::uint64_t count);
  /// True when the campaign was certainly not sold out from `sent` (nullopt: unknown) to `received`.
  bool contradicts(std::optional<Timestamp> sent, Timestamp received) const;

 private:
  struct Stretch {
    Timestamp from;
    Timestamp until;  // first moment at which it may have been sold out
  };
  std::optional<std::uint64_t> limit_;
  std::vector<Stretch> closed_;
  bool filling_ = false;
  bool begun_ = false;  // the present stretch has a beginning that is known
  Timestamp from_{};
  Timestamp last_{};
};

}  // namespace doorbuster::audit
