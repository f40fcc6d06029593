#include "services/gateway/filters.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "proto/http/request_parser.hpp"

namespace doorbuster::gateway {
namespace {

using testing::HasSubstr;
using testing::Not;

/// Runs one filter over a request.
struct Filtered {
  Filtered(Filter& filter, const std::string& fields, const char* method = "GET")
      : bytes(std::string(method) + " / HTTP/1.1\r\nHost: a\r\n" + fields + "\r\n") {
    EXPECT_EQ(parser.parse(bytes), http::RequestParser::Status::complete);
    passage.request = &parser.request();
    answer = filter.on_request(passage);
  }
  std::string bytes;
  http::RequestParser parser;
  Passage passage;
  std::optional<http::Response> answer;
};

TEST(Cors, AllowsItsOriginsAndAnswersPreflights) {
  Cors cors({"https://shop.example"});
  const Filtered plain(cors, "Origin: https://shop.example\r\n");
  EXPECT_FALSE(plain.answer);
  EXPECT_THAT(plain.passage.reply_added, HasSubstr("Access-Control-Allow-Origin: https://shop.example"));
  EXPECT_THAT(plain.passage.reply_added, HasSubstr("Vary: Origin"));
  const Filtered preflight(cors, "Origin: https://shop.example\r\nAccess-Control-Request-Method: POST\r\n",
                           "OPTIONS");
  ASSERT_TRUE(preflight.answer);
  EXPECT_EQ(preflight.answer->status, 204);
  EXPECT_THAT(preflight.passage.reply_added, HasSubstr("Access-Control-Allow-Methods: "));
}

TEST(Cors, GivesStrangersNothing) {
  Cors cors({"https://shop.example"});
  const Filtered plain(cors, "Origin: https://evil.example\r\n");
  EXPECT_FALSE(plain.answer);
  EXPECT_THAT(plain.passage.reply_added, Not(HasSubstr("Access-Control")));
  const Filtered preflight(cors, "Origin: null\r\nAccess-Control-Request-Method: POST\r\n", "OPTIONS");
  ASSERT_TRUE(preflight.answer);
  EXPECT_THAT(preflight.passage.reply_added, Not(HasSubstr("Access-Control")));
}

TEST(Cors, AnOrdinaryOptionsRequestPasses) {
  Cors cors({"*"});
  EXPECT_FALSE(Filtered(cors, "", "OPTIONS").answer);
}

TEST(TraceContextTest, KnowsWhatIsValid) {
  const std::string good = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
  EXPECT_TRUE(TraceContext::is_valid(good));
  EXPECT_TRUE(TraceContext::is_valid("cc" + good.substr(2) + "-what-is-new"));
  EXPECT_FALSE(TraceContext::is_valid(good + "-x"));
  EXPECT_FALSE(TraceContext::is_valid("ff" + good.substr(2)));
  EXPECT_FALSE(TraceContext::is_valid("00-00000000000000000000000000000000-b7ad6b7169203331-01"));
  EXPECT_FALSE(TraceContext::is_valid("00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01"));
  EXPECT_FALSE(TraceContext::is_valid("00-0AF7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"));
  EXPECT_FALSE(TraceContext::is_valid(""));
}

TEST(RequestIdTest, IdsAreMadeUniqueAndForeignOnesMustBeSensible) {
  SeededRandom random(5);
  RequestId filter(random);
  const Filtered one(filter, "");
  const Filtered two(filter, "");
  EXPECT_EQ(one.passage.request_id.size(), 32u);
  EXPECT_NE(one.passage.request_id, two.passage.request_id);
  EXPECT_EQ(Filtered(filter, "X-Request-Id: order-2026.11_25\r\n").passage.request_id, "order-2026.11_25");
  EXPECT_NE(Filtered(filter, "X-Request-Id: short\r\n").passage.request_id, "short");
  EXPECT_EQ(Filtered(filter, "X-Request-Id: " + std::string(65, 'a') + "\r\n").passage.request_id.size(),
            32u);
}

TEST(AccessLogTest, ChoosesEveryNth) {
  AccessLog access_log(3);
  int chosen = 0;
  for (int i = 0; i < 9; ++i) chosen += Filtered(access_log, "").passage.logged ? 1 : 0;
  EXPECT_EQ(chosen, 3);
}

TEST(AddressRangesTest, ContainWhatTheySay) {
  const auto ranges = AddressRanges::parse("10.0.0.0/8, 192.168.1.7, fd00::/9");
  ASSERT_TRUE(ranges);
  EXPECT_TRUE(ranges->contains("10.255.0.1"));
  EXPECT_FALSE(ranges->contains("11.0.0.1"));
  EXPECT_TRUE(ranges->contains("192.168.1.7"));
  EXPECT_FALSE(ranges->contains("192.168.1.8"));
  EXPECT_TRUE(ranges->contains("fd7f::1"));
  EXPECT_FALSE(ranges->contains("fd80::1"));
  EXPECT_FALSE(ranges->contains("nonsense"));
  EXPECT_FALSE(AddressRanges::parse("")->contains("10.0.0.1"));
  for (const auto* bad : {"10.0.0.0/33", "10.0.0", "x", "::1/129", "10.0.0.0/"}) {
    EXPECT_FALSE(AddressRanges::parse(bad)) << bad;
  }
}

}  // namespace
}  // namespace doorbuster::gateway
