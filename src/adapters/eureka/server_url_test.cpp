#include "adapters/eureka/server_url.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace doorbuster {
namespace {

using testing::HasSubstr;
using testing::Not;

TEST(RegistryServers, AreReadAsEurekasClientsWriteThem) {
  const auto servers = parse_registry_servers(
      "http://127.0.0.1:8761/eureka/, http://user:p%40ss@peer:8762/eureka/v2,http://x");
  ASSERT_TRUE(servers) << servers.error().detail;
  ASSERT_EQ(servers->size(), 3u);
  EXPECT_EQ((*servers)[0].url.path, "/eureka");
  EXPECT_EQ((*servers)[0].authorization, "");
  EXPECT_EQ((*servers)[1].url.host, "peer");
  EXPECT_EQ((*servers)[1].url.path, "/eureka/v2");
  EXPECT_EQ((*servers)[1].authorization, "Basic dXNlcjpwQHNz");
  EXPECT_EQ((*servers)[1].shown, "peer:8762");
  EXPECT_EQ((*servers)[2].url.port, "80");
  EXPECT_EQ((*servers)[2].url.path, "/eureka");
}

TEST(RegistryServers, PadTheirCredentials) {
  EXPECT_EQ((*parse_registry_servers("http://a:b@x"))[0].authorization, "Basic YTpi");
  EXPECT_EQ((*parse_registry_servers("http://a:bc@x"))[0].authorization, "Basic YTpiYw==");
  EXPECT_EQ((*parse_registry_servers("http://a:bcd@x"))[0].authorization, "Basic YTpiY2Q=");
}

TEST(RegistryServers, RefusalsDoNotRepeatSecrets) {
  for (const auto* text : {"", "localhost:8761", "http://", "http://a,,http://b", "http://x:y@h:port/"}) {
    EXPECT_TRUE(parse_registry_servers(text).has_error()) << text;
  }
  EXPECT_THAT(parse_registry_servers("https://me:secret@h").error().detail, Not(HasSubstr("secret")));
  EXPECT_THAT(parse_registry_servers("https://h").error().detail, HasSubstr("https is not offered yet"));
}

TEST(LocalAddress, IsTheOneOnTheWay) {
  EXPECT_EQ(local_address_towards({"127.0.0.1", "8761", ""}), "127.0.0.1");
  EXPECT_EQ(local_address_towards({"no-such-host.invalid", "8761", ""}), "");
}

TEST(PathSegment, KeepsColonsAndEscapesTheRest) {
  EXPECT_EQ(path_segment("10.0.0.1:coupon-api:8081"), "10.0.0.1:coupon-api:8081");
  EXPECT_EQ(path_segment("a b/c?ä"), "a%20b%2Fc%3F%C3%A4");
}

}  // namespace
}  // namespace doorbuster
