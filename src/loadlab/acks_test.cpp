#include "loadlab/acks.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

namespace doorbuster::loadlab {
namespace {

class AcksFileTest : public testing::Test {
 protected:
  void SetUp() override {
    auto pattern = (std::filesystem::temp_directory_path() / "acksXXXXXX").string();
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  std::string path() const { return (folder_ / "acks.jsonl").string(); }
  std::string content() const {
    std::ostringstream text;
    text << std::ifstream(path()).rdbuf();
    return text.str();
  }

  std::filesystem::path folder_;
};

Ack ack_of(std::uint64_t user) {
  Ack ack;
  ack.user = user;
  ack.sent_us = 5;
  return ack;
}

TEST(AckLine, SaysEverythingOfAReply) {
  Ack ack = ack_of(17);
  ack.status = 201;
  ack.code = CodeText("ABC");
  ack.sequence = 3;
  ack.received_us = 9;
  std::string line;
  append_line(ack, line);
  EXPECT_EQ(
      line,
      "{\"user\":\"17\",\"status\":201,\"code\":\"ABC\",\"sequence\":3,\"sent_us\":5,\"received_us\":9}\n");
}

TEST(AckLine, NamesTheReasonOfARefusal) {
  Ack ack = ack_of(17);
  ack.status = 410;
  ack.problem = problem_slug(Outcome::ended);
  ack.received_us = 9;
  std::string line;
  append_line(ack, line);
  EXPECT_EQ(
      line,
      "{\"user\":\"17\",\"status\":410,\"problem\":\"ended\",\"code\":null,\"sequence\":null,\"sent_us\":5,"
      "\"received_us\":9}\n");
}

TEST(AckLine, IsNullWhereNothingCame) {
  std::string line;
  append_line(ack_of(17), line);
  EXPECT_EQ(line,
            "{\"user\":\"17\",\"status\":null,\"code\":null,\"sequence\":null,\"sent_us\":5,\"received_us\":"
            "null}\n");
}

TEST_F(AcksFileTest, HoldsEveryRecordInOrderAfterClose) {
  auto file = AcksFile::create(path());
  ASSERT_TRUE(file);
  std::string expected;
  for (std::uint64_t block = 0; block < 200; ++block) {  // more than may wait at once
    AcksFile::Block records;
    for (std::uint64_t i = 0; i < 10; ++i) {
      records.push_back(ack_of(block * 10 + i));
      append_line(records.back(), expected);
    }
    (*file)->put(std::move(records));
  }
  ASSERT_TRUE((*file)->close());
  EXPECT_EQ(content(), expected);
}

TEST_F(AcksFileTest, CannotBeMadeInAFolderThatIsNotThere) {
  const auto file = AcksFile::create((folder_ / "none" / "acks").string());
  ASSERT_FALSE(file);
  EXPECT_EQ(file.error().field, "--acks");
}

TEST(AcksFile, SaysWhenTheDiskIsFull) {
  if (!std::filesystem::exists("/dev/full")) GTEST_SKIP() << "no /dev/full here";
  auto file = AcksFile::create("/dev/full");
  ASSERT_TRUE(file);
  (*file)->put({ack_of(1)});
  const auto closed = (*file)->close();
  ASSERT_FALSE(closed);
  EXPECT_EQ(closed.error().code, ErrorCode::unavailable);
}

}  // namespace
}  // namespace doorbuster::loadlab
