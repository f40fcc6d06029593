#include "services/gateway/route.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "proto/http/request_parser.hpp"

namespace doorbuster::gateway {
namespace {

struct Asked {
  explicit Asked(std::string text) : bytes(std::move(text)) {
    EXPECT_EQ(parser.parse(bytes), http::RequestParser::Status::complete) << bytes;
  }
  const http::Request& request() const { return parser.request(); }
  std::string bytes;
  http::RequestParser parser;
};

Asked asked(const std::string& method, const std::string& target, const std::string& fields = "Host: a\r\n") {
  return Asked(method + " " + target + " HTTP/1.1\r\n" + fields + "\r\n");
}

RouteEntry entry(const std::string& path, const std::string& to = "lb://api") {
  RouteEntry made;
  made.path = path;
  made.to = to;
  made.place = "file.yaml:7";
  return made;
}

RouteTable table(std::vector<RouteEntry> entries) {
  auto made = RouteTable::make(entries);
  EXPECT_TRUE(made) << made.error().detail;
  return std::move(*made);
}

TEST(Routes, TheFirstThatMatchesTakesTheRequest) {
  const auto routes = table({entry("/v1/special", "lb://a"), entry("/v1", "lb://b"), entry("", "lb://c")});
  const auto service = [&](const std::string& target) {
    return routes.find(asked("GET", target).request())->service;
  };
  EXPECT_EQ(service("/v1/special/x"), "a");
  EXPECT_EQ(service("/v1/specialist"), "b");
  EXPECT_EQ(service("/v1"), "b");
  EXPECT_EQ(service("/v1?x=/v2"), "b");
  EXPECT_EQ(service("/v10"), "c");
}

TEST(Routes, MatchHostMethodAndHeader) {
  auto one = entry("/");
  one.host = "*.Example.com";
  one.methods = "GET, PURGE";
  one.header = "X-Version: 2";
  const auto routes = table({one});
  const auto found = [&](const std::string& method, const std::string& fields) {
    return routes.find(asked(method, "/", fields).request()) != nullptr;
  };
  EXPECT_TRUE(found("GET", "Host: shop.EXAMPLE.com:8080\r\nx-version: 2\r\n"));
  EXPECT_TRUE(found("PURGE", "Host: shop.example.com\r\nX-Version: 2\r\n"));
  EXPECT_FALSE(found("POST", "Host: shop.example.com\r\nX-Version: 2\r\n"));
  EXPECT_FALSE(found("GET", "Host: example.com\r\nX-Version: 2\r\n"));
  EXPECT_FALSE(found("GET", "Host: evilexample.com\r\nX-Version: 2\r\n"));
  EXPECT_FALSE(found("GET", "Host: shop.example.com\r\nX-Version: 3\r\n"));
  EXPECT_FALSE(found("GET", "Host: shop.example.com\r\n"));
}

TEST(Routes, TheStandardOnesLeadToTheApi) {
  const auto routes = table(RouteTable::standard());
  EXPECT_EQ(routes.find(asked("GET", "/v1/campaigns").request())->service, "coupon-api");
  EXPECT_EQ(routes.find(asked("POST", "/coupon/issue").request())->service, "coupon-api");
  EXPECT_TRUE(routes.find(asked("GET", "/v1/campaigns/a/coupons.csv").request())->exclusive);
  EXPECT_EQ(routes.find(asked("GET", "/metrics").request()), nullptr);
}

TEST(Routes, KnowWhatMayBeRepeated) {
  const auto routes = table(RouteTable::standard());
  const auto idempotent = [&](const std::string& method, const std::string& target,
                              const std::string& fields = "Host: a\r\n") {
    const auto request = asked(method, target, fields);
    return routes.find(request.request())->is_idempotent(request.request());
  };
  EXPECT_TRUE(idempotent("GET", "/v1/campaigns"));
  EXPECT_TRUE(idempotent("POST", "/v1/campaigns/default/coupons"));
  EXPECT_TRUE(idempotent("POST", "/coupon/issue"));
  EXPECT_FALSE(idempotent("POST", "/v1/campaigns"));
  EXPECT_FALSE(idempotent("POST", "/v1/campaigns/a/b/coupons"));
  EXPECT_FALSE(idempotent("POST", "/v1/campaigns//coupons"));
  EXPECT_FALSE(idempotent("POST", "/v1/coupons/X/redemption"));
  EXPECT_TRUE(idempotent("POST", "/v1/coupons/X/redemption", "Host: a\r\nIdempotency-Key: k\r\n"));
  EXPECT_FALSE(idempotent("PATCH", "/v1/campaigns/a"));
  EXPECT_FALSE(idempotent("BREW", "/v1/campaigns/a"));
}

TEST(Routes, ReadAddresses) {
  const auto routes = table({entry("/a", "http://10.0.0.1:9000, http://[::1]:80,http://name"),
                             entry("/b", "http://10.0.0.1:9000, http://[::1]:80,http://name")});
  const auto& first = routes.routes()[0];
  ASSERT_EQ(first.addresses.size(), 3u);
  EXPECT_EQ(first.addresses[0].port, 9000);
  EXPECT_EQ(first.addresses[1].host, "::1");
  EXPECT_EQ(first.addresses[2].port, 80);
  EXPECT_EQ(routes.routes()[1].name, first.name) << "the same instances";
}

TEST(Routes, SayWhereTheyAreWrong) {
  const auto complaint = [](RouteEntry wrong) { return RouteTable::make({std::move(wrong)}).error().detail; };
  EXPECT_THAT(complaint(entry("v1")), testing::StartsWith("file.yaml:7: 'v1'"));
  for (const auto* to :
       {"", "lb://", "lb://a b", "ftp://x", "http://x:0", "http://x:99999", "http://x/path"}) {
    EXPECT_THAT(complaint(entry("/v1", to)), testing::StartsWith("file.yaml:7: ")) << to;
  }
  auto wrong = entry("/");
  wrong.timeout = "5";
  EXPECT_THAT(complaint(wrong), testing::StartsWith("file.yaml:7: "));
  wrong = entry("/");
  wrong.exclusive = "yes";
  EXPECT_THAT(complaint(wrong), testing::StartsWith("file.yaml:7: "));
}

TEST(Paths, AmbiguousOnesAreKnown) {
  for (const auto* path : {"/a/../b", "/..", "/.", "/a/./b", "/%2e%2e/a", "/a/.%2E", "/a/..;x=1/b", "/a%2fb",
                           "/a%5Cb", "/a\\b", "/a%00"}) {
    EXPECT_TRUE(is_ambiguous_path(path)) << path;
  }
  for (const auto* path : {"/", "/a.b", "/a/..b", "/a/...", "/.well-known/x", "/a//b", "/%41", "/a%2", "*"}) {
    EXPECT_FALSE(is_ambiguous_path(path)) << path;
  }
}

}  // namespace
}  // namespace doorbuster::gateway
