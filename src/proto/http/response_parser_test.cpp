#include "proto/http/response_parser.hpp"

#include <gtest/gtest.h>

namespace doorbuster::http {
namespace {

TEST(ResponseParser, ReadsLengthAndKeepsWhatFollows) {
  ResponseParser parser(100);
  const std::string bytes = "HTTP/1.1 200 OK\r\nRetry-After: 3\r\nContent-Length: 2\r\n\r\nhiHTTP";
  const auto put = parser.put(bytes);
  ASSERT_TRUE(put);
  EXPECT_EQ(*put, bytes.size() - 4);
  EXPECT_TRUE(parser.done());
  EXPECT_EQ(parser.status(), 200);
  EXPECT_EQ(parser.body(), "hi");
  EXPECT_EQ(parser.header("retry-after"), "3");
  EXPECT_TRUE(parser.keep_alive());
}

TEST(ResponseParser, ReadsTheSameWhereverTheBytesAreCut) {
  const std::string bytes =
      "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\nConnection: "
      "close\r\n\r\n"
      "3\r\nabc\r\nA;x=y\r\n0123456789\r\n0\r\nT: t\r\n\r\n";
  for (std::size_t cut = 0; cut <= bytes.size(); ++cut) {
    ResponseParser parser(100);
    ASSERT_TRUE(parser.put(std::string_view(bytes).substr(0, cut))) << cut;
    ASSERT_TRUE(parser.put(std::string_view(bytes).substr(cut))) << cut;
    EXPECT_TRUE(parser.done());
    EXPECT_EQ(parser.status(), 201);
    EXPECT_EQ(parser.body(), "abc0123456789");
    EXPECT_FALSE(parser.keep_alive());
  }
}

TEST(ResponseParser, EndsABodyWithoutLengthAtTheConnectionsEnd) {
  ResponseParser parser(100);
  ASSERT_TRUE(parser.put("HTTP/1.0 200 OK\r\n\r\nsome"));
  EXPECT_FALSE(parser.done());
  ASSERT_TRUE(parser.put_end());
  EXPECT_EQ(parser.body(), "some");
}

TEST(ResponseParser, HasNoBodyForHeadAndNoContent) {
  ResponseParser parser(100);
  parser.reset(true);
  ASSERT_TRUE(parser.put("HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n"));
  EXPECT_TRUE(parser.done());
  parser.reset();
  ASSERT_TRUE(parser.put("HTTP/1.1 204 No Content\r\n\r\n"));
  EXPECT_TRUE(parser.done());
}

TEST(ResponseParser, RefusesWhatIsNoReply) {
  for (const std::string bytes :
       {"SSH-2.0-OpenSSH\r\n\r\n", "HTTP/2.0 200 OK\r\n\r\n", "HTTP/1.1 20 OK\r\n\r\n",
        "HTTP/1.1 2000\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        "HTTP/1.1 200 OK\r\nno colon\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 101\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffff\r\n"}) {
    ResponseParser parser(100);
    EXPECT_TRUE(parser.put(bytes).has_error()) << bytes;
  }
  ResponseParser cut(100);
  ASSERT_TRUE(cut.put("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab"));
  EXPECT_TRUE(cut.put_end().has_error());
  ResponseParser endless(100);
  EXPECT_TRUE(endless.put("HTTP/1.1 200 OK\r\n" + std::string(20'000, 'x')).has_error());
}

}  // namespace
}  // namespace doorbuster::http
