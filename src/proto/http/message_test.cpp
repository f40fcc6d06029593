#include "proto/http/message.hpp"

#include <gtest/gtest.h>

namespace doorbuster::http {
namespace {

TEST(Serialize, WritesWhatTheFramingNeeds) {
  Response response;
  response.status = 410;
  response.body = "{}";
  response.headers = {{"Retry-After", "1"}};
  std::string out;
  serialize(response, false, Persistence::keep_alive, out);
  EXPECT_EQ(
      out,
      "HTTP/1.1 410 Gone\r\nContent-Type: application/json\r\nContent-Length: 2\r\nRetry-After: 1\r\n\r\n{}");
  out.clear();
  response.content_type = "";
  serialize(response, true, Persistence::close, out);
  EXPECT_EQ(out, "HTTP/1.1 410 Gone\r\nContent-Length: 2\r\nRetry-After: 1\r\nConnection: close\r\n\r\n");
  out.clear();
  response.headers.clear();
  serialize_head(response, Framing::chunked, Persistence::keep_alive_1_0, out);
  EXPECT_EQ(out, "HTTP/1.1 410 Gone\r\nTransfer-Encoding: chunked\r\nConnection: keep-alive\r\n\r\n");
}

TEST(PercentDecoded, UndoesEscapes) {
  EXPECT_EQ(percent_decoded("a%20b%2Fc+d"), "a b/c+d");
  EXPECT_EQ(percent_decoded("a+b", true), "a b");
  EXPECT_EQ(percent_decoded("%00"), std::string(1, '\0'));
  for (const auto* text : {"%", "%4", "%G0", "a%2"}) EXPECT_EQ(percent_decoded(text), std::nullopt) << text;
}

TEST(QueryParameter, FindsTheFirstOfItsName) {
  EXPECT_EQ(query_parameter("after=5&limit=10&after=6", "after"), "5");
  EXPECT_EQ(query_parameter("a%66ter=5", "after"), "5");
  EXPECT_EQ(query_parameter("after", "after"), "");
  EXPECT_EQ(query_parameter("after=%zz", "after"), std::nullopt);
  EXPECT_EQ(query_parameter("", "after"), std::nullopt);
  EXPECT_EQ(query_parameter("xafter=1", "after"), std::nullopt);
}

TEST(Request, FindsHeadersWithoutCase) {
  const HeaderView headers[] = {{"Host", "x"}, {"content-TYPE", "y"}};
  Request request;
  request.headers = headers;
  EXPECT_EQ(request.header("Content-Type"), "y");
  EXPECT_EQ(request.header("Accept"), "");
}

}  // namespace
}  // namespace doorbuster::http
