#include "proto/http/request_parser.hpp"

#include <gtest/gtest.h>

namespace doorbuster::http {
namespace {

using Status = RequestParser::Status;

const std::string kHost = "Host: x\r\n";

TEST(RequestParser, ReadsARequestAndLeavesTheNext) {
  const std::string bytes =
      "POST /v1/x?a=b HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nX-Empty:\r\n\r\nabcGET / HTTP/1.1\r\n";
  RequestParser parser;
  ASSERT_EQ(parser.parse(bytes), Status::complete);
  const auto& request = parser.request();
  EXPECT_EQ(request.method, Method::post);
  EXPECT_EQ(request.target, "/v1/x?a=b");
  EXPECT_EQ(request.path, "/v1/x");
  EXPECT_EQ(request.query, "a=b");
  EXPECT_EQ(request.body, "abc");
  EXPECT_EQ(request.headers.size(), 3U);
  EXPECT_EQ(request.header("x-empty"), "");
  EXPECT_EQ(bytes.substr(parser.consumed(), 3), "GET");
  EXPECT_TRUE(parser.keep_alive());
}

TEST(RequestParser, ReadsTheSameWhereverTheBytesAreCut) {
  const std::string bytes =
      "\r\nPOST http://h/p?q HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
      "5;name=\"v\"\r\nhello\r\n1\r\n!\r\n0\r\nTrailer: t\r\n\r\n";
  for (std::size_t cut = 1; cut < bytes.size(); ++cut) {
    RequestParser parser;
    // Moved between the calls, as a buffer that grows does.
    const std::string first = bytes.substr(0, cut);
    ASSERT_EQ(parser.parse(first), Status::need_more) << cut;
    const std::string all = bytes;
    ASSERT_EQ(parser.parse(all), Status::complete) << cut;
    EXPECT_EQ(parser.request().body, "hello!");
    EXPECT_EQ(parser.request().path, "/p");
    EXPECT_EQ(parser.consumed(), bytes.size());
  }
}

TEST(RequestParser, IsReadyForTheNextAfterReset) {
  RequestParser parser;
  ASSERT_EQ(parser.parse("GET /a HTTP/1.0\r\n\r\n"), Status::complete);
  EXPECT_FALSE(parser.keep_alive());
  parser.reset();
  ASSERT_EQ(parser.parse("GET /b HTTP/1.1\r\nHost: x\r\n\r\n"), Status::complete);
  EXPECT_TRUE(parser.keep_alive());
  EXPECT_EQ(parser.request().path, "/b");
}

TEST(RequestParser, TakesThePathOutOfAWholeAddress) {
  struct Case {
    const char* target;
    const char* path;
    const char* query;
  };
  for (const auto& [target, path, query] :
       {Case{"http://h", "/", ""}, Case{"HTTP://h:80/a", "/a", ""}, Case{"http://h?q=1", "/", "q=1"},
        Case{"/a?b?c", "/a", "b?c"}, Case{"http://[::1]:1/a?b", "/a", "b"}}) {
    RequestParser parser;
    const auto bytes = "GET " + std::string(target) + " HTTP/1.1\r\nHost: x\r\n\r\n";
    ASSERT_EQ(parser.parse(bytes), Status::complete) << target;
    EXPECT_EQ(parser.request().path, path) << target;
    EXPECT_EQ(parser.request().query, query) << target;
    EXPECT_EQ(parser.request().target, target);
  }
}

TEST(RequestParser, KnowsWhoWantsTheConnectionToStay) {
  const auto stays = [](const std::string& version, const std::string& field) {
    RequestParser parser;
    EXPECT_EQ(parser.parse("GET / HTTP/" + version + "\r\n" + kHost + field + "\r\n"), Status::complete);
    return parser.keep_alive();
  };
  EXPECT_TRUE(stays("1.1", ""));
  EXPECT_FALSE(stays("1.1", "Connection: upgrade, Close\r\n"));
  EXPECT_FALSE(stays("1.0", ""));
  EXPECT_TRUE(stays("1.0", "Connection: Keep-Alive\r\n"));
  EXPECT_FALSE(stays("1.0", "Connection: keep-alive\r\nConnection: close\r\n"));
}

TEST(RequestParser, AcceptsTheSameLengthTwice) {
  const std::string bytes =
      "POST / HTTP/1.1\r\n" + kHost + "Content-Length: 2\r\ncontent-length: 2\r\n\r\nab";
  RequestParser parser;
  ASSERT_EQ(parser.parse(bytes), Status::complete);
  EXPECT_EQ(parser.request().body, "ab");
}

TEST(RequestParser, SeesThatABodyWaitsForAnInvitation) {
  RequestParser parser;
  EXPECT_EQ(parser.parse("POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n"),
            Status::need_more);
  EXPECT_TRUE(parser.expects_continue());
}

struct Bad {
  const char* name;
  std::string bytes;
  int status;
};

class RequestParserRefuses : public testing::TestWithParam<Bad> {};

TEST_P(RequestParserRefuses, Request) {
  RequestParser parser;
  ASSERT_EQ(parser.parse(GetParam().bytes), Status::failed);
  EXPECT_EQ(parser.failure().status, GetParam().status) << parser.failure().detail;
}

INSTANTIATE_TEST_SUITE_P(
    Table, RequestParserRefuses,
    testing::Values(
        Bad{"Http09", "GET /\r\n", 400}, Bad{"BareLineFeeds", "GET / HTTP/1.1\nHost: x\n\n", 400},
        Bad{"NoTarget", "GET HTTP/1.1\r\n\r\n", 400}, Bad{"TwoSpaces", "GET  / HTTP/1.1\r\n\r\n", 400},
        Bad{"TabInLine", "GET /\tx HTTP/1.1\r\n\r\n", 400}, Bad{"BadMethod", "G(T / HTTP/1.1\r\n\r\n", 400},
        Bad{"RelativeTarget", "GET x HTTP/1.1\r\n\r\n", 400},
        Bad{"Fragment", "GET /#a HTTP/1.1\r\n\r\n", 400},
        Bad{"Connect", "CONNECT a:1 HTTP/1.1\r\n" + kHost + "\r\n", 400},
        Bad{"HighByteInTarget", "GET /\xc3\xa4 HTTP/1.1\r\n\r\n", 400},
        Bad{"LowerCaseVersion", "GET / http/1.1\r\n\r\n", 400}, Bad{"Http2", "GET / HTTP/2.0\r\n\r\n", 505},
        Bad{"Preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505}, Bad{"Http12", "GET / HTTP/1.2\r\n\r\n", 505},
        Bad{"NoHost", "GET / HTTP/1.1\r\n\r\n", 400},
        Bad{"TwoHosts", "GET / HTTP/1.1\r\n" + kHost + kHost + "\r\n", 400},
        Bad{"SpaceBeforeColon", "GET / HTTP/1.1\r\n" + kHost + "A : b\r\n\r\n", 400},
        Bad{"NoColon", "GET / HTTP/1.1\r\n" + kHost + "Abc\r\n\r\n", 400},
        Bad{"EmptyName", "GET / HTTP/1.1\r\n" + kHost + ": b\r\n\r\n", 400},
        Bad{"Folded", "GET / HTTP/1.1\r\n" + kHost + "A: b\r\n c\r\n\r\n", 400},
        Bad{"NulInValue", "GET / HTTP/1.1\r\n" + kHost + std::string("A: b\0c", 6) + "\r\n\r\n", 400},
        Bad{"BareReturnInValue", "GET / HTTP/1.1\r\n" + kHost + "A: b\rc\r\n\r\n", 400},
        Bad{"BareLineFeedInHeaders", "GET / HTTP/1.1\r\n" + kHost + "A: b\nc: d\r\n\r\n", 400},
        Bad{"LengthAndChunked",
            "POST / HTTP/1.1\r\n" + kHost + "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", 400},
        Bad{"TwoLengths", "POST / HTTP/1.1\r\n" + kHost + "Content-Length: 1\r\nContent-Length: 2\r\n\r\n",
            400},
        Bad{"ListOfLengths", "POST / HTTP/1.1\r\n" + kHost + "Content-Length: 1, 1\r\n\r\n", 400},
        Bad{"SignedLength", "POST / HTTP/1.1\r\n" + kHost + "Content-Length: +1\r\n\r\n", 400},
        Bad{"NegativeLength", "POST / HTTP/1.1\r\n" + kHost + "Content-Length: -1\r\n\r\n", 400},
        Bad{"HugeLength", "POST / HTTP/1.1\r\n" + kHost + "Content-Length: 99999999999999999999\r\n\r\n",
            413},
        Bad{"EmptyLength", "POST / HTTP/1.1\r\n" + kHost + "Content-Length:\r\n\r\n", 400},
        Bad{"LargeBody", "POST / HTTP/1.1\r\n" + kHost + "Content-Length: 4097\r\n\r\n", 413},
        Bad{"OtherEncoding", "POST / HTTP/1.1\r\n" + kHost + "Transfer-Encoding: gzip, chunked\r\n\r\n", 501},
        Bad{"HiddenChunked", "POST / HTTP/1.1\r\n" + kHost + "Transfer-Encoding: xchunked\r\n\r\n", 501},
        Bad{"ChunkedTwice",
            "POST / HTTP/1.1\r\n" + kHost +
                "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
            501},
        Bad{"ChunkedInHttp10", "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", 501},
        Bad{"ChunkWithoutSize", "POST / HTTP/1.1\r\n" + kHost + "Transfer-Encoding: chunked\r\n\r\nxyz\r\n",
            400},
        Bad{"NegativeChunk", "POST / HTTP/1.1\r\n" + kHost + "Transfer-Encoding: chunked\r\n\r\n-1\r\n", 400},
        Bad{"ChunkSizeWithPrefix",
            "POST / HTTP/1.1\r\n" + kHost + "Transfer-Encoding: chunked\r\n\r\n0x1\r\n", 400},
        Bad{"LongChunk", "POST / HTTP/1.1\r\n" + kHost + "Transfer-Encoding: chunked\r\n\r\n1\r\nab\r\n",
            400},
        Bad{"LargeChunk", "POST / HTTP/1.1\r\n" + kHost + "Transfer-Encoding: chunked\r\n\r\n1001\r\n", 413},
        Bad{"HugeChunk",
            "POST / HTTP/1.1\r\n" + kHost + "Transfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n", 413},
        Bad{"BareLineFeedInChunks", "POST / HTTP/1.1\r\n" + kHost + "Transfer-Encoding: chunked\r\n\r\n1\na",
            400},
        Bad{"LongExtension",
            "POST / HTTP/1.1\r\n" + kHost + "Transfer-Encoding: chunked\r\n\r\n1;" + std::string(300, 'e') +
                "\r\n",
            400},
        Bad{"ControlCharacterInExtension",
            "POST / HTTP/1.1\r\n" + kHost + "Transfer-Encoding: chunked\r\n\r\n1;\x01\r\na\r\n", 400},
        Bad{"SpaceBehindChunkSize",
            "POST / HTTP/1.1\r\n" + kHost + "Transfer-Encoding: chunked\r\n\r\n1 \r\na\r\n", 400},
        Bad{"LongTrailers",
            "POST / HTTP/1.1\r\n" + kHost +
                "Transfer-Encoding: chunked\r\n\r\n0\r\nT: " + std::string(2000, 't'),
            431},
        Bad{"MuchFramingForLittleBody",
            [] {
              std::string bytes = "POST / HTTP/1.1\r\n" + kHost + "Transfer-Encoding: chunked\r\n\r\n";
              for (int i = 0; i < 200; ++i) bytes += "1;" + std::string(200, 'e') + "\r\na\r\n";
              return bytes;
            }(),
            413},
        Bad{"HostWithPath", "GET / HTTP/1.1\r\nHost: x/y\r\n\r\n", 400},
        Bad{"ListOfHosts", "GET / HTTP/1.1\r\nHost: x, y\r\n\r\n", 400},
        Bad{"AddressOfOtherScheme", "GET ftp://x/ HTTP/1.1\r\n" + kHost + "\r\n", 400},
        Bad{"AddressWithUser", "GET http://u@x/ HTTP/1.1\r\n" + kHost + "\r\n", 400},
        Bad{"StarForGet", "GET * HTTP/1.1\r\n" + kHost + "\r\n", 400},
        Bad{"LongHead", "GET / HTTP/1.1\r\n" + kHost + "A: " + std::string(9000, 'b') + "\r\n\r\n", 431},
        Bad{"LongHeadWithoutEnd", "GET / HTTP/1.1\r\n" + std::string(9000, 'b'), 431},
        Bad{"LongLine", std::string(9000, 'b'), 431},
        Bad{"ManyHeaders",
            [] {
              std::string bytes = "GET / HTTP/1.1\r\n" + kHost;
              for (int i = 0; i < 64; ++i) bytes += "A: b\r\n";
              return bytes + "\r\n";
            }(),
            431}),
    [](const auto& tested) { return tested.param.name; });

}  // namespace
}  // namespace doorbuster::http
