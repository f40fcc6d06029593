#include "adapters/sqlite/database.hpp"

#include <sqlite3.h>

#include <fstream>

#include "adapters/sqlite/test_parts.hpp"

namespace doorbuster::sqlite {
namespace {

TEST(Database, KeepsWhatWasCommittedAndDropsTheRest) {
  TemporaryFolder folder;
  auto database = Database::open(folder.path() + "/x.db", OpenMode::create);
  ASSERT_TRUE(database);
  ASSERT_TRUE(database->execute("CREATE TABLE t(a, b)"));
  {
    Transaction transaction(*database);
    ASSERT_TRUE(transaction.begin());
    auto insert = database->prepare("INSERT INTO t VALUES(?,?)");
    ASSERT_TRUE(insert);
    insert->bind(1, 7);
    insert->bind_text(2, "seven");
    ASSERT_TRUE(insert->run());
    ASSERT_TRUE(transaction.commit());
  }
  {
    Transaction transaction(*database);
    ASSERT_TRUE(transaction.begin());
    ASSERT_TRUE(database->execute("DELETE FROM t"));
  }
  auto select = database->prepare("SELECT a, b FROM t");
  ASSERT_TRUE(select);
  ASSERT_TRUE(*select->step());
  EXPECT_EQ(select->integer(0), 7);
  EXPECT_EQ(select->text(1), "seven");
  EXPECT_FALSE(*select->step());
}

TEST(Database, NamesTheFileAndTheCauseInItsErrors) {
  const auto full = sqlite_error(SQLITE_FULL, "/data/log.db", "commit");
  EXPECT_EQ(full.code, ErrorCode::unavailable);
  EXPECT_NE(full.detail.find("/data/log.db: the disk is full"), std::string::npos) << full.detail;
  const auto read_only = sqlite_error(SQLITE_READONLY, "/data/log.db", "commit");
  EXPECT_NE(read_only.detail.find("read-only"), std::string::npos) << read_only.detail;
  EXPECT_NE(sqlite_error(SQLITE_IOERR_FSYNC, "f", "commit").detail.find("input/output"), std::string::npos);
  EXPECT_NE(sqlite_error(SQLITE_BUSY, "f", "begin").detail.find("another process"), std::string::npos);
  EXPECT_EQ(sqlite_error(SQLITE_CORRUPT, "f", "read").code, ErrorCode::corrupt);
  EXPECT_EQ(sqlite_error(SQLITE_NOTADB, "f", "read").code, ErrorCode::corrupt);
}

TEST(Database, SaysThatAFileIsNotThere) {
  TemporaryFolder folder;
  const auto database = Database::open(folder.path() + "/none.db", OpenMode::read_only);
  ASSERT_FALSE(database);
  EXPECT_EQ(database.error().code, ErrorCode::unavailable);
  EXPECT_NE(database.error().detail.find("none.db"), std::string::npos);
}

TEST(Database, SaysThatAFileIsNoDatabase) {
  TemporaryFolder folder;
  const auto path = folder.path() + "/text.db";
  std::ofstream(path) << std::string(5000, 'x');
  auto database = Database::open(path, OpenMode::read_write);
  ASSERT_TRUE(database);  // SQLite looks at the content with the first statement
  const auto version = database->query_integer("PRAGMA user_version");
  ASSERT_FALSE(version);
  EXPECT_EQ(version.error().code, ErrorCode::corrupt);
}

TEST(Database, RefusesOtherFormatsWithBothNumbers) {
  TemporaryFolder folder;
  auto database = Database::open(folder.path() + "/x.db", OpenMode::create);
  ASSERT_TRUE(database->execute("PRAGMA user_version=9"));
  EXPECT_TRUE(check_format(*database, {3, 9}, "a thing"));
  const auto checked = check_format(*database, {1, 8}, "a thing");
  ASSERT_FALSE(checked);
  EXPECT_EQ(checked.error().code, ErrorCode::unsupported);
  EXPECT_NE(checked.error().detail.find("format 9"), std::string::npos) << checked.error().detail;
  EXPECT_NE(checked.error().detail.find("up to 8"), std::string::npos) << checked.error().detail;
  const auto old = check_format(*database, {10, 11}, "a thing");
  ASSERT_FALSE(old);
  EXPECT_EQ(old.error().code, ErrorCode::unsupported);
  EXPECT_NE(old.error().detail.find("formats from 10"), std::string::npos) << old.error().detail;
}

}  // namespace
}  // namespace doorbuster::sqlite
