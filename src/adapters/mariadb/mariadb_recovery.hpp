#pragma once
// The database's side of a recovery: epochs, fences, and what the table holds.

#include "adapters/mariadb/connection.hpp"
#include "ports/recovery.hpp"

namespace doorbuster::mariadb {

/// One thread. Makes its connection when it is first asked, and a new one after a loss.
class MariaDbRecoveryStore final : public RecoveryStore {
 public:
  MariaDbRecoveryStore(ServerOptions server, std::string topic)
      : server_(std::move(server)), topic_(std::move(topic)) {}

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

  /// For audit: coupons and definitions that were stored before the log lost its data, in any order. The log
  /// that was made anew need not know them. None when it has never lost any.
  Result<std::vector<Event>> told_by_rows_alone(const CampaignId& campaign);

 private:
  Result<Connection*> connected();

  const ServerOptions server_;
  const std::string topic_;
  std::unique_ptr<Connection> connection_;
  std::unique_ptr<Connection> locks_;  // of its own: what is held ends with it
};

}  // namespace doorbuster::mariadb
