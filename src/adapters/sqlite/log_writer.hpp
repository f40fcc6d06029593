#pragma once
// The writing side of log.db.

#include <span>
#include <string>
#include <unordered_map>

#include "adapters/sqlite/log_schema.hpp"

namespace doorbuster::sqlite {

/// Writes events into log.db, inside a transaction of the caller. One thread.
/// After a failure its chain may be ahead of the file: throw it away and make a new one.
class LogWriter {
 public:
  /// Reads the catalog and the end of the chain.
  static Result<LogWriter> make(Database& database);

  /// Events that share all but the coupon become one row: SQLite's work is by the row, and was half of this
  /// thread's (ADR 0016).
  Result<void> add(std::span<const CouponIssued> events);
  /// Campaign row and event together. The caller has compared revisions.
  Result<void> add(const CampaignDefinition& definition);

  ChainEnd end() const { return end_; }
  /// As in the table `campaign`, this writer's own additions included.
  const std::unordered_map<CampaignId, CampaignDefinition>& definitions() const { return definitions_; }

 private:
  /// What is in `bytes_`, as the next row.
  Result<void> add_row(std::size_t events);

  Statement insert_batch_;
  Statement put_campaign_;
  std::unordered_map<CampaignId, CampaignDefinition> definitions_;
  ChainEnd end_;
  std::string bytes_;  // of the row that is being written; kept, so that no row allocates
};

}  // namespace doorbuster::sqlite
