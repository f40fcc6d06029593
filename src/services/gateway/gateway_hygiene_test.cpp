// What is passed on of a header, and what is refused before it reaches an instance.

#include "services/gateway/gateway_fixture.hpp"

namespace doorbuster::gateway {
namespace {

using net::Client;
using Connection = ScriptedUpstream::Connection;

class Hygiene : public GatewayTest {
 protected:
  Hygiene()
      : upstream_([this](Connection& connection) {
          while (const auto request = connection.read()) {
            ++requests_;
            connection.answer(*request, request->head, reply_fields_);
          }
        }) {}

  /// The head that the instance got for these fields.
  std::string seen(const std::string& fields) {
    Client client(port_);
    client.send(get("/", fields));
    return client.reply().body;
  }

  std::string reply_fields_;
  std::atomic<int> requests_{0};
  ScriptedUpstream upstream_;
};

TEST_F(Hygiene, WhatConcernsOneConnectionIsNotPassedOn) {
  serve({instance(upstream_.port(), true)});
  const auto head = seen(
      "Connection: keep-alive, X-Secret, host\r\nX-Secret: 1\r\nKeep-Alive: timeout=1\r\nTE: trailers\r\n"
      "Upgrade: websocket\r\nProxy-Authorization: x\r\nProxy-Connection: x\r\nHTTP2-Settings: x\r\nX-Kept: "
      "yes\r\n"
      "Doorbuster-Internal: 1\r\nX_Kept: no\r\n");
  for (const auto* gone : {"Connection", "X-Secret", "Keep-Alive", "TE:", "Upgrade", "Proxy-", "HTTP2",
                           "Doorbuster-Internal", "X_Kept"}) {
    EXPECT_THAT(head, Not(HasSubstr(gone)));
  }
  EXPECT_THAT(head, HasSubstr("X-Kept: yes\r\n"));
  EXPECT_THAT(head, HasSubstr("Host: shop.test\r\n")) << "a client cannot name the Host away";
}

TEST_F(Hygiene, OfReplies) {
  reply_fields_ =
      "Connection: X-Gone\r\nX-Gone: 1\r\nKeep-Alive: timeout=5\r\nUpgrade: h2\r\nProxy-Authenticate: "
      "Basic\r\n"
      "X-Request-Id: the-instances-own\r\nX-Kept: yes\r\n";
  serve({instance(upstream_.port(), true)});
  Client client(port_);
  client.send(get("/", "X-Request-Id: client-chosen-1\r\n"));
  const auto bytes = client.piece();
  const auto head = bytes.substr(0, bytes.find("\r\n\r\n"));
  for (const auto* gone : {"Connection", "X-Gone", "Keep-Alive", "Upgrade", "Proxy-Authenticate",
                           "the-instances-own", "Doorbuster-Correlation"}) {
    EXPECT_THAT(head, Not(HasSubstr(gone)));
  }
  EXPECT_THAT(head, HasSubstr("X-Kept: yes\r\n"));
  EXPECT_THAT(head, HasSubstr("X-Request-Id: client-chosen-1\r\n"));
}

TEST_F(Hygiene, ForwardedFieldsOfStrangersAreReplaced) {
  serve({instance(upstream_.port(), false)});
  const auto head = seen(
      "X-Forwarded-For: 6.6.6.6\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: evil\r\nForwarded: "
      "for=6.6.6.6\r\n"
      "X-Real-IP: 6.6.6.6\r\nX-Forwarded-Port: 1\r\n");
  EXPECT_THAT(head, HasSubstr("X-Forwarded-For: 127.0.0.1\r\n"));
  EXPECT_THAT(head, HasSubstr("X-Forwarded-Proto: http\r\n"));
  EXPECT_THAT(head, HasSubstr("X-Forwarded-Host: shop.test\r\n"));
  EXPECT_THAT(head, Not(HasSubstr("6.6.6.6")));
  EXPECT_THAT(head, Not(HasSubstr("evil")));
  EXPECT_THAT(head, Not(HasSubstr("X-Forwarded-Port")));
}

TEST_F(Hygiene, ForwardedFieldsOfTrustedProxiesAreContinued) {
  trusted_ = "127.0.0.0/8";
  serve({instance(upstream_.port(), false)});
  const auto head =
      seen("X-Forwarded-For: 9.9.9.9\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: real\r\n");
  EXPECT_THAT(head, HasSubstr("X-Forwarded-For: 9.9.9.9, 127.0.0.1\r\n"));
  EXPECT_THAT(head, HasSubstr("X-Forwarded-Proto: https\r\n"));
  EXPECT_THAT(head, HasSubstr("X-Forwarded-Host: real\r\n"));
}

TEST_F(Hygiene, TraceAndRequestIdAreMadeOrKept) {
  serve({instance(upstream_.port(), false)});
  const auto fresh = seen("tracestate: old=1\r\n");
  EXPECT_THAT(fresh, HasSubstr("traceparent: 00-"));
  EXPECT_THAT(fresh, Not(HasSubstr("tracestate")));
  EXPECT_THAT(fresh, HasSubstr("X-Request-Id: "));
  const auto kept =
      seen("traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\ntracestate: a=1\r\n");
  EXPECT_THAT(kept, HasSubstr("traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\n"));
  EXPECT_THAT(kept, HasSubstr("tracestate: a=1"));
  const auto replaced = seen("X-Request-Id: <script>\r\ntraceparent: 00-zz-b7ad6b7169203331-01\r\n");
  EXPECT_THAT(replaced, Not(HasSubstr("script")));
  EXPECT_THAT(replaced, Not(HasSubstr("zz-b7")));
  const auto two =
      seen("traceparent:\r\ntraceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\n");
  EXPECT_THAT(two, Not(HasSubstr("0af7651916cd43dd8448eb211c80319c"))) << "two of them are none";
}

TEST_F(Hygiene, WhatTwoReadersCouldReadDifferentlyReachesNoInstance) {
  serve({instance(upstream_.port(), false)});
  const std::pair<const char*, int> shapes[] = {
      {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400},
      {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello", 400},
      {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +5\r\n\r\nhello", 400},
      {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0x5\r\n\r\nhello", 400},
      {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length:\r\n\r\n", 400},
      {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", 501},
      {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 501},
      {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: "
       "identity\r\n\r\n0\r\n\r\n",
       501},
      {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n", 400},
      {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding:\x0b"
       "chunked\r\n\r\n0\r\n\r\n",
       400},
      {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5;\nx\r\nhello\r\n0\r\n\r\n", 400},
      {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n-5\r\nhello\r\n0\r\n\r\n", 400},
      {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello0\r\n\r\n", 400},
      {"GET / HTTP/1.1\r\nHost: a\r\nX: 1\r\n folded\r\n\r\n", 400},
      {"GET / HTTP/1.1\nHost: a\n\n", 400},
      {"GET / HTTP/1.1\r\nHost: a\r\nX: a\rb\r\n\r\n", 400},
      {"GET / HTTP/1.1\r\n\r\n", 400},
      {"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400},
      {"GET http://other/ HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"GET /a/../b HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"GET /a/%2e%2E/b HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"GET /a%2fb HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"GET /a%00b HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"GET /a/..;/b HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505},
  };
  for (const auto& [bytes, status] : shapes) {
    Client client(port_);
    client.send(bytes);
    client.end_sending();
    EXPECT_EQ(client.reply().status, status) << bytes;
  }
  EXPECT_EQ(requests_, 0);
}

TEST_F(Hygiene, TheAbsoluteFormIsSentOnAsAPath) {
  serve({instance(upstream_.port(), false)});
  Client client(port_);
  client.send("GET http://shop.test/x?y HTTP/1.1\r\nHost: shop.test\r\n\r\n");
  EXPECT_THAT(client.reply().body, StartsWith("GET /x?y HTTP/1.1\r\n"));
}

TEST_F(Hygiene, AnOversizedHeadIs431) {
  serve({instance(upstream_.port(), false)});
  Client client(port_);
  client.send("GET / HTTP/1.1\r\nHost: a\r\nX: " + std::string(5000, 'x') + "\r\n\r\n");
  EXPECT_EQ(client.reply().status, 431);
  Client other(port_);
  std::string many = "GET / HTTP/1.1\r\nHost: a\r\n";
  for (int i = 0; i < 200; ++i) many += "A: 1\r\n";
  other.send(many + "\r\n");
  EXPECT_EQ(other.reply().status, 431);
  EXPECT_EQ(requests_, 0);
}

TEST_F(Hygiene, AHeadThatTricklesInIs408) {
  server_options_.request_timeout = 50ms;
  serve({instance(upstream_.port(), false)});
  Client client(port_);
  client.send("GET / HTTP/1.1\r\nHost: a\r\n");
  EXPECT_EQ(client.reply().status, 408);
}

TEST_F(Hygiene, ABodyOverTheLimitIs413) {
  server_options_.most_streamed_bytes = 100'000;
  serve({instance(upstream_.port(), false)});
  Client client(port_);
  client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100001\r\n\r\n");
  EXPECT_EQ(client.reply().status, 413);
  EXPECT_EQ(requests_, 0);
}

TEST_F(Hygiene, PipelinedRequestsOfOneClientGoOneAfterAnother) {
  serve({instance(upstream_.port(), true)});
  Client client(port_);
  client.send(get("/1") + get("/2") + get("/3"));
  for (const auto* path : {"GET /1 ", "GET /2 ", "GET /3 "})
    EXPECT_THAT(client.reply().body, StartsWith(path));
}

}  // namespace
}  // namespace doorbuster::gateway
