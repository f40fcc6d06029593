// Instances that behave badly: what is retried, and what is told to the client.

#include "services/gateway/gateway_fixture.hpp"

namespace doorbuster::gateway {
namespace {

using net::Client;
using Connection = ScriptedUpstream::Connection;

class BothWays : public GatewayTest, public testing::WithParamInterface<bool> {};

INSTANTIATE_TEST_SUITE_P(Upstream, BothWays, testing::Bool(),
                         [](const auto& tested) { return tested.param ? "pipelined" : "exclusive"; });

TEST_P(BothWays, ALostConnectionIsRepeatedForAGet) {
  FirstConnectionFails upstream([](Connection& connection) {
    connection.read();
    connection.reset();
  });
  serve({instance(upstream.port(), GetParam())});
  Client client(port_);
  client.send(get("/a"));
  EXPECT_EQ(client.reply().body, "/a");
}

TEST_P(BothWays, ALostConnectionIsAnUnknownOutcomeForAPost) {
  FirstConnectionFails upstream([](Connection& connection) {
    connection.read();
    connection.close();
  });
  serve({instance(upstream.port(), GetParam())});
  Client client(port_);
  client.send(post("/a", "x"));
  const auto reply = client.reply();
  EXPECT_EQ(reply.status, 502);
  EXPECT_THAT(reply.body, HasSubstr("/problems/unknown-outcome"));
  EXPECT_TRUE(reply.keep_alive);
  client.send(post("/b", "x"));
  EXPECT_EQ(client.reply().body, "/b");
}

TEST_P(BothWays, APostThatIsDeclaredIdempotentIsRepeated) {
  FirstConnectionFails upstream([](Connection& connection) {
    connection.read();
    connection.reset();
  });
  serve({instance(upstream.port(), GetParam())});
  Client client(port_);
  client.send(post("/once/7/same", "x"));
  EXPECT_EQ(client.reply().body, "/once/7/same");
}

TEST_P(BothWays, AShorterBodyThanSaidIsNoReply) {
  FirstConnectionFails upstream([](Connection& connection) {
    if (const auto request = connection.read()) {
      connection.send("HTTP/1.1 200 OK\r\n" + request->correlation + "Content-Length: 100\r\n\r\nshort");
    }
    connection.close();
  });
  serve({instance(upstream.port(), GetParam())});
  Client client(port_);
  client.send(get("/a"));
  EXPECT_EQ(client.reply().body, "/a") << "nothing of it has been passed on, so it is repeated";
}

TEST_P(BothWays, ALongReplyThatBreaksOffCutsTheClient) {
  ScriptedUpstream upstream([](Connection& connection) {
    if (const auto request = connection.read()) {
      connection.send("HTTP/1.1 200 OK\r\n" + request->correlation + "Content-Length: 1000000\r\n\r\n" +
                      std::string(500'000, 'x'));
    }
    connection.reset();
  });
  serve({instance(upstream.port(), GetParam())});
  Client client(port_);
  client.send(get("/a"));
  EXPECT_EQ(client.reply().status, 0) << "half a reply is never shown as a whole one";
}

TEST_P(BothWays, MalformedChunksCutTheClient) {
  ScriptedUpstream upstream([](Connection& connection) {
    if (const auto request = connection.read()) {
      connection.send("HTTP/1.1 200 OK\r\n" + request->correlation +
                      "Transfer-Encoding: chunked\r\n\r\n20000\r\n" + std::string(0x20000, 'x') +
                      "\r\nzz\r\n");
    }
    connection.rest();
  });
  serve({instance(upstream.port(), GetParam())});
  Client client(port_);
  client.send(get("/a"));
  EXPECT_EQ(client.reply().status, 0);
}

TEST_P(BothWays, NonsenseIs502) {
  options_.most_retries = 0;
  ScriptedUpstream upstream([](Connection& connection) {
    connection.read();
    connection.send("SSH-2.0-OpenSSH_9\r\n");
    connection.rest();
  });
  serve({instance(upstream.port(), GetParam())});
  Client client(port_);
  client.send(get("/a"));
  EXPECT_EQ(client.reply().status, 502);
}

TEST_F(GatewayTest, WhatStandsBehindAReplyThatClosesIsRepeatedEvenAPost) {
  Signal both_sent;
  FirstConnectionFails upstream([&](Connection& connection) {
    const auto first = connection.read();
    const auto second = connection.read();
    if (!first || !second) return;
    connection.send("HTTP/1.1 200 OK\r\n" + first->correlation +
                    "Connection: close\r\nContent-Length: 4\r\n\r\nlast");
    connection.end_sending();
    connection.rest();
  });
  serve({instance(upstream.port(), true)});
  Client first(port_);
  Client second(port_);
  first.send(post("/first", "x"));
  EXPECT_TRUE(eventually([&] { return upstreams_->stats().requests == 1; }));
  second.send(post("/second", "x"));
  EXPECT_EQ(first.reply().body, "last");
  EXPECT_EQ(second.reply().body, "/second");
  EXPECT_EQ(stats().retries_unsent, 1u);
}

TEST_F(GatewayTest, ASlowReplyBlocksItsOwnConnectionAlone) {
  Signal go_on;
  Signal asked;
  ScriptedUpstream upstream([&](Connection& connection) {
    while (const auto request = connection.read()) {
      if (request->target == "/slow") {
        asked.give();
        go_on.wait();
      }
      connection.answer(*request, request->target);
    }
  });
  serve({instance(upstream.port(), true)});
  Client slow(port_);
  slow.send(get("/slow"));
  EXPECT_TRUE(asked.wait());
  // From the moment it has stalled, requests go elsewhere.
  EXPECT_TRUE(eventually([&, begun = net::UpstreamHost::precise_now()] {
    return upstreams_->now() > begun + options_.service.upstream.stall_after + 2 * net::UpstreamHost::kTick;
  }));
  Client quick(port_);
  for (int i = 0; i < 5; ++i) {
    quick.send(get("/quick"));
    EXPECT_EQ(quick.reply().body, "/quick");
  }
  EXPECT_EQ(upstream.connections(), 2);
  go_on.give();
  EXPECT_EQ(slow.reply().body, "/slow");
}

TEST_F(GatewayTest, ThoseBehindASlowReplyAreMovedWhenTheyMay) {
  options_.service.upstream.move_after = 50ms;
  options_.service.upstream.stall_after = 10s;
  Signal go_on;
  FirstConnectionFails upstream([&](Connection& connection) {
    const auto slow = connection.read();
    go_on.wait();
    if (slow) connection.answer(*slow, "slow after all");
    connection.rest();
  });
  serve({instance(upstream.port(), true)});
  Client slow(port_);
  Client behind(port_);
  slow.send(get("/slow"));
  EXPECT_TRUE(eventually([&] { return upstreams_->stats().requests == 1; }));
  behind.send(get("/behind"));
  EXPECT_EQ(behind.reply().body, "/behind") << "over another connection";
  go_on.give();
  EXPECT_EQ(slow.reply().body, "slow after all");
}

TEST_F(GatewayTest, WithoutABudgetThoseBehindASlowReplyWaitForIt) {
  options_.service.upstream.move_after = 300ms;
  options_.service.upstream.stall_after = 10s;
  options_.service.retry_budget = {.percent = 0, .least = 0, .window = 1h};
  Signal go_on;
  FirstConnectionFails upstream([&](Connection& connection) {
    const auto first = connection.read();
    const auto second = connection.read();
    go_on.wait();
    if (first) connection.answer(*first, "slow after all");
    if (second) connection.answer(*second, "slow after all");
    connection.rest();
  });
  serve({instance(upstream.port(), true)});
  Client slow(port_);
  Client behind(port_);
  slow.send(get("/a"));
  behind.send(get("/b"));
  EXPECT_TRUE(eventually([&] { return upstreams_->stats().requests == 2; }));
  EXPECT_TRUE(eventually([&, begun = net::UpstreamHost::precise_now()] {
    return upstreams_->now() > begun + options_.service.upstream.move_after + 2 * net::UpstreamHost::kTick;
  }));
  go_on.give();
  EXPECT_EQ(slow.reply().body, "slow after all");
  EXPECT_EQ(behind.reply().body, "slow after all");
  EXPECT_EQ(stats().retries_moved, 0u);
}

TEST_F(GatewayTest, ARefusedInstanceIsOutAtOnceAndEvenAPostGoesElsewhere) {
  ScriptedUpstream good(echo);
  auto dead = std::make_unique<ScriptedUpstream>(echo);
  const auto dead_port = dead->port();
  dead->stop();
  serve({instance(dead_port, false), instance(good.port(), false)});
  for (int i = 0; i < 10; ++i) {
    Client client(port_);
    client.send(post("/a", "x"));
    EXPECT_EQ(client.reply().status, 200);
  }
  // Checks of the dead one aside, there was one attempt.
  EXPECT_EQ(stats().retries_unsent, 1u);
  ScriptedUpstream back(echo, dead_port);
  EXPECT_TRUE(eventually([&] { return back.connections() >= 1; })) << "a check finds it";
  int served = 0;
  for (int i = 0; i < 200 && served == 0; ++i) {
    Client client(port_);
    client.send(get("/x"));
    EXPECT_EQ(client.reply().status, 200);
    served = back.connections() - 1;
  }
  EXPECT_GT(served, 0);
}

TEST_F(GatewayTest, WithoutAnyInstanceItIs503AtOnceWithRetryAfter) {
  auto dead = std::make_unique<ScriptedUpstream>(echo);
  const auto port = dead->port();
  dead->stop();
  serve({instance(port, true)});
  Client client(port_);
  for (int i = 0; i < 3; ++i) {
    client.send(get("/a"));
    const auto bytes = client.piece();
    EXPECT_THAT(bytes, StartsWith("HTTP/1.1 503 "));
    EXPECT_THAT(bytes, HasSubstr("Retry-After: 1\r\n"));
    EXPECT_THAT(bytes, HasSubstr("no instance of 'shop' can be reached"));
  }
  EXPECT_EQ(upstream_stats().requests, 1u) << "a refused instance is not tried again for each request";
}

TEST_F(GatewayTest, ADeregisteredInstanceGetsNothingMore) {
  ScriptedUpstream one(echo);
  ScriptedUpstream two(echo);
  serve({instance(one.port(), false), instance(two.port(), false)});
  directory_.set({instance(two.port(), false)});
  EXPECT_TRUE(eventually([&] { return gateway_->in_flight() == 0; }));
  const auto before = one.connections();
  for (int i = 0; i < 10; ++i) {
    Client client(port_);
    client.send(get("/a"));
    EXPECT_EQ(client.reply().status, 200);
  }
  EXPECT_EQ(one.connections(), before);
}

TEST_F(GatewayTest, ADeregisteredInstanceEndsWhatItHasInTheAir) {
  Signal asked;
  Signal go_on;
  ScriptedUpstream one([&](Connection& connection) {
    while (const auto request = connection.read()) {
      asked.give();
      go_on.wait();
      connection.answer(*request, "in the end");
    }
  });
  serve({instance(one.port(), false)});
  Client client(port_);
  client.send(get("/a"));
  EXPECT_TRUE(asked.wait());
  directory_.set({});
  go_on.give();
  EXPECT_EQ(client.reply().body, "in the end");
  client.send(get("/a"));
  EXPECT_EQ(client.reply().status, 503);
}

TEST_F(GatewayTest, FailuresInARowEjectAnInstance) {
  ScriptedUpstream bad([](Connection& connection) {
    while (const auto request = connection.read()) {
      connection.send("HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n");
    }
  });
  ScriptedUpstream good(echo);
  options_.service.balancer.first_ejection = 1min;
  serve({instance(bad.port(), false), instance(good.port(), false)});
  Client client(port_);
  int failed = 0;
  for (int i = 0; i < 100; ++i) {
    client.send(get("/a"));
    failed += client.reply().status == 500 ? 1 : 0;
  }
  EXPECT_EQ(failed, 5);
}

TEST_F(GatewayTest, FurtherRetriesComeOutOfTheBudget) {
  options_.service.retry_budget = {.percent = 0, .least = 3, .window = 1h};
  options_.service.balancer.failures_to_eject = 0;
  ScriptedUpstream bad([](Connection& connection) {
    connection.read();
    connection.reset();
  });
  serve({instance(bad.port(), false)});
  Client client(port_);
  for (int i = 0; i < 5; ++i) {
    client.send(get("/a"));
    EXPECT_EQ(client.reply().status, 502);
  }
  // The first retry of each is free (5); of further ones the budget has three.
  EXPECT_EQ(stats().retries_idempotent, 8u);
  EXPECT_GE(stats().retries_denied, 3u);
}

TEST_F(GatewayTest, WhenAllConnectionsAreBusyRequestsWaitAndTooManyAreRefused) {
  Signal asked;
  Signal go_on;
  ScriptedUpstream upstream([&](Connection& connection) {
    while (const auto request = connection.read()) {
      asked.give();
      go_on.wait();
      connection.answer(*request, request->target);
    }
  });
  options_.service.upstream.most_connections = 1;
  options_.service.upstream.most_waiting = 1;
  serve({instance(upstream.port(), false)});
  Client one(port_);
  Client two(port_);
  Client three(port_);
  one.send(get("/one"));
  EXPECT_TRUE(asked.wait());
  two.send(get("/two"));
  EXPECT_TRUE(eventually([&] { return upstreams_->stats().waiting == 1; }));
  three.send(get("/three"));
  EXPECT_THAT(three.piece(), testing::AllOf(StartsWith("HTTP/1.1 503 "), HasSubstr("Retry-After")));
  go_on.give();
  EXPECT_EQ(one.reply().body, "/one");
  EXPECT_EQ(two.reply().body, "/two");
}

TEST_F(GatewayTest, AnIdleConnectionThatHungUpIsNotUsedAgain) {
  Signal hang_up;
  Signal hung;
  FirstConnectionFails upstream([&](Connection& connection) {
    if (const auto request = connection.read()) connection.answer(*request, "first");
    hang_up.wait();
    connection.close();
    hung.give();
  });
  serve({instance(upstream.port(), false)});
  Client client(port_);
  client.send(post("/a", "x"));
  EXPECT_EQ(client.reply().body, "first");
  hang_up.give();
  EXPECT_TRUE(hung.wait());
  EXPECT_TRUE(eventually([&] { return upstreams_->stats().connections == 0; }));
  client.send(post("/b", "x"));
  EXPECT_EQ(client.reply().body, "/b") << "a POST is not lost to a connection that was gone";
}

}  // namespace
}  // namespace doorbuster::gateway
