// Instances whose replies do not belong to the requests: no client ever gets another one's reply.

#include "services/gateway/gateway_fixture.hpp"

namespace doorbuster::gateway {
namespace {

using net::Client;
using Connection = ScriptedUpstream::Connection;

class Correlation : public GatewayTest {
 protected:
  /// A GET is repeated and well answered; nobody sees what the bad connection said.
  void expect_killed_and_repeated(ScriptedUpstream::Script script) {
    FirstConnectionFails upstream(std::move(script));
    serve({instance(upstream.port(), true)});
    Client client(port_);
    client.send(get("/mine"));
    const auto reply = client.reply();
    EXPECT_EQ(reply.status, 200);
    EXPECT_EQ(reply.body, "/mine");
    EXPECT_EQ(upstream.connections(), 2);
    EXPECT_EQ(upstream_stats().desynchronised, 1u);
    EXPECT_EQ(stats().retries_idempotent, 1u);
  }
};

TEST_F(Correlation, AWrongNumberKillsTheConnection) {
  expect_killed_and_repeated([](Connection& connection) {
    if (connection.read()) connection.send(reply_with("Doorbuster-Correlation: 99999999\r\n", "not yours"));
    connection.rest();
  });
}

TEST_F(Correlation, AMissingNumberKillsTheConnection) {
  expect_killed_and_repeated([](Connection& connection) {
    if (connection.read()) connection.send(reply_with("", "not yours"));
    connection.rest();
  });
}

TEST_F(Correlation, ANumberWithSomethingBehindItKillsTheConnection) {
  expect_killed_and_repeated([](Connection& connection) {
    if (const auto request = connection.read()) {
      auto line = request->correlation;
      line.insert(line.size() - 2, "x");
      connection.send(reply_with(line, "not yours"));
    }
    connection.rest();
  });
}

TEST_F(Correlation, RepliesInTheWrongOrderReachNobody) {
  FirstConnectionFails upstream([&](Connection& connection) {
    const auto one = connection.read();
    const auto two = connection.read();
    if (!one || !two) return;
    connection.send(reply_with(two->correlation, "of " + two->target) +
                    reply_with(one->correlation, "of " + one->target));
    connection.rest();
  });
  serve({instance(upstream.port(), true)});
  Client first(port_);
  Client second(port_);
  first.send(get("/one"));
  second.send(get("/two"));
  EXPECT_EQ(first.reply().body, "/one");
  EXPECT_EQ(second.reply().body, "/two");
  EXPECT_EQ(upstream_stats().desynchronised, 1u);
}

TEST_F(Correlation, AnsweringTwiceKillsTheConnection) {
  FirstConnectionFails upstream([](Connection& connection) {
    if (const auto request = connection.read()) {
      const auto reply = reply_with(request->correlation, "once");
      connection.send(reply + reply);
    }
    connection.rest();
  });
  serve({instance(upstream.port(), true)});
  Client client(port_);
  client.send(get("/a"));
  EXPECT_EQ(client.reply().body, "once");
  EXPECT_TRUE(eventually([&] { return upstreams_->stats().desynchronised == 1; }));
  client.send(get("/b"));
  EXPECT_EQ(client.reply().body, "/b");
}

TEST_F(GatewayTest, AnExclusiveConnectionThatAnswersTwiceIsNeverUsedAgain) {
  FirstConnectionFails upstream([](Connection& connection) {
    if (connection.read()) connection.send(reply_with("", "once") + reply_with("", "for the next one"));
    connection.rest();
  });
  serve({instance(upstream.port(), false)});
  Client client(port_);
  client.send(get("/a"));
  EXPECT_EQ(client.reply().body, "once");
  client.send(get("/b"));
  EXPECT_EQ(client.reply().body, "/b");
}

TEST_F(GatewayTest, AnExclusiveConnectionThatTalksUnaskedIsNeverUsedAgain) {
  Signal answered;
  Signal spoken;
  FirstConnectionFails upstream([&](Connection& connection) {
    if (const auto request = connection.read()) connection.answer(*request, "good");
    answered.wait();
    connection.send(reply_with("", "for nobody"));
    spoken.give();
    connection.rest();
  });
  serve({instance(upstream.port(), false)});
  Client client(port_);
  client.send(get("/a"));
  EXPECT_EQ(client.reply().body, "good");
  answered.give();
  EXPECT_TRUE(spoken.wait());
  EXPECT_TRUE(eventually([&] { return upstreams_->stats().desynchronised == 1; }));
  client.send(get("/b"));
  EXPECT_EQ(client.reply().body, "/b");
}

}  // namespace
}  // namespace doorbuster::gateway
