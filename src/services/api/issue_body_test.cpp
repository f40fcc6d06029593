#include "services/api/issue_body.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/random.hpp"
#include "services/api/json_object.hpp"

namespace doorbuster::api {
namespace {

using testing::EndsWith;

std::string user_in(std::string_view body) {
  const auto user = parse_issue_body(body);
  if (!user) return "error: " + user.error().detail;
  return *user ? std::string((*user)->text()) : "none";
}

TEST(IssueBody, TakesStringsAndIntegersUnderBothNames) {
  EXPECT_EQ(user_in(R"({"user_id":"u-1"})"), "u-1");
  EXPECT_EQ(user_in(R"({"user_id": 123})"), "123");
  EXPECT_EQ(user_in(R"({"userId":123})"), "123");
  EXPECT_EQ(user_in(R"({"userId":"a@b.c:1_2"})"), "a@b.c:1_2");
  EXPECT_EQ(user_in(" {\r\n\t\"user_id\" : \"x\" } \n"), "x");
  EXPECT_EQ(user_in(R"({"user_id":0})"), "0");
  EXPECT_EQ(user_in(R"({"user_id":18446744073709551615})"), "18446744073709551615");
  EXPECT_EQ(user_in(R"({"user_id":"A\u0042\/"})").substr(0, 5), "error");
  EXPECT_EQ(user_in(R"({"user_id":"A\u0042"})"), "AB");
  EXPECT_EQ(user_in(R"({"us\u0065r_id":"x"})"), "x");
}

TEST(IssueBody, IgnoresOtherMembers) {
  EXPECT_EQ(user_in(R"({"a":[1,{"user_id":"no"}],"user_id":"yes","b":{"userId":2}})"), "yes");
  EXPECT_EQ(user_in(R"({"x":1})"), "none");
}

TEST(IssueBody, NamesNobodyWhenEmpty) {
  EXPECT_EQ(user_in(""), "none");
  EXPECT_EQ(user_in(" \n"), "none");
  EXPECT_EQ(user_in("{}"), "none");
}

TEST(IssueBody, SaysWhereJsonBreaks) {
  for (const auto& [body, offset] : std::initializer_list<std::pair<std::string_view, std::string_view>>{
           {R"({"user_id":)", "at byte 11"},
           {R"({"user_id":}")", "at byte 11"},
           {R"({"user_id":012})", "at byte 12"},
           {R"({'user_id':1})", "at byte 1"},
           {R"({"user_id":1} x)", "at byte 14"},
           {"not json", "at byte 0"},
           {"{\"user_id\":\"\xff\"}", "at byte 12"}}) {
    const auto user = parse_issue_body(body);
    ASSERT_FALSE(user) << body;
    EXPECT_EQ(user.error().code, ErrorCode::malformed) << body;
    EXPECT_THAT(user.error().detail, EndsWith(offset)) << body;
  }
}

TEST(IssueBody, NamesTheFieldAtFault) {
  for (const auto& [body, field] : std::initializer_list<std::pair<std::string_view, std::string_view>>{
           {R"({"user_id":-1})", "user_id"},
           {R"({"user_id":1.0})", "user_id"},
           {R"({"user_id":1e3})", "user_id"},
           {R"({"user_id":18446744073709551616})", "user_id"},
           {R"({"user_id":null})", "user_id"},
           {R"({"user_id":true})", "user_id"},
           {R"({"user_id":["a"]})", "user_id"},
           {R"({"user_id":""})", "user_id"},
           {R"({"user_id":"a b"})", "user_id"},
           {R"({"userId":{}})", "userId"},
           {R"({"userId":"ü"})", "userId"},
           {R"({"user_id":1,"user_id":1})", "user_id"},
           {R"({"a":1,"a":2,"user_id":1})", "a"},
           {R"({"user_id":1,"userId":1})", "user_id"}}) {
    const auto user = parse_issue_body(body);
    ASSERT_FALSE(user) << body;
    EXPECT_EQ(user.error().code, ErrorCode::invalid) << body;
    EXPECT_EQ(user.error().field, field) << body;
  }
  EXPECT_FALSE(parse_issue_body(R"({"user_id":")" + std::string(65, 'a') + R"("})"));
  EXPECT_TRUE(parse_issue_body(R"({"user_id":")" + std::string(64, 'a') + R"("})"));
}

TEST(IssueBody, TakesOnlyAnObject) {
  for (const std::string_view body : {"[]", "1", "null", "\"user_id\"", "[{\"user_id\":1}]"}) {
    const auto user = parse_issue_body(body);
    ASSERT_FALSE(user) << body;
    EXPECT_EQ(user.error().code, ErrorCode::malformed) << body;
  }
}

TEST(IssueBody, TheShortWayNeverDisagreesWithTheLongWay) {
  // Bodies one to three changes away from plain ones: many of them are just inside or outside of the plain
  // shape.
  SeededRandom random(11);
  const std::string_view seeds[] = {R"({"user_id":"u-1"})", R"({"userId": 123})", R"( { "user_id" : 9 } )"};
  const std::string_view alphabet = "{}\":,\\ \n0129aeu_-+.[]\xc3\x28";
  int plain = 0;
  for (int i = 0; i < 50'000; ++i) {
    std::string body(seeds[random.below(3)]);
    const auto changes = random.below(4);
    for (std::uint64_t change = 0; change < changes; ++change) {
      const char c = alphabet[random.below(alphabet.size())];
      const auto at = random.below(body.size());
      switch (random.below(3)) {
        case 0:
          body[at] = c;
          break;
        case 1:
          body.insert(at, 1, c);
          break;
        default:
          body.erase(at, 1);
          break;
      }
      if (body.empty()) break;
    }
    const auto fast = detail::parse_plain_issue_body(body);
    if (!fast) continue;
    ++plain;
    const auto slow = detail::parse_any_issue_body(body);
    ASSERT_TRUE(slow && *slow) << body;
    EXPECT_EQ(**slow, *fast) << body;
  }
  EXPECT_GT(plain, 10'000);
  EXPECT_TRUE(detail::parse_plain_issue_body(R"({"user_id":"u-1"})"));
  EXPECT_TRUE(detail::parse_plain_issue_body(R"({"userId":123})"));
}

TEST(JsonObject, BoundsTheNumberOfMembers) {
  const auto object_of = [](std::size_t members) {
    std::string text = "{";
    for (std::size_t i = 0; i < members; ++i) text += (i == 0 ? "\"" : ",\"") + std::to_string(i) + "\":0";
    return JsonObject::parse(text + "}");
  };
  EXPECT_TRUE(object_of(JsonObject::kMostMembers));
  const auto larger = object_of(JsonObject::kMostMembers + 1);
  ASSERT_FALSE(larger);
  EXPECT_EQ(larger.error().code, ErrorCode::invalid);
}

TEST(JsonObject, BoundsNesting) {
  const std::string deep = "{\"a\":" + std::string(1000, '[') + std::string(1000, ']') + "}";
  const auto object = JsonObject::parse(deep);
  ASSERT_FALSE(object);
  EXPECT_EQ(object.error().code, ErrorCode::malformed);
}

}  // namespace
}  // namespace doorbuster::api
