#include "proto/http/reply_head.hpp"

#include <gtest/gtest.h>

#include <string>

namespace doorbuster::http {
namespace {

using Status = ReplyHead::Status;
using Body = ReplyHead::Body;

TEST(ReplyHead, ReadsWhatTheGatewayNeeds) {
  ReplyHead head;
  const std::string bytes =
      "HTTP/1.1 201 Created\r\nContent-Type: application/json\r\nContent-Length: 5\r\n"
      "Doorbuster-Correlation: 42\r\nKeep-Alive: timeout=5, max=100\r\n\r\nhello";
  ASSERT_EQ(head.parse(bytes, false), Status::complete);
  EXPECT_EQ(head.status(), 201);
  EXPECT_EQ(head.reason(), "Created");
  EXPECT_EQ(head.body(), Body::counted);
  EXPECT_EQ(head.length(), 5u);
  EXPECT_EQ(head.correlation(), "42");
  EXPECT_EQ(head.keep_alive_timeout(), 5);
  EXPECT_TRUE(head.keep_alive());
  EXPECT_EQ(bytes.substr(head.size()), "hello");
  EXPECT_EQ(head.fields().size(), 4u);
}

TEST(ReplyHead, EveryCutIsIncompleteUntilTheLastByte) {
  const std::string bytes = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nA: b\r\n\r\n";
  ReplyHead head;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    EXPECT_EQ(head.parse(std::string_view(bytes).substr(0, i), false), Status::need_more) << i;
  }
  EXPECT_EQ(head.parse(bytes, false), Status::complete);
}

TEST(ReplyHead, FindsHowTheBodyEnds) {
  ReplyHead head;
  const auto body_of = [&](std::string_view fields, int status = 200, bool to_head = false) {
    const auto bytes = "HTTP/1.1 " + std::to_string(status) + " X\r\n" + std::string(fields) + "\r\n";
    EXPECT_EQ(head.parse(bytes, to_head), Status::complete);
    return head.body();
  };
  EXPECT_EQ(body_of(""), Body::until_close);
  EXPECT_FALSE(head.keep_alive());
  EXPECT_EQ(body_of("Transfer-Encoding: CHUNKED\r\n"), Body::chunked);
  EXPECT_EQ(body_of("Content-Length: 3\r\n", 200, true), Body::none);
  EXPECT_EQ(head.length(), 3u);
  EXPECT_EQ(body_of("Content-Length: 3\r\n", 304), Body::none);
  EXPECT_EQ(body_of("", 204), Body::none);
  EXPECT_EQ(body_of("Content-Length: 3\r\nConnection: foo, Close\r\n"), Body::counted);
  EXPECT_FALSE(head.keep_alive());
}

TEST(ReplyHead, RefusesWhatTwoReadersCouldReadDifferently) {
  const char* const refused[] = {
      "HTTP/2 200 OK\r\n\r\n",
      "HTTP/1.1 20 OK\r\n\r\n",
      "HTTP/1.1 999 OK\r\n\r\n",
      "HTTP/1.1 200OK\r\n\r\n",
      "HTTP/1.1  200 OK\r\n\r\n",
      "\r\nHTTP/1.1 200 OK\r\n\r\n",
      "HTTP/1.1 200 OK\nContent-Length: 0\n\n",
      "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n",
      "HTTP/1.1 200 OK\r\nContent-Length: 1, 1\r\n\r\n",
      "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
      "HTTP/1.1 200 OK\r\nContent-Length: +1\r\n\r\n",
      "HTTP/1.1 200 OK\r\nContent-Length:\r\n\r\n",
      "HTTP/1.1 200 OK\r\nContent-Length: 18446744073709551616\r\n\r\n",
      "HTTP/1.1 200 OK\r\nContent-Length: 9223372036854775808\r\n\r\n",
      "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
      "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
      "HTTP/1.1 200 OK\r\n folded: 1\r\n\r\n",
      "HTTP/1.1 200 OK\r\nA : 1\r\n\r\n",
      "HTTP/1.1 200 OK\r\nA: 1\r2\r\n\r\n",
      "HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
      "HTTP/1.1 200 OK\r\n: 1\r\n\r\n",
      "HTTP/1.1 101 Switching Protocols\r\n\r\n",
      "HTTP/1.1 200 OK\r\nDoorbuster-Correlation: 1\r\nDoorbuster-Correlation: 2\r\n\r\n",
  };
  for (const auto* bytes : refused) {
    ReplyHead head;
    EXPECT_EQ(head.parse(bytes, false), Status::failed) << bytes;
    EXPECT_FALSE(head.failure().empty());
  }
}

TEST(ReplyHead, KeepsToItsLimits) {
  ReplyHead head(64, 2);
  EXPECT_EQ(head.parse("HTTP/1.1 200 OK\r\nA: " + std::string(100, 'x'), false), Status::failed);
  EXPECT_EQ(head.parse("HTTP/1.1 200 OK\r\nA: 1\r\nB: 1\r\nC: 1\r\n\r\n", false), Status::failed);
  EXPECT_EQ(head.parse("HTTP/1.1 200 OK\r\nA: 1\r\nB: 1\r\n\r\n", false), Status::complete);
}

}  // namespace
}  // namespace doorbuster::http
