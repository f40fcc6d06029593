#include "net/http_server_fixture.hpp"

namespace doorbuster::net {
namespace {

TEST_F(HttpServerTest, DrainsWhatIsInTheAirAndClosesTheRest) {
  serve();
  Client idle(port_);
  idle.send("GET /x HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_EQ(idle.reply().status, 200);
  Client busy(port_);
  busy.send("GET /hold HTTP/1.1\r\nHost: x\r\n\r\n");
  while (handled_ < 2) std::this_thread::yield();
  std::promise<void> drained;
  shard_.run([&] { server_->drain(10s, [&] { drained.set_value(); }); });
  EXPECT_TRUE(idle.ended());
  shard_.run([&] { release(); });
  EXPECT_EQ(busy.reply().status, 200);
  EXPECT_TRUE(busy.ended());
  drained.get_future().wait();
  EXPECT_EQ(stats().open, 0U);
}

TEST_F(HttpServerTest, DrainEndsAfterItsPatience) {
  serve();
  Client busy(port_);
  busy.send("GET /hold HTTP/1.1\r\nHost: x\r\n\r\n");
  while (handled_ < 1) std::this_thread::yield();
  std::promise<void> drained;
  shard_.run([&] { server_->drain(20ms, [&] { drained.set_value(); }); });
  drained.get_future().wait();
  EXPECT_TRUE(busy.ended());
}

TEST_F(HttpServerTest, DrainSaysCloseOnTheLastReplyInTheAir) {
  serve();
  Client client(port_);
  client.send("GET /hold HTTP/1.1\r\nHost: x\r\n\r\nGET /hold HTTP/1.1\r\nHost: x\r\n\r\n");
  while (handled_ < 2) std::this_thread::yield();
  std::promise<void> drained;
  shard_.run([&] {
    server_->drain(10s, [&] { drained.set_value(); });
    release();
  });
  EXPECT_TRUE(client.reply().keep_alive);
  EXPECT_FALSE(client.reply().keep_alive);
  EXPECT_TRUE(client.ended());
  client.close();
  drained.get_future().wait();
}

TEST_F(HttpServerTest, DrainAnswersWhoHasConnectedAndSentButWasNotYetAccepted) {
  serve();
  std::optional<Client> client;
  std::promise<void> drained;
  shard_.run([&] {  // the shard is busy here: the connection waits in the backlog
    client.emplace(port_);
    client->send("GET /x HTTP/1.1\r\nHost: x\r\n\r\n");
    server_->drain(10s, [&] { drained.set_value(); });
  });
  const auto reply = client->reply();
  EXPECT_EQ(reply.status, 200);
  EXPECT_FALSE(reply.keep_alive);
  client->close();
  drained.get_future().wait();
}

TEST_F(HttpServerTest, DrainLetsARequestEndThatHasBegun) {
  serve();
  Client client(port_);
  client.send("GET /x HTTP/1.1\r\nHost: x\r\n\r\nGET /y HTTP/1.1\r\n");
  EXPECT_EQ(client.reply().status, 200);
  std::promise<void> drained;
  shard_.run([&] { server_->drain(10s, [&] { drained.set_value(); }); });
  client.send("Host: x\r\n\r\n");
  const auto reply = client.reply();
  EXPECT_EQ(reply.body, "GET /y ");
  EXPECT_FALSE(reply.keep_alive);
  client.close();
  drained.get_future().wait();
}

TEST_F(HttpServerTest, DrainClosesWhoStillReadsAReplyOnceItHasAll) {
  serve();
  Client client(port_, 4096);
  client.send("GET /large HTTP/1.1\r\nHost: x\r\n\r\nGET /large HTTP/1.1\r\nHost: x\r\n\r\n");
  while (handled_ < 2) std::this_thread::yield();
  std::promise<void> drained;
  shard_.run([&] { server_->drain(10s, [&] { drained.set_value(); }); });
  EXPECT_EQ(client.reply().body.size(), 100'000U);
  EXPECT_EQ(client.reply().body.size(), 100'000U);
  EXPECT_TRUE(client.ended());
  client.close();
  drained.get_future().wait();
}

}  // namespace
}  // namespace doorbuster::net
