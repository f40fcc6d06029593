#include "net/http_server_fixture.hpp"

namespace doorbuster::net {
namespace {

using testing::HasSubstr;

TEST_F(HttpServerTest, AnswersManyRequestsOnOneConnection) {
  serve();
  Client client(port_);
  for (int i = 0; i < 3; ++i) {
    client.send("POST /a?b=" + std::to_string(i) + " HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nhi");
    const auto reply = client.reply();
    EXPECT_EQ(reply.status, 200);
    EXPECT_EQ(reply.body, "POST /a?b=" + std::to_string(i) + " hi");
    EXPECT_TRUE(reply.keep_alive);
  }
}

TEST_F(HttpServerTest, ReadsARequestThatArrivesByteByByte) {
  serve();
  Client client(port_);
  client.send_slowly(
      "POST /slow HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n");
  EXPECT_EQ(client.reply().body, "POST /slow abc");
}

TEST_F(HttpServerTest, AnswersPipelinedRequestsInOrderWhateverTheOrderOfCompletion) {
  serve();
  hold_until_ = 64;
  Client client(port_);
  std::string requests;
  for (int i = 0; i < 64; ++i) requests += "GET /hold HTTP/1.1\r\nHost: x\r\n\r\n";
  client.send(requests + "GET /after HTTP/1.1\r\nHost: x\r\n\r\n");
  for (int i = 0; i < 64; ++i) EXPECT_EQ(client.reply().body, "reply " + std::to_string(i));
  EXPECT_EQ(client.reply().body, "GET /after ");
}

TEST_F(HttpServerTest, StreamsABodyInChunks) {
  serve();
  Client client(port_);
  client.send("GET /pieces HTTP/1.1\r\nHost: x\r\n\r\nGET /next HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_EQ(client.reply().body, "aaaaabbbbbccccc");
  EXPECT_EQ(client.reply().body, "GET /next ");
}

TEST_F(HttpServerTest, StreamsToASlowClientPieceByPiece) {
  serve();
  Client client(port_, 4096);
  client.send("GET /much HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_EQ(client.reply().body.size(), 20'000'000U);
}

TEST_F(HttpServerTest, EndsAStreamWithTheConnectionForHttp10) {
  serve();
  Client client(port_);
  client.send("GET /pieces HTTP/1.0\r\n\r\n");
  const auto reply = client.rest();
  EXPECT_THAT(reply, HasSubstr("Connection: close"));
  EXPECT_THAT(reply, testing::EndsWith("\r\n\r\naaaaabbbbbccccc"));
}

TEST_F(HttpServerTest, CutsAStreamThatFailsSoThatTheClientNotices) {
  serve();
  Client client(port_);
  client.send("GET /pieces?fail HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_EQ(client.reply().status, 0);
}

TEST_F(HttpServerTest, KnowsKeepAliveOfBothVersions) {
  serve();
  Client modern(port_);
  modern.send("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  EXPECT_FALSE(modern.reply().keep_alive);
  EXPECT_TRUE(modern.ended());
  Client old(port_);
  old.send("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
  EXPECT_TRUE(old.reply().keep_alive);
  old.send("GET / HTTP/1.0\r\n\r\n");
  EXPECT_FALSE(old.reply().keep_alive);
  EXPECT_TRUE(old.ended());
}

TEST_F(HttpServerTest, SendsNoBodyForHead) {
  serve();
  Client client(port_);
  client.send("HEAD /x HTTP/1.1\r\nHost: x\r\n\r\nGET /y HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_EQ(client.reply(true).status, 200);
  EXPECT_EQ(client.reply().body, "GET /y ");
}

TEST_F(HttpServerTest, InvitesABodyThatWaitsForIt) {
  serve();
  Client client(port_);
  client.send("POST /x HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n");
  client.send("ok");
  EXPECT_EQ(client.reply().body, "POST /x ok");  // the parser passes over the interim reply
}

TEST_F(HttpServerTest, AnswersAClientThatHasClosedItsSide) {
  serve();
  Client client(port_);
  client.send("GET /x HTTP/1.1\r\nHost: x\r\n\r\n");
  client.end_sending();
  EXPECT_EQ(client.reply().body, "GET /x ");
  EXPECT_TRUE(client.ended());
}

TEST_F(HttpServerTest, DropsRepliesWhoseClientHasGone) {
  serve();
  hold_until_ = 2;
  { Client(port_).send("GET /hold HTTP/1.1\r\nHost: x\r\n\r\n"); }
  Client other(port_);
  other.send("GET /hold HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_EQ(other.reply().status, 200);
}

TEST_F(HttpServerTest, AnswersForAHandlerThatForgets) {
  serve();
  Client client(port_);
  client.send("GET /forget HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_EQ(client.reply().status, 500);
}

TEST_F(HttpServerTest, RefusesBadRequestsWithAProblemAndCloses) {
  serve();
  const std::map<std::string, int> table = {
      {"GARBAGE\r\n\r\n", 400},
      {"GET /\r\n", 400},
      {"GET / HTTP/2.0\r\n\r\n", 505},
      {"GET / HTTP/1.1\r\n\r\n", 400},
      {"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5000\r\n\r\n", 413},
      {"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip\r\n\r\n", 501},
      {"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", 400},
      {"GET / HTTP/1.1\r\nHost: x\r\nX: " + std::string(9000, 'y') + "\r\n\r\n", 431},
  };
  for (const auto& [bytes, status] : table) {
    Client client(port_);
    client.send(bytes);
    const auto reply = client.reply();
    EXPECT_EQ(reply.status, status) << bytes.substr(0, 60);
    EXPECT_EQ(reply.content_type, "application/problem+json");
    EXPECT_TRUE(client.ended());
  }
  EXPECT_EQ(stats().bad_requests, table.size());
  EXPECT_EQ(handled_, 0);
}

TEST_F(HttpServerTest, AnswersWhatCameBeforeABadRequest) {
  serve();
  Client client(port_);
  client.send("GET /good HTTP/1.1\r\nHost: x\r\n\r\nGARBAGE\r\n\r\n");
  EXPECT_EQ(client.reply().body, "GET /good ");
  EXPECT_EQ(client.reply().status, 400);
  EXPECT_TRUE(client.ended());
}

TEST_F(HttpServerTest, AnswersPipelinedRequestsOfOnePacketThatAreCompletedInReverse) {
  serve();
  hold_until_ = 64;
  std::string packet;
  for (int i = 0; i < 64; ++i) packet += "GET /hold HTTP/1.1\r\nHost: x\r\n\r\n";
  Client client(port_);
  client.send(packet);
  for (int i = 0; i < 64; ++i) EXPECT_EQ(client.reply().body, "reply " + std::to_string(i));
}

TEST_F(HttpServerTest, ReadsBodiesOfEverySizeUpToTheLimit) {
  serve();
  Client client(port_);
  for (const std::size_t size : {1U, 400U, 440U, 450U, 460U, 512U, 1024U, 4096U}) {
    const std::string body(size, 'b');
    client.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: " + std::to_string(size) + "\r\n\r\n" + body);
    EXPECT_EQ(client.reply().body, "POST / " + body);
  }
}

TEST_F(HttpServerTest, InvitesABodyOnlyWhenTheRepliesBeforeItHaveGone) {
  serve();
  Client client(port_);
  client.send(
      "GET /hold HTTP/1.1\r\nHost: x\r\n\r\n"
      "POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n");
  while (handled_ < 1) std::this_thread::yield();
  shard_.run([&] { release(); });
  EXPECT_EQ(client.reply().body, "reply 0");
  client.send("hi");
  EXPECT_EQ(client.reply().body, "POST / hi");  // the parser reads over the interim reply
}

TEST_F(HttpServerTest, SendsWhatIsCompletedInOneTurnInOnePiece) {
  serve();
  Client client(port_);
  client.send("GET /hold HTTP/1.1\r\nHost: x\r\n\r\nGET /hold HTTP/1.1\r\nHost: x\r\n\r\n");
  while (handled_ < 2) std::this_thread::yield();
  shard_.run([&] { release(); });
  EXPECT_THAT(client.piece(), testing::AllOf(HasSubstr("reply 0"), HasSubstr("reply 1")));
}

TEST_F(HttpServerTest, IsNotResetByAReplyThatComesWhileItSends) {
  serve();
  Client client(port_);
  client.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10000000\r\n\r\n");
  // The refusal is on its way; a reset would fail a send here, or lose the reply.
  for (int i = 0; i < 100; ++i) client.send(std::string(10'000, 'x'));
  EXPECT_EQ(client.reply().status, 413);
  EXPECT_TRUE(client.ended());
}

}  // namespace
}  // namespace doorbuster::net
