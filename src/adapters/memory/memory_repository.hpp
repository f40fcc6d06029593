#pragma once
// The coupon table without a database, for tests and simulations.

#include <map>
#include <mutex>
#include <utility>

#include "ports/coupon_repository.hpp"

namespace doorbuster {

/// Thread-safe.
class MemoryRepository final : public CouponStore, public CouponRepository {
 public:
  Result<void> store(const std::vector<LogRecord>& records) override;
  Result<LogPosition> stored_through() override;

  Result<std::optional<StoredCoupon>> find(const CouponCode& code) override;
  Result<std::optional<StoredCoupon>> find(const CampaignId& campaign, const UserId& user) override;
  Result<std::vector<StoredCoupon>> list(const CampaignId& campaign, std::uint64_t after,
                                         std::size_t max) override;
  Result<Redemption> redeem(const CouponCode& code, const std::string& idempotency_key,
                            Timestamp now) override;
  Result<std::vector<DeadLetter>> dead_letters(std::size_t max) override;

  /// While false, every call fails as unavailable and changes nothing.
  void set_available(bool available);
  /// As when its file was lost: it begins anew, redemptions included.
  void lose_everything();

 private:
  struct Redeemed {
    std::string key;
    Timestamp at;
  };
  struct Campaign {
    std::map<std::uint64_t, StoredCoupon> by_sequence;
    std::map<UserId, std::uint64_t> by_user;
    std::uint64_t watermark = 0;  // all numbers up to it are stored
  };

  void store_one(const LogRecord& record);
  /// What is there that `event` contradicts; empty when nothing is.
  std::string contradiction(const CouponIssued& event) const;
  StoredCoupon with_redemption(StoredCoupon coupon) const;

  mutable std::mutex mutex_;
  bool available_ = true;
  LogPosition stored_through_ = 0;
  std::map<CampaignId, Campaign> campaigns_;
  std::map<CouponCode, std::pair<CampaignId, std::uint64_t>> by_code_;
  std::map<CouponCode, Redeemed> redeemed_;
  std::vector<DeadLetter> dead_letters_;
};

}  // namespace doorbuster
