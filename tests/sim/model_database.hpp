#pragma once
// The database: definitions with their epochs, fences, coupons, dead letters, and how far the log is stored.
// Every call is one transaction.

#include <functional>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "ports/coupon_repository.hpp"
#include "ports/recovery.hpp"

namespace doorbuster::model {

struct Database {
  explicit Database(std::size_t partitions) : stored_through(partitions) {}

  /// CampaignCatalog::put as it is committed.
  Result<void> put(const CampaignDefinition& definition);
  void insert(std::size_t partition, LogPosition position, const CouponIssued& event);
  bool is_void_here(const CouponIssued& event, std::size_t partition, LogPosition position) const;

  struct Letter {
    LogPosition position = 0;
    std::string reason;
    CouponIssued event;
  };

  std::map<CampaignId, CampaignDefinition> campaigns;
  std::map<CampaignId, std::vector<EpochFence>> fences;
  std::map<std::pair<CampaignId, UserId>, CouponIssued> rows;
  std::set<std::pair<CampaignId, std::uint64_t>> sequences;
  std::set<CouponCode> codes;
  std::vector<Letter> letters;
  std::vector<LogPosition> stored_through;
  std::string log_identity;
  std::map<CampaignId, const void*> locks;
  std::function<void(const CampaignDefinition&)> changed;  // after each put
};

/// What recovery sees. `before` as in RedisRebuild; each object is one connection.
class DatabaseRecovery final : public RecoveryStore {
 public:
  using Before = std::function<Result<void>(const char*)>;
  DatabaseRecovery(Database& database, Before before) : database_(database), before_(std::move(before)) {}
  ~DatabaseRecovery() override {
    std::erase_if(database_.locks, [this](const auto& lock) { return lock.second == this; });
  }

  Result<std::vector<CampaignDefinition>> campaigns() override;
  Result<CampaignDefinition> raise_epoch(const CampaignId& campaign, std::uint32_t from) override;
  Result<EpochFence> fence(const CampaignId& campaign, std::uint32_t epoch,
                           UniqueFunction<Result<std::vector<LogPosition>>()> ends) override;
  Result<std::vector<EpochFence>> fences(const CampaignId& campaign) override;
  Result<void> read_rows(const CampaignId& campaign, Each<CouponIssued> each) override;
  Result<void> read_dead_letters(const CampaignId& campaign, Each<CouponIssued> each) override;
  Result<std::vector<LogPosition>> stored_through(std::size_t partitions) override;
  Result<void> rewind_to_start() override;
  Result<std::string> log_identity() override;
  Result<void> note_log_identity(const std::string& identity) override;
  Result<bool> try_lock(const CampaignId& campaign) override;
  void unlock(const CampaignId& campaign) override;

 private:
  Database& database_;
  Before before_;
};

/// What a worker writes of one partition. A worker whose partition was given to another finds that the
/// position is not where it left it, and writes nothing.
class DatabaseStore final : public CouponStore {
 public:
  enum class Fate : std::uint8_t { committed, rolled_back, committed_unheard };
  DatabaseStore(Database& database, std::size_t partition, std::function<Fate()> fate)
      : database_(database), partition_(partition), fate_(std::move(fate)) {}

  Result<void> store(const std::vector<LogRecord>& records) override;
  Result<LogPosition> stored_through() override;

 private:
  Database& database_;
  std::size_t partition_;
  std::function<Fate()> fate_;
  LogPosition known_ = 0;
};

}  // namespace doorbuster::model
