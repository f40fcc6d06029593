// What the log says about files that somebody or something has changed.

#include "adapters/sqlite/log_file.hpp"
#include "adapters/sqlite/test_parts.hpp"
#include "proto/event/event_bytes.hpp"

namespace doorbuster::sqlite {
namespace {

/// A definition and the coupons, in rows that end at positions 1, 10 and the last.
void make_log(const std::string& path, std::uint64_t coupons) {
  auto log = open_log(path);
  ASSERT_TRUE(put(*log, definition()));
  const auto first = std::min<std::uint64_t>(coupons, 9);
  ASSERT_TRUE(append(*log, coupon_events(1, first)));
  if (coupons == first) return;
  ASSERT_TRUE(append(*log, coupon_events(first + 1, coupons)));
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
    testing::Values("UPDATE batch SET events = CAST(replace(CAST(events AS TEXT), '1010', '1011') AS BLOB) "
                    "WHERE last = 21",
                    "UPDATE batch SET events = CAST(substr(events, 1, 100) AS BLOB) WHERE last = 21",
                    "UPDATE batch SET events = x'' WHERE last = 21",
                    "UPDATE batch SET events = 'text' WHERE last = 21",
                    "UPDATE batch SET events = 7 WHERE last = 21",
                    "UPDATE batch SET events = CAST(events || x'00' AS BLOB) WHERE last = 21",
                    "UPDATE batch SET crc = 0 WHERE last = 21", "UPDATE batch SET crc = -crc WHERE last = 21",
                    "UPDATE batch SET crc = crc + (1 << 32) WHERE last = 21",
                    "UPDATE batch SET last = 22 WHERE last = 21",
                    "UPDATE batch SET last = 20 WHERE last = 21",
                    "DELETE FROM batch WHERE last = 21; INSERT INTO batch VALUES(22, x'', 0)",
                    // A row put in place of another, which was right where it stood.
                    "DELETE FROM batch WHERE last = 21; INSERT INTO batch SELECT 19, events, crc FROM batch "
                    "WHERE last = 10"));

TEST(LogDamageOther, FindsAChangedDefinition) {
  TemporaryFolder folder;
  make_log(folder.log(), 3);
  change(folder.log(), "UPDATE batch SET events = (SELECT events FROM batch WHERE last = 4) WHERE last = 1");
  const auto rebuilt = read_through(folder.log());
  ASSERT_FALSE(rebuilt);
  EXPECT_NE(rebuilt.error().detail.find("position 1:"), std::string::npos) << rebuilt.error().detail;
}

TEST(LogDamageOther, FindsAnEventThatNobodyCanReadInAChainThatIsWhole) {
  TemporaryFolder folder;
  make_log(folder.log(), 20);
  auto database = Database::open(folder.log(), OpenMode::read_write);
  ASSERT_TRUE(database);
  std::string bytes;
  event::append_coupons(coupon_events(21, 22), bytes);
  bytes.back() = ' ';  // which no user id has
  const auto crc = event::chained_crc(stored_end(*database)->crc, bytes);
  auto insert = database->prepare("INSERT INTO batch VALUES(23, ?, ?)");
  ASSERT_TRUE(insert);
  insert->bind_blob(1, {reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()});
  insert->bind(2, crc);
  ASSERT_TRUE(insert->run());
  const auto rebuilt = read_through(folder.log());
  ASSERT_FALSE(rebuilt);
  EXPECT_EQ(rebuilt.error().code, ErrorCode::corrupt);
  EXPECT_NE(rebuilt.error().detail.find("damaged at position 23: a user id"), std::string::npos)
      << rebuilt.error().detail;
}

TEST(LogDamageOther, RefusesOtherFormats) {
  TemporaryFolder folder;
  make_log(folder.log(), 3);
  for (const char* format : {"1", "3"}) {
    change(folder.log(), std::string("PRAGMA user_version=") + format);
    for (const auto& error :
         {SqliteEventLog::open(folder.log()).error(), SqliteEventSource::open(folder.log()).error(),
          read_through(folder.log()).error()}) {
      EXPECT_EQ(error.code, ErrorCode::unsupported);
      EXPECT_NE(error.detail.find(std::string("log.db: an event log of format ") + format), std::string::npos)
          << error.detail;
    }
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
  change(folder.log(), "DELETE FROM batch WHERE last = 11");
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
