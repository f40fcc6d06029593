#pragma once
// The worker's side of the coupon table: one store for each partition of the log.
//
// Invariants
//  1. A batch of rows, its dead letters and the position of its last record are one transaction.
//  2. The position moves by compare-and-set: of two workers that think they own a partition, the later one's
//     transaction fails, and it reads the position again.
//  3. Events that a fence has made void are never stored; fences are read under a lock that excludes noting
//  one.
//  4. A coupon row is never changed or deleted. A record that contradicts one becomes a dead letter, and so
//     does one that the server refuses for its values, when that lasts (StoreOptions::refused_for).
//  5. Redemptions are a table of their own that this never touches.

#include <atomic>
#include <functional>
#include <map>
#include <string>

#include "adapters/mariadb/connection.hpp"
#include "core/issuing/epoch_fence.hpp"
#include "ports/coupon_repository.hpp"

namespace doorbuster::mariadb {

struct StoreStats {
  std::uint64_t rows = 0;      ///< coupons stored by this object
  std::uint64_t repeated = 0;  ///< events that were there already, with the same values
  std::uint64_t voided = 0;    ///< events of an older epoch behind a fence: passed over
  std::uint64_t dead_letters = 0;
};

struct StoreOptions {
  std::string topic;
  std::uint32_t partition = 0;
  /// Told of new dead letters before their transaction is committed, so that none falls through: it may be
  /// told of one again. A failure ends the transaction.
  std::function<Result<void>(const std::vector<DeadLetter>&)> on_dead_letters;
  /// A record that the server refuses (a constraint, a trigger) is tried again for so long, then put aside:
  /// somebody may be at work there at this moment, and all that comes behind it would be refused, too.
  Duration refused_for = std::chrono::seconds(30);
};

/// One thread at a time; stats() from any.
class MariaDbCouponStore final : public CouponStore {
 public:
  MariaDbCouponStore(ServerOptions server, StoreOptions options);
  ~MariaDbCouponStore() override;

  /// \returns unavailable, unknown_outcome, conflict (another worker has moved on): whatever it is, nothing
  /// or
  ///          all of it is stored, and stored_through() tells which
  Result<void> store(const std::vector<LogRecord>& records) override;
  Result<LogPosition> stored_through() override;

  /// Stores the dead letters of this partition again; those that fit now leave their table, and those that a
  /// fence has made void. \returns how many left
  Result<std::size_t> replay_dead_letters();
  StoreStats stats() const;

 private:
  class Batch;

  Result<Connection*> connected();
  Result<void> store_in(Connection& connection, const std::vector<LogRecord>& records, Batch& batch);
  Result<LogPosition> lock_position(Connection& connection);
  Result<void> read_fences(Connection& connection);
  Result<void> tried_long_enough(const Batch& batch);
  void note_watermarks(Connection& connection, const Batch& batch);
  template <class T>
  Result<T> ended(Result<T> result);

  const ServerOptions server_;
  const StoreOptions options_;
  std::unique_ptr<Connection> connection_;
  std::optional<LogPosition> position_;  // as this store has last seen it
  std::optional<std::uint64_t> generation_;
  std::map<CampaignId, std::vector<EpochFence>> fences_;  // of generation_
  std::map<CampaignId, std::uint64_t> since_watermark_;   // rows
  /// Of records that wait to be tried again.
  std::map<LogPosition, std::chrono::steady_clock::time_point> refused_since_;
  std::atomic<std::uint64_t> rows_{0}, repeated_{0}, voided_{0}, dead_letters_{0};
};

/// Fences of every campaign of a topic, by campaign. \returns unavailable, corrupt
Result<std::map<CampaignId, std::vector<EpochFence>>> list_fences(Connection& connection,
                                                                  const std::string& topic);

}  // namespace doorbuster::mariadb
