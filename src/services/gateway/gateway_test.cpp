#include "services/gateway/gateway_fixture.hpp"

namespace doorbuster::gateway {
namespace {

using net::Client;
using Connection = ScriptedUpstream::Connection;

/// Whether the instance advertises pipelining.
class GatewayBothWays : public GatewayTest, public testing::WithParamInterface<bool> {};

INSTANTIATE_TEST_SUITE_P(Upstream, GatewayBothWays, testing::Bool(),
                         [](const auto& tested) { return tested.param ? "pipelined" : "exclusive"; });

TEST_P(GatewayBothWays, HandsRequestsAndRepliesOn) {
  ScriptedUpstream upstream(echo);
  serve({instance(upstream.port(), GetParam())});
  Client client(port_);
  for (int i = 0; i < 3; ++i) {
    client.send(post("/a?b=c", "hello"));
    const auto reply = client.reply();
    EXPECT_EQ(reply.status, 200);
    EXPECT_EQ(reply.body, "/a?b=c|hello");
    EXPECT_TRUE(reply.keep_alive);
  }
  EXPECT_EQ(upstream.connections(), 1) << "the connection is used again";
}

TEST_P(GatewayBothWays, EachClientGetsItsOwnReply) {
  ScriptedUpstream upstream(echo);
  serve({instance(upstream.port(), GetParam())});
  std::vector<std::unique_ptr<Client>> clients;
  for (int i = 0; i < 50; ++i) clients.push_back(std::make_unique<Client>(port_));
  for (int round = 0; round < 4; ++round) {
    for (int i = 0; i < 50; ++i) clients[i]->send(get("/" + std::to_string(100 * round + i)));
    for (int i = 0; i < 50; ++i) {
      EXPECT_EQ(clients[i]->reply().body, "/" + std::to_string(100 * round + i) + "|");
    }
  }
  EXPECT_LE(upstream.connections(), GetParam() ? 4 : 50);
}

TEST_P(GatewayBothWays, RepliesWithoutABodyStayWithoutOne) {
  ScriptedUpstream upstream([](Connection& connection) {
    while (const auto request = connection.read()) {
      if (request->method == "HEAD") {
        connection.send("HTTP/1.1 200 OK\r\n" + request->correlation + "Content-Length: 1234\r\n\r\n");
      } else if (request->target == "/204") {
        connection.send("HTTP/1.1 204 No Content\r\n" + request->correlation + "\r\n");
      } else if (request->target == "/304") {
        connection.send("HTTP/1.1 304 Not Modified\r\n" + request->correlation + "ETag: \"x\"\r\n\r\n");
      } else {
        connection.answer(*request, "last");
      }
    }
  });
  serve({instance(upstream.port(), GetParam())});
  Client client(port_);
  client.send("HEAD /x HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_EQ(client.reply(true).status, 200);
  client.send(get("/204"));
  EXPECT_EQ(client.reply().status, 204);
  client.send(get("/304"));
  EXPECT_EQ(client.reply().status, 304);
  client.send(get("/x"));
  EXPECT_EQ(client.reply().body, "last") << "in step";
}

TEST_P(GatewayBothWays, InterimRepliesArePassedOver) {
  ScriptedUpstream upstream([](Connection& connection) {
    while (const auto request = connection.read()) {
      connection.send("HTTP/1.1 103 Early Hints\r\nLink: <x>\r\n\r\n");
      connection.answer(*request, "real");
    }
  });
  serve({instance(upstream.port(), GetParam())});
  Client client(port_);
  client.send(get("/"));
  EXPECT_EQ(client.reply().body, "real");
}

TEST_P(GatewayBothWays, ChunkedRepliesPassWholeOrPieceByPiece) {
  ScriptedUpstream upstream([](Connection& connection) {
    while (const auto request = connection.read()) {
      connection.send("HTTP/1.1 200 OK\r\n" + request->correlation + "Transfer-Encoding: chunked\r\n\r\n");
      if (request->target == "/whole") {
        connection.send("3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n");
        continue;
      }
      for (int i = 0; i < 100; ++i) connection.send("1000\r\n" + std::string(4096, 'x') + "\r\n");
      connection.send("0\r\nTrailer: dropped\r\n\r\n");
    }
  });
  serve({instance(upstream.port(), GetParam())});
  Client client(port_);
  client.send(get("/long"));
  EXPECT_EQ(client.reply().body, std::string(409'600, 'x'));
  client.send(get("/whole"));
  EXPECT_EQ(client.reply().body, "abcde");
}

TEST_P(GatewayBothWays, ALongCountedReplyKeepsItsLength) {
  ScriptedUpstream upstream([](Connection& connection) {
    while (const auto request = connection.read()) connection.answer(*request, std::string(1'000'000, 'y'));
  });
  serve({instance(upstream.port(), GetParam())});
  Client client(port_);
  for (int i = 0; i < 2; ++i) {
    client.send(get("/"));
    const auto reply = client.reply();
    EXPECT_EQ(reply.body.size(), 1'000'000u);
    EXPECT_TRUE(reply.keep_alive) << "chunks or a length, but not the connection's end";
  }
}

TEST_P(GatewayBothWays, AnInstanceThatDoesNotAnswerInTimeIs504) {
  options_.request_timeout = 50ms;
  Signal asked;
  ScriptedUpstream upstream([&](Connection& connection) {
    if (connection.read()) asked.give();
    connection.rest();
  });
  serve({instance(upstream.port(), GetParam())});
  Client client(port_);
  client.send(get("/"));
  EXPECT_EQ(client.reply().status, 504);
  EXPECT_TRUE(asked.wait());
  EXPECT_EQ(stats().timeouts, 1u);
}

TEST_F(GatewayTest, ARouteHasItsOwnTimeout) {
  routes_[0].timeout = "20ms";
  ScriptedUpstream upstream([](Connection& connection) { connection.rest(); });
  serve({instance(upstream.port(), false)});
  Client client(port_);
  client.send(get("/"));
  EXPECT_EQ(client.reply().status, 504);
}

TEST_F(GatewayTest, AReplyWithoutAnEndIsPassedOnAsItComes) {
  Signal first_seen;
  ScriptedUpstream upstream([&](Connection& connection) {
    if (!connection.read()) return;
    connection.send("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: 1\n\n");
    first_seen.wait();
    connection.send("data: 2\n\n");
  });
  serve({instance(upstream.port(), true)});
  Client client(port_);
  client.send(get("/events", "Accept: text/event-stream\r\n"));
  std::string seen;
  while (seen.find("data: 1") == std::string::npos) {
    const auto piece = client.piece();
    ASSERT_FALSE(piece.empty());
    seen += piece;
  }
  EXPECT_THAT(seen, HasSubstr("Transfer-Encoding: chunked"));
  first_seen.give();
  while (seen.find("0\r\n\r\n") == std::string::npos) {
    const auto piece = client.piece();
    ASSERT_FALSE(piece.empty());
    seen += piece;
  }
  EXPECT_THAT(seen, HasSubstr("data: 2"));
}

TEST_F(GatewayTest, AClientOfHttp10GetsNoChunks) {
  ScriptedUpstream upstream([](Connection& connection) {
    if (!connection.read()) return;
    connection.send("HTTP/1.1 200 OK\r\n\r\nuntil the end");
  });
  serve({instance(upstream.port(), false)});
  Client client(port_);
  client.send("GET / HTTP/1.0\r\n\r\n");
  const auto all = client.rest();
  EXPECT_THAT(all, Not(HasSubstr("chunked")));
  EXPECT_THAT(all, testing::EndsWith("\r\n\r\nuntil the end"));
}

TEST_F(GatewayTest, AClientThatGoesFreesItsConnection) {
  Signal asked;
  Signal gone;
  ScriptedUpstream upstream([&](Connection& connection) {
    if (!connection.read()) return;
    asked.give();
    connection.rest();
    gone.give();
  });
  serve({instance(upstream.port(), false)});
  {
    Client client(port_);
    client.send(get("/slow"));
    EXPECT_TRUE(asked.wait());
  }
  EXPECT_TRUE(gone.wait());
  EXPECT_EQ(stats().clients_gone, 1u);
}

TEST_F(GatewayTest, AClientThatGoesInTheMiddleOfAStreamFreesItsConnection) {
  Signal gone;
  ScriptedUpstream upstream([&](Connection& connection) {
    if (!connection.read()) return;
    connection.send("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: 1\n\n");
    connection.rest();
    gone.give();
  });
  serve({instance(upstream.port(), false)});
  {
    Client client(port_);
    client.send(get("/events"));
    EXPECT_THAT(client.piece(), HasSubstr("200 OK"));
  }
  EXPECT_TRUE(gone.wait());
}

TEST_F(GatewayTest, AnAbandonedPipelinedReplyIsDroppedAndTheOthersStayInStep) {
  Signal asked;
  Signal go_on;
  ScriptedUpstream upstream([&](Connection& connection) {
    while (const auto request = connection.read()) {
      asked.give();
      if (request->target == "/left") go_on.wait();
      connection.answer(*request, request->target);
    }
  });
  options_.service.upstream.stall_after = 10s;
  serve({instance(upstream.port(), true)});
  auto leaver = std::make_unique<Client>(port_);
  Client stayer(port_);
  leaver->send(get("/left"));
  EXPECT_TRUE(asked.wait());
  stayer.send(get("/stays"));
  leaver->close();
  EXPECT_TRUE(eventually([&] { return gateway_->stats().clients_gone == 1; }));
  go_on.give();
  EXPECT_EQ(stayer.reply().body, "/stays");
}

TEST_F(GatewayTest, RoutesStripAndRewrite) {
  routes_[0].path = "/shop";
  routes_[0].strip = "/shop";
  routes_[0].prefix = "/internal";
  ScriptedUpstream upstream(echo);
  serve({instance(upstream.port(), false)});
  Client client(port_);
  client.send(get("/shop/cart?x=1"));
  EXPECT_EQ(client.reply().body, "/internal/cart?x=1|");
  client.send(get("/shop"));
  EXPECT_EQ(client.reply().body, "/internal/|");
  client.send(get("/shopping"));
  EXPECT_EQ(client.reply().status, 404);
}

TEST_F(GatewayTest, ALongBodyIsStreamedAndTheClientHeldBack) {
  Signal read_on;
  std::string received;
  Signal done;
  ScriptedUpstream upstream([&](Connection& connection) {
    const auto head = connection.head();
    if (!head) return;
    EXPECT_THAT(*head, HasSubstr("Content-Length: 8000000"));
    read_on.wait();
    while (connection.pending().size() < 8'000'000 && connection.fill()) {
    }
    received = connection.pending();
    connection.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    done.give();
  });
  serve({instance(upstream.port(), true)});
  Client client(port_);
  std::thread sender([&] {
    client.send("POST /up HTTP/1.1\r\nHost: a\r\nContent-Length: 8000000\r\n\r\n");
    client.send(std::string(4'000'000, 'a') + std::string(4'000'000, 'b'));
  });
  EXPECT_TRUE(eventually([&] { return upstreams_->stats().requests == 1; }));
  read_on.give();
  sender.join();
  EXPECT_EQ(client.reply().body, "ok");
  EXPECT_TRUE(done.wait());
  EXPECT_EQ(received, std::string(4'000'000, 'a') + std::string(4'000'000, 'b'));
}

TEST_F(GatewayTest, AChunkedBodyOfUnknownLengthIsStreamedInChunks) {
  std::string received;
  ScriptedUpstream upstream([&](Connection& connection) {
    const auto request = connection.read();
    if (!request) return;
    EXPECT_TRUE(request->has("Transfer-Encoding: chunked"));
    received = request->body;
    connection.answer(*request, "ok");
  });
  serve({instance(upstream.port(), false)});
  Client client(port_);
  client.send("POST /up HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n");
  EXPECT_THAT(client.piece(), StartsWith("HTTP/1.1 100 Continue"));
  for (int i = 0; i < 30; ++i) client.send("1000\r\n" + std::string(4096, 'z') + "\r\n");
  client.send("0\r\n\r\n");
  EXPECT_EQ(client.reply().body, "ok");
  EXPECT_EQ(static_cast<std::size_t>(std::count(received.begin(), received.end(), 'z')), 30u * 4096);
}

TEST_F(GatewayTest, AShortChunkedBodyIsSentWithItsLength) {
  ScriptedUpstream upstream([](Connection& connection) {
    while (const auto request = connection.read()) {
      EXPECT_TRUE(request->has("Content-Length: 5\r\n"));
      EXPECT_FALSE(request->has("chunked"));
      connection.answer(*request, request->body);
    }
  });
  serve({instance(upstream.port(), true)});
  Client client(port_);
  client.send(
      "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n");
  EXPECT_EQ(client.reply().body, "abcde");
}

TEST_F(GatewayTest, AnAnswerBeforeTheBodysEndClosesTheConnection) {
  ScriptedUpstream upstream([](Connection& connection) {
    if (!connection.head()) return;
    connection.send("HTTP/1.1 413 Content Too Large\r\nContent-Length: 0\r\n\r\n");
    connection.rest();
  });
  serve({instance(upstream.port(), false)});
  Client client(port_);
  client.send("POST /up HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\nbegin");
  const auto reply = client.reply();
  EXPECT_EQ(reply.status, 413);
  EXPECT_FALSE(reply.keep_alive);
  EXPECT_TRUE(client.ended());
}

TEST_F(GatewayTest, AMalformedLongBodyIs400AndTheInstanceSeesNoWholeRequest) {
  Signal cut;
  ScriptedUpstream upstream([&](Connection& connection) {
    if (!connection.head()) return;
    EXPECT_THAT(connection.rest(), Not(HasSubstr("0\r\n\r\n")));
    cut.give();
  });
  serve({instance(upstream.port(), false)});
  Client client(port_);
  client.send("POST /up HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n20000\r\n" +
              std::string(0x20000, 'x') + "\r\nnonsense\r\n");
  EXPECT_EQ(client.reply().status, 400);
  EXPECT_TRUE(cut.wait());
}

TEST_F(GatewayTest, OwnEndpointsNeedNoInstance) {
  serve({});
  Client client(port_);
  client.send(get("/healthz"));
  EXPECT_EQ(client.reply().status, 200);
  client.send(get("/readyz"));
  EXPECT_EQ(client.reply().status, 503) << "no instance has been found yet";
  client.send(get("/metrics"));
  EXPECT_EQ(client.reply().status, 200);
}

TEST_F(GatewayTest, ADrainAnswersWhatIsInTheAir) {
  Signal asked;
  Signal go_on;
  ScriptedUpstream upstream([&](Connection& connection) {
    while (const auto request = connection.read()) {
      asked.give();
      go_on.wait();
      connection.answer(*request, "late");
    }
  });
  serve({instance(upstream.port(), false)});
  Client client(port_);
  client.send(get("/"));
  EXPECT_TRUE(asked.wait());
  Signal drained;
  shard_.run([&] { server_->drain(10s, [&] { drained.give(); }); });
  go_on.give();
  const auto reply = client.reply();
  EXPECT_EQ(reply.body, "late");
  EXPECT_FALSE(reply.keep_alive);
  client.close();
  EXPECT_TRUE(drained.wait());
}

}  // namespace
}  // namespace doorbuster::gateway
