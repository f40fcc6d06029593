#include "services/audit/ack_file.hpp"

#include <gtest/gtest.h>

#include <unistd.h>

#include <cstdio>

namespace doorbuster::audit {
namespace {

class AckFileTest : public testing::Test {
 protected:
  AckFileTest() : path_(testing::TempDir() + "doorbuster_acks_" + std::to_string(::getpid()) + ".jsonl") {}
  ~AckFileTest() override { std::remove(path_.c_str()); }
  void write(const std::string& text) { std::ofstream(path_) << text; }
  std::string path_;
};

constexpr const char* kIssued =
    R"({"user":"u1","status":201,"code":"0123456789ABCDEF","sequence":7,"sent_us":1,"received_us":2})";

TEST(ParseAcknowledgement, ReadsEveryField) {
  const auto ack = parse_acknowledgement(kIssued);
  ASSERT_TRUE(ack);
  EXPECT_EQ(ack->user, "u1");
  EXPECT_EQ(ack->status, 201);
  EXPECT_EQ(ack->code->text(), "0123456789ABCDEF");
  EXPECT_EQ(ack->sequence, 7U);
  EXPECT_EQ((*ack->received_at - *ack->sent_at).count(), 1);
}

TEST(ParseAcknowledgement, TakesNumbersForUsersAndNullForNoReply) {
  const auto ack = parse_acknowledgement(R"({"user":17,"status":null,"sent_us":5})");
  ASSERT_TRUE(ack);
  EXPECT_EQ(ack->user, "17");
  EXPECT_EQ(ack->status, 0);
  EXPECT_FALSE(ack->code);
  EXPECT_FALSE(ack->received_at);
  EXPECT_EQ(ack->sent_at->time_since_epoch().count(), 5);
}

TEST(ParseAcknowledgement, NamesTheFieldAtFault) {
  EXPECT_EQ(parse_acknowledgement(R"({"status":201})").error().field, "user");
  EXPECT_EQ(parse_acknowledgement(R"({"user":"a","code":"short"})").error().field, "code");
  EXPECT_EQ(parse_acknowledgement(R"({"user":"a","sequence":-1})").error().field, "sequence");
  EXPECT_EQ(parse_acknowledgement(R"({"user":"a","received_us":"noon"})").error().field, "received_us");
  EXPECT_EQ(parse_acknowledgement("[]").error().code, ErrorCode::malformed);
}

TEST_F(AckFileTest, ReadsPageByPageAndSaysWhere) {
  write(std::string(kIssued) + "\n\n" + kIssued + "\n" + kIssued + "\n");
  auto file = AckFile::open(path_);
  ASSERT_TRUE(file);
  const auto first = file->next(2);
  ASSERT_TRUE(first);
  ASSERT_EQ(first->size(), 2U);
  EXPECT_EQ((*first)[1].where, path_ + ":3");
  EXPECT_EQ(file->next(2)->size(), 1U);
  EXPECT_TRUE(file->next(2)->empty());
}

TEST_F(AckFileTest, LeavesOutALastLineThatWasCutOff) {
  write(std::string(kIssued) + "\n" + R"({"user":"u2","stat)");
  auto file = AckFile::open(path_);
  ASSERT_TRUE(file);
  EXPECT_EQ(file->next(10)->size(), 1U);
  EXPECT_TRUE(file->next(10)->empty());
}

TEST_F(AckFileTest, NamesTheLineAtFault) {
  write(std::string(kIssued) + "\nnonsense\n");
  auto file = AckFile::open(path_);
  ASSERT_TRUE(file);
  const auto page = file->next(10);
  ASSERT_FALSE(page);
  EXPECT_NE(page.error().detail.find(path_ + " line 2"), std::string::npos);
}

TEST_F(AckFileTest, SaysThatAFileIsNotThere) {
  const auto file = AckFile::open(path_ + ".absent");
  ASSERT_FALSE(file);
  EXPECT_EQ(file.error().code, ErrorCode::unavailable);
}

}  // namespace
}  // namespace doorbuster::audit
