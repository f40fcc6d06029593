#pragma once
// The rows of log.db: schema, one event to one row and back, and the chain of CRCs over them
// (docs/data_format.md).

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "adapters/sqlite/database.hpp"
#include "core/issuing/coupon.hpp"

namespace doorbuster::sqlite {

enum class EventKind : std::uint8_t { coupon_issued = 1, campaign_changed = 2 };

/// The end of a chain: the next row continues from here.
struct ChainEnd {
  LogPosition position = 0;
  std::uint32_t crc = 0;
  friend bool operator==(const ChainEnd&, const ChainEnd&) = default;
};

/// Columns of a definition behind those that name it, the same in `campaign` and `campaign_change`.
inline constexpr std::string_view kDefinitionColumns =
    "name, coupon_limit, starts_at, ends_at, status, strategy, durability, revision, epoch, created_at";
inline constexpr int kDefinitionColumnCount = 10;

/// Makes the tables in an empty file. \returns unsupported for a later format, unavailable, corrupt
Result<void> prepare_log_schema(Database& database);

/// An integer where the id is one, else text: eight bytes for most users, and a checker in plain SQL reads
/// both.
void bind_user(Statement& statement, int index, const UserId& user);
Result<UserId> read_user(const Statement& statement, int column);
Result<CouponCode> read_code(const Statement& statement, int column);

/// Writes events into log.db, inside a transaction of the caller. One thread.
/// After a failure its numbers and its chain may be ahead of the file: throw it away and make a new one.
class LogWriter {
 public:
  /// Reads the tables of numbers and the end of the chain.
  static Result<LogWriter> make(Database& database);

  Result<void> add(std::span<const CouponIssued> events);
  /// Campaign row and event together. The caller has compared revisions.
  Result<void> add(const CampaignDefinition& definition);

  ChainEnd end() const { return end_; }
  /// As in the table `campaign`, this writer's own additions included.
  const std::unordered_map<CampaignId, CampaignDefinition>& definitions() const { return definitions_; }

 private:
  Result<std::int64_t> campaign_number(const CampaignId& campaign);
  Result<std::int64_t> instance_number(const InstanceName& instance);

  static std::size_t alike_at_front(std::span<const CouponIssued> events);
  Result<void> add_together(std::span<const CouponIssued> events);
  Result<void> add_one(const CouponIssued& event);
  void continue_chain(const CouponIssued& event);

  Statement insert_event_;
  Statement insert_together_;
  Statement insert_campaign_;
  Statement insert_instance_;
  Statement update_campaign_;
  Statement insert_change_;
  std::unordered_map<CampaignId, std::int64_t> campaigns_;
  std::unordered_map<std::string, std::int64_t> instances_;
  std::unordered_map<CampaignId, CampaignDefinition> definitions_;
  // Nearly every row has the campaign and the instance of the row before.
  std::optional<std::pair<CampaignId, std::int64_t>> last_campaign_;
  std::optional<std::pair<InstanceName, std::int64_t>> last_instance_;
  ChainEnd end_;
  std::string scratch_;
};

/// Reads rows in order and checks each against the chain. One thread.
class LogReader {
 public:
  static Result<LogReader> make(Database& database);

  /// Continues behind `after`. \returns corrupt when there is no such row
  Result<void> seek(LogPosition after);
  /// False at the end. The read transaction stays open until pause() or the end.
  /// \returns corrupt with the position, unavailable
  Result<bool> next(LogRecord& record);
  void pause();

  ChainEnd end() const { return end_; }

 private:
  Result<void> load_names();
  Result<void> decode_coupon(CouponIssued& event);
  Result<CampaignDefinition> change_at(LogPosition position);
  Error broken(LogPosition position, std::string_view why) const;

  std::string path_;
  Statement scan_;
  Statement crc_at_;
  Statement change_;
  Statement all_campaigns_;
  Statement all_instances_;
  std::vector<CampaignId> campaigns_;    // by number
  std::vector<InstanceName> instances_;  // by number
  ChainEnd end_;
  std::string scratch_;
};

/// The last row's position and CRC as stored, unchecked; zeros for an empty log.
Result<ChainEnd> stored_end(Database& database);

/// All definitions in the table `campaign`.
Result<std::vector<CampaignDefinition>> read_definitions(Database& database);

}  // namespace doorbuster::sqlite
