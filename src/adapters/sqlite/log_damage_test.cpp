// What the log says about files that somebody or something has changed.

#include "adapters/sqlite/log_file.hpp"
#include "adapters/sqlite/test_parts.hpp"

namespace doorbuster::sqlite {
namespace {

void make_log(const std::string& path, std::uint64_t coupons) {
  auto log = open_log(path);
  ASSERT_TRUE(put(*log, definition()));
  ASSERT_TRUE(append(*log, coupon_events(1, coupons)));
}

void change(const std::string& path, const std::string& sql) {
  auto database = Database::open(path, OpenMode::read_write);
  ASSERT_TRUE(database);
  ASSERT_TRUE(database->execute(sql));
}

Result<LogPosition> read_through(const std::string& path) {
  return rebuild(path, [](LogRecord&&) -> Result<void> { return {}; });
}

class LogDamage : public testing::TestWithParam<const char*> {};

TEST_P(LogDamage, IsFoundWithItsPosition) {
  TemporaryFolder folder;
  make_log(folder.log(), 20);
  ASSERT_EQ(*read_through(folder.log()), 21U);
  change(folder.log(), GetParam());
  const auto rebuilt = read_through(folder.log());
  ASSERT_FALSE(rebuilt);
  EXPECT_EQ(rebuilt.error().code, ErrorCode::corrupt);
  EXPECT_NE(rebuilt.error().detail.find("log.db: damaged at position 11:"), std::string::npos)
      << rebuilt.error().detail;
  EXPECT_EQ(rebuilt.error().detail.find('\n'), std::string::npos);

  auto source = SqliteEventSource::open(folder.log());
  ASSERT_TRUE(source);
  EXPECT_TRUE((*source)->read(0, 10));
  EXPECT_EQ((*source)->read(10, 10).error().code, ErrorCode::corrupt);

  const auto log = SqliteEventLog::open(folder.log());
  ASSERT_FALSE(log);
  EXPECT_EQ(log.error().code, ErrorCode::corrupt);
}

INSTANTIATE_TEST_SUITE_P(
    , LogDamage,
    testing::Values(
        "UPDATE event SET sequence = 99 WHERE position = 11",
        "UPDATE event SET user_id = 'mallory' WHERE position = 11",
        "UPDATE event SET user_id = -1 WHERE position = 11",
        "UPDATE event SET user_id = NULL WHERE position = 11",
        "UPDATE event SET code = x'00' WHERE position = 11",
        "UPDATE event SET code = NULL WHERE position = 11",
        "UPDATE event SET decided_at = decided_at + 1 WHERE position = 11",
        "UPDATE event SET refilled = 1 WHERE position = 11",
        "UPDATE event SET campaign = 7 WHERE position = 11",
        "UPDATE event SET campaign = -1 WHERE position = 11",
        "UPDATE event SET instance = 0 WHERE position = 11", "UPDATE event SET kind = 3 WHERE position = 11",
        "UPDATE event SET kind = 2 WHERE position = 11", "UPDATE event SET epoch = 2 WHERE position = 11",
        "UPDATE event SET crc = 0 WHERE position = 11", "DELETE FROM event WHERE position = 11",
        // A row put in place of another, with a CRC of its own that is right by itself.
        "DELETE FROM event WHERE position = 11; UPDATE event SET position = 11 WHERE position = 12"));

TEST(LogDamageOther, FindsAChangedDefinition) {
  TemporaryFolder folder;
  make_log(folder.log(), 3);
  change(folder.log(), "UPDATE campaign_change SET coupon_limit = 1000000");
  const auto rebuilt = read_through(folder.log());
  ASSERT_FALSE(rebuilt);
  EXPECT_NE(rebuilt.error().detail.find("position 1:"), std::string::npos) << rebuilt.error().detail;
}

TEST(LogDamageOther, RefusesALaterFormat) {
  TemporaryFolder folder;
  make_log(folder.log(), 3);
  change(folder.log(), "PRAGMA user_version=2");
  for (const auto& error :
       {SqliteEventLog::open(folder.log()).error(), SqliteEventSource::open(folder.log()).error(),
        read_through(folder.log()).error()}) {
    EXPECT_EQ(error.code, ErrorCode::unsupported);
    EXPECT_NE(error.detail.find("log.db: an event log of format 2"), std::string::npos) << error.detail;
  }
}

TEST(LogDamageOther, RefusesAForeignDatabase) {
  TemporaryFolder folder;
  {
    auto database = Database::open(folder.log(), OpenMode::create);
    ASSERT_TRUE(database->execute("CREATE TABLE holiday_pictures(a)"));
  }
  const auto log = SqliteEventLog::open(folder.log());
  ASSERT_FALSE(log);
  EXPECT_EQ(log.error().code, ErrorCode::corrupt);
}

TEST(LogDamageOther, SaysThatAFileIsCutOff) {
  TemporaryFolder folder;
  make_log(folder.log(), 5000);
  const auto size = std::filesystem::file_size(folder.log());
  for (const auto left :
       {size / 2, size / 2 - 100, std::uintmax_t{4096}, std::uintmax_t{100}, std::uintmax_t{0}}) {
    std::filesystem::resize_file(folder.log(), left);
    const auto rebuilt = read_through(folder.log());
    ASSERT_FALSE(rebuilt) << left << " bytes left, " << *rebuilt << " records read";
    EXPECT_EQ(rebuilt.error().code, ErrorCode::corrupt) << rebuilt.error().detail;
    EXPECT_NE(rebuilt.error().detail.find("log.db"), std::string::npos) << rebuilt.error().detail;
  }
}

TEST(LogDamageOther, RefusesToContinueBehindATailThatIsGone) {
  TemporaryFolder folder;
  make_log(folder.log(), 10);
  auto file = LogFile::open(folder.log());
  ASSERT_TRUE(file);
  EXPECT_EQ((*file)->safe().position, 11U);
  change(folder.log(), "DELETE FROM event WHERE position = 11");
  const auto reopened = (*file)->reopen();
  ASSERT_FALSE(reopened);
  EXPECT_EQ(reopened.error().code, ErrorCode::corrupt);
  EXPECT_NE(reopened.error().detail.find("position 11"), std::string::npos) << reopened.error().detail;
}

TEST(LogDamageOther, ARebuildEndsWithTheLedgersOwnComplaint) {
  TemporaryFolder folder;
  make_log(folder.log(), 3);
  const auto rebuilt = rebuild(folder.log(), [](LogRecord&& record) -> Result<void> {
    if (record.position == 3) return make_error(ErrorCode::corrupt, "the user is there twice");
    return {};
  });
  ASSERT_FALSE(rebuilt);
  EXPECT_NE(rebuilt.error().detail.find("position 3: the user is there twice"), std::string::npos);
}

}  // namespace
}  // namespace doorbuster::sqlite
