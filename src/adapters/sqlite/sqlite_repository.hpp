#pragma once
// The coupon repository of the embedded system: repo.db, filled by the worker from the log, read by the api.
//
// Invariants
//  1. A batch of records, the position of its last one and the watermarks it moved are in one transaction.
//  2. A coupon row is never changed or deleted; a record that contradicts one becomes a dead letter.
//  3. Redemptions are a table of their own: store() never touches it.
//  4. Every commit is fsynced before it is answered (synchronous=FULL). Coupon rows could be read from the
//  log again,
//     but redemptions share their write-ahead log, and one synced behind unsynced frames is lost with them.

#include <array>
#include <atomic>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "adapters/sqlite/database.hpp"
#include "ports/coupon_repository.hpp"

namespace doorbuster::sqlite {

struct RepositoryStats {
  std::uint64_t rows = 0;          ///< coupons stored by this process
  std::uint64_t dead_letters = 0;  ///< made by this process
};

/// store() belongs to one thread at a time, everything else to any. Three connections, for the store, for
/// look-ups and for redemptions: a look-up never waits for a commit.
class SqliteRepository final : public CouponStore, public CouponRepository {
 public:
  /// Opens or makes the file. The data folder must be locked by the caller.
  /// \returns unsupported, corrupt, unavailable
  static Result<std::unique_ptr<SqliteRepository>> open(const std::string& path, const std::string& vfs = {});
  ~SqliteRepository() override;
  SqliteRepository(const SqliteRepository&) = delete;
  SqliteRepository& operator=(const SqliteRepository&) = delete;

  Result<void> store(const std::vector<LogRecord>& records) override;

  Result<std::optional<StoredCoupon>> find(const CouponCode& code) override;
  Result<std::optional<StoredCoupon>> find(const CampaignId& campaign, const UserId& user) override;
  Result<std::vector<StoredCoupon>> list(const CampaignId& campaign, std::uint64_t after,
                                         std::size_t max) override;
  Result<Redemption> redeem(const CouponCode& code, const std::string& idempotency_key,
                            Timestamp now) override;
  Result<LogPosition> stored_through() override;
  Result<std::vector<DeadLetter>> dead_letters(std::size_t max) override;

  /// All numbers up to this one are stored.
  Result<std::uint64_t> watermark(const CampaignId& campaign);
  /// Stores the dead letters again; those that fit now leave their table. \returns how many. The worker's
  /// thread.
  Result<std::size_t> replay_dead_letters();
  RepositoryStats stats() const;

 private:
  struct Store;
  struct Reader;
  struct Redeemer;

  SqliteRepository(std::string path, std::string vfs);
  template <class Part>
  Result<Part*> connected(std::unique_ptr<Part>& part);
  template <class T, class Part, class Job>
  Result<T> with(std::unique_ptr<Part>& part, std::mutex& mutex, Job job);

  std::string path_;
  std::string vfs_;
  std::mutex
      write_mutex_;  // SQLite has one writer at a time; its own way to wait for it is to sleep and ask again
  std::unique_ptr<Store> store_;
  std::unique_ptr<Redeemer> redeemer_;
  std::mutex reader_mutex_;
  std::unique_ptr<Reader> reader_;
  std::atomic<std::uint64_t> rows_{0};
  std::atomic<std::uint64_t> dead_letters_{0};
};

/// A repository that knows more than the log: the log has lost its tail. \returns corrupt with both positions
Result<void> check_not_ahead(LogPosition stored_through, LogPosition log_end, const std::string& folder);

}  // namespace doorbuster::sqlite
