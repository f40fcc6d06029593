#pragma once
// Port: who has which coupon, and was it redeemed? Blocking: called from threads that may wait.

#include <optional>
#include <string>
#include <vector>

#include "core/issuing/coupon.hpp"

namespace doorbuster {

struct StoredCoupon {
  CampaignId campaign;
  Coupon coupon;
  bool refilled = false;
  std::optional<Timestamp> redeemed_at;
  std::uint32_t epoch = 1;
  std::uint32_t revision = 1;
};

struct Redemption {
  CouponCode code;
  Timestamp redeemed_at{};
  bool repeated = false;  ///< the same Idempotency-Key had redeemed it before
};

/// Why a record is not in the coupon table.
struct DeadLetter {
  LogPosition position = 0;
  std::string reason;  ///< `conflict: ...`, `poison: ...`, `refused: ...`
  std::string event;   ///< the event as JSON
};

/// Written by the worker alone, one store for each partition of the log. One thread at a time.
class CouponStore {
 public:
  virtual ~CouponStore() = default;
  /// Stores the records and the position of the last one in one transaction. A record that contradicts what
  /// is there becomes a dead letter and the rest goes on. Told again: no change. \returns unavailable
  virtual Result<void> store(const std::vector<LogRecord>& records) = 0;
  /// Everything up to here is stored.
  virtual Result<LogPosition> stored_through() = 0;
};

/// Thread-safe.
class CouponRepository {
 public:
  virtual ~CouponRepository() = default;
  virtual Result<std::optional<StoredCoupon>> find(const CouponCode& code) = 0;
  virtual Result<std::optional<StoredCoupon>> find(const CampaignId& campaign, const UserId& user) = 0;
  /// Ascending by sequence, above `after`, at most `max`, and never beyond the contiguous watermark: a number
  /// is shown only when all lower ones are stored.
  virtual Result<std::vector<StoredCoupon>> list(const CampaignId& campaign, std::uint64_t after,
                                                 std::size_t max) = 0;
  /// Redeems once. \returns not_found, conflict (redeemed under another key), unavailable
  virtual Result<Redemption> redeem(const CouponCode& code, const std::string& idempotency_key,
                                    Timestamp now) = 0;
  virtual Result<LogPosition> stored_through() = 0;
  virtual Result<std::vector<DeadLetter>> dead_letters(std::size_t max) = 0;
};

}  // namespace doorbuster
