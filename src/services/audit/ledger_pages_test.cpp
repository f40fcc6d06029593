#include "services/audit/ledger_pages.hpp"

#include <gtest/gtest.h>

namespace doorbuster::audit {
namespace {

std::string line(int sequence, bool pending = false) {
  return "{\"sequence\":" + std::to_string(sequence) + R"(,"user_id":"u)" + std::to_string(sequence) +
         R"(","code":"0123456789ABCDEF","decided_at":"2026-01-01T00:00:00.000001Z","pending":)" +
         (pending ? "true" : "false") + R"(,"refilled":false,"epoch":1,"revision":2})" + "\n";
}

TEST(LedgerPages, AsksOnAfterTheLastNumberUntilNothingComes) {
  std::vector<std::string> asked;
  LedgerPages pages(*CampaignId::parse("c"), [&asked](const std::string& target) -> Result<std::string> {
    asked.push_back(target);
    return asked.size() == 1 ? line(1) + line(2, true) : std::string();
  });
  const auto first = pages.next(100);
  ASSERT_TRUE(first);
  ASSERT_EQ(first->size(), 2U);
  EXPECT_EQ((*first)[0].coupon.user.text(), "u1");
  EXPECT_FALSE((*first)[0].pending);
  EXPECT_TRUE((*first)[1].pending);
  EXPECT_EQ((*first)[1].revision, 2U);
  EXPECT_TRUE(pages.next(100)->empty());
  EXPECT_EQ(asked[0], "/v1/admin/campaigns/c/ledger?after=0&limit=100");
  EXPECT_EQ(asked[1], "/v1/admin/campaigns/c/ledger?after=2&limit=100");
}

TEST(LedgerPages, RefusesNumbersThatDoNotAscend) {
  LedgerPages pages(*CampaignId::parse("c"),
                    [](const std::string&) -> Result<std::string> { return line(2) + line(2); });
  EXPECT_EQ(pages.next(100).error().code, ErrorCode::corrupt);
}

TEST(LedgerPages, PassesAFailureOn) {
  LedgerPages pages(*CampaignId::parse("c"), [](const std::string&) -> Result<std::string> {
    return make_error(ErrorCode::unavailable, "refused");
  });
  EXPECT_EQ(pages.next(100).error().code, ErrorCode::unavailable);
}

TEST(LedgerPages, AsksForTheMissingNumbers) {
  std::string asked;
  LedgerPages pages(*CampaignId::parse("c"), [&asked](const std::string& target) -> Result<std::string> {
    asked = target;
    return std::string(R"({"missing":[{"first":2,"last":2},{"first":4,"last":6}]})");
  });
  const auto missing = pages.missing();
  ASSERT_TRUE(missing);
  EXPECT_EQ(*missing, (std::vector<NumberRange>{{2, 2}, {4, 6}}));
  EXPECT_EQ(asked, "/v1/admin/campaigns/c/ledger/missing");
}

TEST(ParseMissing, NamesWhatIsWrong) {
  EXPECT_TRUE(parse_missing(R"({"missing":[]})")->empty());
  EXPECT_EQ(parse_missing("[").error().code, ErrorCode::malformed);
  EXPECT_EQ(parse_missing("{}").error().field, "missing");
  EXPECT_EQ(parse_missing(R"({"missing":1})").error().field, "missing");
  EXPECT_EQ(parse_missing(R"({"missing":[1]})").error().field, "missing");
  EXPECT_EQ(parse_missing(R"({"missing":[{"first":1}]})").error().field, "last");
  EXPECT_EQ(parse_missing(R"({"missing":[{"last":1}]})").error().field, "first");
}

TEST(ParseHolder, NamesAMissingField) {
  EXPECT_EQ(parse_holder(R"({"sequence":1})").error().field, "user_id");
  EXPECT_EQ(parse_holder(R"({"user_id":"a"})").error().field, "sequence");
}

}  // namespace
}  // namespace doorbuster::audit
