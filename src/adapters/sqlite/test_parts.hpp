#pragma once
// What the tests of this folder share: a folder of their own, events, and waiting for completions.

#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <vector>

#include "adapters/sqlite/data_directory.hpp"
#include "adapters/sqlite/sqlite_event_log.hpp"
#include "adapters/sqlite/sqlite_event_source.hpp"
#include "tests/support/manual_executor.hpp"

namespace doorbuster::sqlite {

/// A new folder, gone at the end of the test.
class TemporaryFolder {
 public:
  TemporaryFolder() {
    auto pattern = (std::filesystem::temp_directory_path() / "doorbuster-XXXXXX").string();
    path_ = ::mkdtemp(pattern.data());
  }
  ~TemporaryFolder() { std::filesystem::remove_all(path_); }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  const std::string& path() const { return path_; }
  std::string log() const { return DataDirectory::log_path(path_); }
  std::string repository() const { return DataDirectory::repository_path(path_); }

 private:
  std::string path_;
};

inline CampaignId campaign_id(std::string_view text = "drop") {
  return *CampaignId::parse(text);
}

inline CouponCode code_of(std::uint64_t number) {
  CouponCode::Bytes bytes{};
  for (int i = 0; i < 8; ++i)
    bytes[static_cast<std::size_t>(i)] = static_cast<std::uint8_t>(number >> (8 * i));
  bytes[9] = 0x5a;
  return CouponCode(bytes);
}

inline CouponIssued coupon_event(std::uint64_t sequence, std::string_view campaign = "drop") {
  CouponIssued event;
  event.campaign = campaign_id(campaign);
  event.coupon.sequence = sequence;
  // Every third user has a name that is no number.
  event.coupon.user = sequence % 3 == 0 ? *UserId::parse("user-" + std::to_string(sequence))
                                        : UserId::from_integer(1000 + sequence);
  event.coupon.code = code_of(sequence);
  event.coupon.decided_at = test::ManualClock::kStart + Duration(sequence);
  event.instance = InstanceName("api-8081");
  return event;
}

inline std::vector<CouponIssued> coupon_events(std::uint64_t first, std::uint64_t last) {
  std::vector<CouponIssued> events;
  for (auto sequence = first; sequence <= last; ++sequence) events.push_back(coupon_event(sequence));
  return events;
}

inline CampaignDefinition definition(std::string_view id = "drop", std::uint64_t limit = 1000) {
  CampaignDefinition definition;
  definition.id = campaign_id(id);
  definition.name = "Grand opening";
  definition.limit = limit;
  definition.created_at = test::ManualClock::kStart;
  return definition;
}

/// Outlives every log, as executors must. One thread at a time.
inline test::ManualExecutor& test_executor() {
  static test::ManualExecutor executor;
  return executor;
}

/// Appends and waits for the answer.
inline Result<void> append(EventLog& log, std::vector<CouponIssued> events) {
  auto& executor = test_executor();
  std::optional<Result<void>> answer;
  log.append(std::move(events), executor, [&](Result<void> result) { answer = std::move(result); });
  EXPECT_TRUE(executor.wait_until([&] { return answer.has_value(); }));
  return *answer;
}

inline Result<void> put(CampaignCatalog& catalog, CampaignDefinition definition) {
  auto& executor = test_executor();
  std::optional<Result<void>> answer;
  catalog.put(std::move(definition), executor, [&](Result<void> result) { answer = std::move(result); });
  EXPECT_TRUE(executor.wait_until([&] { return answer.has_value(); }));
  return *answer;
}

inline Result<std::optional<CampaignDefinition>> get(CampaignCatalog& catalog, const CampaignId& id) {
  auto& executor = test_executor();
  std::optional<Result<std::optional<CampaignDefinition>>> answer;
  catalog.get(id, executor, [&](auto result) { answer = std::move(result); });
  EXPECT_TRUE(executor.wait_until([&] { return answer.has_value(); }));
  return *answer;
}

inline std::unique_ptr<SqliteEventLog> open_log(const std::string& path, EventLogOptions options = {}) {
  auto log = SqliteEventLog::open(path, std::move(options));
  EXPECT_TRUE(log) << log.error().detail;
  return log ? std::move(*log) : nullptr;
}

/// Everything in the log, by a reader of its own.
inline std::vector<LogRecord> read_all(const std::string& path) {
  std::vector<LogRecord> records;
  auto end = rebuild(path, [&](LogRecord&& record) -> Result<void> {
    records.push_back(std::move(record));
    return {};
  });
  EXPECT_TRUE(end) << end.error().detail;
  return records;
}

inline std::size_t count_all(const std::string& path) {
  return read_all(path).size();
}

}  // namespace doorbuster::sqlite
