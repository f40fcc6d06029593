#include "net/http_client.hpp"

#include <gtest/gtest.h>

#include "net/http_server.hpp"

namespace doorbuster::net {
namespace {

TEST(ParseUrl, TakesHostPortAndPath) {
  const auto url = *parse_url("http://127.0.0.1:8080/base/");
  EXPECT_EQ(url.host, "127.0.0.1");
  EXPECT_EQ(url.port, "8080");
  EXPECT_EQ(url.path, "/base");
  EXPECT_EQ(parse_url("http://example")->port, "80");
  EXPECT_EQ(parse_url("http://[::1]:9")->host, "::1");
}

TEST(ParseUrl, RefusesWhatIsNone) {
  for (const auto* text : {"", "localhost:8080", "https://x", "http://", "http://:80", "http://x:port",
                           "http://x:123456", "http://a b", "http://x/a?b", "http://user@x"}) {
    EXPECT_TRUE(parse_url(text).has_error()) << text;
  }
}

TEST(HttpClient, ExchangesWithAServer) {
  rt::Shard shard("test");
  shard.start();
  std::unique_ptr<HttpServer> server;
  std::uint16_t port = 0;
  shard.run([&] {
    server = std::make_unique<HttpServer>(
        shard, HttpServerOptions{}, [](const http::Request& request, Responder responder) {
          http::Response response;
          response.status = 201;
          response.body = std::string(request.header("Authorization")) + "|" + std::string(request.target) +
                          "|" + std::string(request.body);
          responder.send(response);
        });
    ASSERT_TRUE(server->listen());
    port = server->port();
  });
  HttpClient client(*parse_url("http://127.0.0.1:" + std::to_string(port) + "/base"), "secret");
  const auto response = client.exchange("POST", "/x", "{}");
  ASSERT_TRUE(response) << response.error().detail;
  EXPECT_EQ(response->status, 201);
  EXPECT_EQ(response->body, "Bearer secret|/base/x|{}");
  shard.run([&] { server = nullptr; });
  EXPECT_EQ(client.exchange("GET", "/").error().code, ErrorCode::unavailable);
  shard.stop();
}

TEST(HttpClient, SaysWhichHostItDoesNotFind) {
  HttpClient client(*parse_url("http://no-such-host.invalid:1"));
  const auto response = client.exchange("GET", "/");
  ASSERT_TRUE(response.has_error());
  EXPECT_NE(response.error().detail.find("no-such-host.invalid"), std::string::npos);
}

}  // namespace
}  // namespace doorbuster::net
