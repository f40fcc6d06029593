#pragma once
// The coupon table for those who ask and those who redeem.

#include <map>
#include <mutex>

#include "adapters/mariadb/pool.hpp"
#include "ports/coupon_repository.hpp"

namespace doorbuster::mariadb {

struct RepositoryOptions {
  ServerOptions server;
  std::string topic;
  std::size_t readers = 4;    ///< connections for look-ups; the server refuses writes on them
  std::size_t redeemers = 2;  ///< connections for redemptions
};

/// Thread-safe.
class MariaDbRepository final : public CouponRepository {
 public:
  explicit MariaDbRepository(const RepositoryOptions& options);

  Result<std::optional<StoredCoupon>> find(const CouponCode& code) override;
  Result<std::optional<StoredCoupon>> find(const CampaignId& campaign, const UserId& user) override;
  Result<std::vector<StoredCoupon>> list(const CampaignId& campaign, std::uint64_t after,
                                         std::size_t max) override;
  /// One statement: what it answers is on disk.
  Result<Redemption> redeem(const CouponCode& code, const std::string& idempotency_key,
                            Timestamp now) override;
  /// Of a log with several partitions the sum of their positions: it has reached the sum of the log's ends
  /// when every partition has reached its own.
  Result<LogPosition> stored_through() override;
  /// By partition and position; a position is that in its partition.
  Result<std::vector<DeadLetter>> dead_letters(std::size_t max) override;

  /// By partition, 0 where nothing is stored.
  Result<std::vector<LogPosition>> stored_through(std::size_t partitions);
  /// Is a coupon put aside that MariaDB would not store? Its holder was told of it, and it has no row.
  Result<bool> any_refused();
  /// Every coupon with a number above `after`, ascending, at most `max`, those above a gap, too. For audit.
  Result<std::vector<StoredCoupon>> rows(const CampaignId& campaign, std::uint64_t after, std::size_t max);
  Pool& readers() { return readers_; }

 private:
  Result<std::uint64_t> watermark(Connection& connection, const CampaignId& campaign, std::uint64_t wanted);

  const std::string topic_;
  Pool readers_;
  Pool redeemers_;
  std::mutex marks_mutex_;
  std::map<CampaignId, std::uint64_t> marks_;  // rows never go, so what was known stays true
};

}  // namespace doorbuster::mariadb
