#pragma once
// The rows of one campaign for the audit, straight from repo.db, without the watermark that hides rows above
// a gap. Read-only: works beside a running system, and on the files of one that has stopped.

#include <memory>
#include <string>

#include "adapters/sqlite/database.hpp"
#include "services/audit/audit_input.hpp"

namespace doorbuster {

/// One thread.
class RepositoryRows final : public audit::RowSource {
 public:
  /// \returns unavailable (no such file), unsupported, corrupt
  static Result<std::unique_ptr<RepositoryRows>> open(const std::string& path, const CampaignId& campaign);
  Result<std::vector<StoredCoupon>> next(std::size_t max) override;
  Result<LogPosition> stored_through() override;
  Result<std::vector<DeadLetter>> dead_letters(std::size_t max) override;

 private:
  explicit RepositoryRows(const CampaignId& campaign) : campaign_(campaign) {}

  CampaignId campaign_;
  sqlite::Database database_;
  sqlite::Statement page_;
  std::int64_t after_ = -1;
};

}  // namespace doorbuster
