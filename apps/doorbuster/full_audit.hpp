#pragma once
// What an audit of the full stack reads: the partitions of the topic as one log, the rows of MariaDB.

#include <memory>
#include <vector>

#include "adapters/kafka/kafka_log_reader.hpp"
#include "adapters/mariadb/mariadb_repository.hpp"
#include "config/settings.hpp"
#include "services/audit/audit_input.hpp"
#include "services/audit/merged_log.hpp"

namespace doorbuster {

/// One thread.
class FullAudit {
 public:
  /// Reads only: makes neither tables nor topics. \returns one line for people that names the key
  static Result<std::unique_ptr<FullAudit>> open(const config::Settings& settings,
                                                 const CampaignId& campaign);
  ~FullAudit();

  EventSource& log() { return *merged_; }
  audit::RowSource& rows() { return *rows_; }

 private:
  class Rows;
  FullAudit();

  std::unique_ptr<kafka::KafkaLogReader> reader_;
  std::vector<std::unique_ptr<EventSource>> sources_;  // gone before the reader
  std::unique_ptr<audit::MergedLog> merged_;
  std::unique_ptr<mariadb::MariaDbRepository> repository_;
  std::unique_ptr<audit::RowSource> rows_;
};

}  // namespace doorbuster
