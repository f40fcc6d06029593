#include "net/http_server_fixture.hpp"

namespace doorbuster::net {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

TEST_F(HttpServerTest, StopsReadingWhileTooManyRequestsAreInTheAir) {
  HttpServerOptions options;
  options.most_pipelined = 4;
  serve(options);
  hold_until_ = 4;
  Client client(port_);
  std::string requests;
  for (int i = 0; i < 40; ++i) requests += "GET /hold HTTP/1.1\r\nHost: x\r\n\r\n";
  client.send(requests);  // handled in groups of four: with five in the air at once none would be answered
  for (int i = 0; i < 40; ++i) EXPECT_EQ(client.reply().body, "reply " + std::to_string(i % 4));
}

TEST_F(HttpServerTest, ServesAClientThatReadsSlowlyWithoutBufferingWithoutBound) {
  serve();
  Client client(port_, 4096);
  std::string requests;
  for (int i = 0; i < 200; ++i) requests += "GET /large HTTP/1.1\r\nHost: x\r\n\r\n";
  client.send(requests);
  int whole = 0;
  while (whole < 200 && client.reply().body.size() == 100'000) ++whole;
  EXPECT_EQ(whole, 200);
}

TEST_F(HttpServerTest, CutsOffWhoSendsTooSlowly) {
  HttpServerOptions options;
  options.request_timeout = 50ms;
  serve(options);
  Client client(port_);
  client.send("GET /slow HT");
  EXPECT_EQ(client.reply().status, 408);
  EXPECT_TRUE(client.ended());
}

TEST_F(HttpServerTest, CutsOffWhoSaysNothing) {
  HttpServerOptions options;
  options.idle_timeout = 50ms;
  serve(options);
  Client client(port_);
  EXPECT_TRUE(client.ended());
  EXPECT_EQ(stats().timed_out, 1U);
}

TEST_F(HttpServerTest, CutsOffWhoDoesNotTakeItsReply) {
  HttpServerOptions options;
  options.write_timeout = 50ms;
  serve(options);
  Client client(port_, 4096);
  client.send("GET /much HTTP/1.1\r\nHost: x\r\n\r\n");
  while (stats().timed_out == 0) std::this_thread::yield();
  EXPECT_EQ(client.reply().status, 0);
}

TEST_F(HttpServerTest, RefusesMoreConnectionsThanItsBound) {
  HttpServerOptions options;
  options.most_connections = 1;
  serve(options);
  Client first(port_);
  first.send("GET /x HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_EQ(first.reply().status, 200);
  Client second(port_);
  const auto refused = second.reply();
  EXPECT_EQ(refused.status, 503);
  EXPECT_FALSE(refused.keep_alive);
}

TEST_F(HttpServerTest, SaysWhyAPortCannotBeHad) {
  serve();
  const auto taken = probe_port("127.0.0.1", port_);
  ASSERT_TRUE(taken.has_error());
  EXPECT_THAT(taken.error().detail, HasSubstr("in use"));
  const auto name = probe_port("no address", 0);
  ASSERT_TRUE(name.has_error());
  EXPECT_THAT(name.error().detail, StartsWith("'no address' is not an IP address"));
}

TEST_F(HttpServerTest, TellsAClientThatHasAlreadySentThatItIsRefused) {
  HttpServerOptions options;
  options.most_connections = 1;
  serve(options);
  Client first(port_);
  first.send("GET /x HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_EQ(first.reply().status, 200);
  Client second(port_);
  second.send("GET /x HTTP/1.1\r\nHost: x\r\n\r\n");
  const auto refused = second.reply();
  EXPECT_EQ(refused.status, 503);
  EXPECT_EQ(refused.content_type, "application/problem+json");
  EXPECT_TRUE(second.ended());
  EXPECT_EQ(stats().open, 1U);
  EXPECT_EQ(stats().refused, 1U);
}

TEST_F(HttpServerTest, AnswersWhatIsInTheAirBeforeItSaysThatTheNextIsLate) {
  HttpServerOptions options;
  options.request_timeout = 20ms;
  serve(options);
  Client client(port_);
  client.send("GET /hold HTTP/1.1\r\nHost: x\r\n\r\nGET /late");
  while (stats().timed_out == 0) std::this_thread::yield();
  shard_.run([&] { release(); });
  EXPECT_EQ(client.reply().body, "reply 0");
  EXPECT_EQ(client.reply().status, 408);
  EXPECT_TRUE(client.ended());
}

}  // namespace
}  // namespace doorbuster::net
