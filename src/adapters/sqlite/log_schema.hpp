#pragma once
// The tables of log.db (docs/data_format.md): batches of events in a chain of CRCs, and the catalog of
// campaigns.

#include <string_view>
#include <vector>

#include "adapters/sqlite/database.hpp"
#include "core/issuing/coupon.hpp"

namespace doorbuster::sqlite {

/// The end of a chain: the next row continues from here.
struct ChainEnd {
  LogPosition position = 0;  ///< of the row's last event
  std::uint32_t crc = 0;
  friend bool operator==(const ChainEnd&, const ChainEnd&) = default;
};

/// Columns of a definition in the table `campaign`, behind its id.
inline constexpr std::string_view kDefinitionColumns =
    "name, coupon_limit, starts_at, ends_at, status, strategy, durability, revision, epoch, created_at";

/// Makes the tables in an empty file. \returns unsupported for another format, unavailable, corrupt
Result<void> prepare_log_schema(Database& database);

/// Of the last row as stored, unchecked; zeros for an empty log.
Result<ChainEnd> stored_end(Database& database);

/// All definitions in the table `campaign`.
Result<std::vector<CampaignDefinition>> read_definitions(Database& database);

}  // namespace doorbuster::sqlite
