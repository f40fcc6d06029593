#include "net/http_server.hpp"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <future>
#include <map>

#include "proto/http/response_parser.hpp"

namespace doorbuster::net {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;
using testing::StartsWith;

/// A blocking client socket; a read waits ten seconds at most.
class Client {
 public:
  explicit Client(std::uint16_t port, int receive_buffer = 0) {
    socket_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (receive_buffer > 0)
      ::setsockopt(socket_, SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof receive_buffer);
    timeval patience{10, 0};
    ::setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(::connect(socket_, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  }
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;
  ~Client() { ::close(socket_); }

  void send(std::string_view bytes) const {
    while (!bytes.empty()) {
      const auto sent = ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      ASSERT_GT(sent, 0);
      bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
  }
  void send_slowly(std::string_view bytes) const {
    const int on = 1;
    ::setsockopt(socket_, IPPROTO_TCP, 1 /* TCP_NODELAY */, &on, sizeof on);
    for (const char byte : bytes) send({&byte, 1});
  }
  void end_sending() const { ::shutdown(socket_, SHUT_WR); }

  /// The next reply's status and body; status 0 when the connection ended instead.
  struct Reply {
    int status = 0;
    std::string body;
    std::string content_type;
    bool keep_alive = false;
  };
  Reply reply(bool head_request = false) {
    http::ResponseParser parser(64 << 20);
    parser.reset(head_request);
    while (!parser.done()) {
      if (buffered_.empty() && !fill()) {
        if (parser.put_end()) break;
        return {};
      }
      const auto put = parser.put(buffered_);
      if (!put) return {};
      buffered_.erase(0, *put);
    }
    return {parser.status(), std::string(parser.body()), std::string(parser.header("Content-Type")),
            parser.keep_alive()};
  }
  /// Everything until the server closes.
  std::string rest() {
    while (fill()) {
    }
    return std::exchange(buffered_, {});
  }
  bool ended() { return buffered_.empty() && !fill(); }

 private:
  bool fill() {
    char bytes[4096];
    const auto got = ::recv(socket_, bytes, sizeof bytes, 0);
    if (got <= 0) return false;
    buffered_.append(bytes, static_cast<std::size_t>(got));
    return true;
  }
  int socket_;
  std::string buffered_;
};

/// Three numbered pieces, then the end; or a failure in the middle.
class Pieces final : public BodySource {
 public:
  Pieces(int count, std::size_t bytes, bool fails) : count_(count), bytes_(bytes), fails_(fails) {}
  void next(Next done) override {
    if (given_ == count_) {
      if (fails_) return done(make_error(ErrorCode::unavailable, "the database has gone"));
      return done(std::optional<std::string>());
    }
    done(std::optional(std::string(bytes_, static_cast<char>('a' + given_++ % 26))));
  }

 private:
  int count_;
  std::size_t bytes_;
  bool fails_;
  int given_ = 0;
};

class HttpServerTest : public testing::Test {
 protected:
  HttpServerTest() { shard_.start(); }
  ~HttpServerTest() override {
    shard_.run([this] {
      held_.clear();
      server_ = nullptr;
    });
    shard_.stop();
  }

  void serve(HttpServerOptions options = {}) {
    shard_.run([&] {
      server_ = std::make_unique<HttpServer>(shard_, options,
                                             [this](const http::Request& request, Responder responder) {
                                               handle(request, std::move(responder));
                                             });
      ASSERT_TRUE(server_->listen());
      port_ = server_->port();
    });
  }

  void handle(const http::Request& request, Responder responder) {
    ++handled_;
    http::Response response;
    if (request.path == "/hold") {
      held_.push_back(std::move(responder));
      if (held_.size() == hold_until_) release();
      return;
    }
    if (request.path == "/forget") return;
    if (request.path == "/pieces") {
      return responder.send_stream(response, std::make_unique<Pieces>(3, 5, request.query == "fail"));
    }
    if (request.path == "/much")
      return responder.send_stream(response, std::make_unique<Pieces>(2000, 10'000, false));
    if (request.path == "/large") {
      response.body = std::string(100'000, 'x');
      return responder.send(response);
    }
    response.body = std::string(to_text(request.method)) + " " + std::string(request.target) + " " +
                    std::string(request.body);
    responder.send(response);
  }

  /// Answers what is held, the last one first.
  void release() {
    for (std::size_t i = held_.size(); i-- > 0;) {
      http::Response response;
      response.body = "reply " + std::to_string(i);
      held_[i].send(response);
    }
    held_.clear();
  }

  HttpServerStats stats() {
    HttpServerStats stats;
    shard_.run([&] { stats = server_->stats(); });
    return stats;
  }

  rt::Shard shard_{"test"};
  std::unique_ptr<HttpServer> server_;
  std::uint16_t port_ = 0;
  std::vector<Responder> held_;
  std::size_t hold_until_ = 0;
  std::atomic<int> handled_{0};
};

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

TEST_F(HttpServerTest, StopsReadingWhileTooManyRequestsAreInTheAir) {
  HttpServerOptions options;
  options.most_pipelined = 4;
  serve(options);
  hold_until_ = 4;
  Client client(port_);
  std::string requests;
  for (int i = 0; i < 40; ++i) requests += "GET /hold HTTP/1.1\r\nHost: x\r\n\r\n";
  client.send(requests);  // handled in groups of four: with five in the air at once none would be answered
  for (int i = 0; i < 40; ++i) EXPECT_EQ(client.reply().body, "reply " + std::to_string(i % 4));
}

TEST_F(HttpServerTest, ServesAClientThatReadsSlowlyWithoutBufferingWithoutBound) {
  serve();
  Client client(port_, 4096);
  std::string requests;
  for (int i = 0; i < 200; ++i) requests += "GET /large HTTP/1.1\r\nHost: x\r\n\r\n";
  client.send(requests);
  int whole = 0;
  while (whole < 200 && client.reply().body.size() == 100'000) ++whole;
  EXPECT_EQ(whole, 200);
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

TEST_F(HttpServerTest, CutsOffWhoSendsTooSlowly) {
  HttpServerOptions options;
  options.request_timeout = 50ms;
  serve(options);
  Client client(port_);
  client.send("GET /slow HT");
  EXPECT_EQ(client.reply().status, 408);
  EXPECT_TRUE(client.ended());
}

TEST_F(HttpServerTest, CutsOffWhoSaysNothing) {
  HttpServerOptions options;
  options.idle_timeout = 50ms;
  serve(options);
  Client client(port_);
  EXPECT_TRUE(client.ended());
  EXPECT_EQ(stats().timed_out, 1U);
}

TEST_F(HttpServerTest, CutsOffWhoDoesNotTakeItsReply) {
  HttpServerOptions options;
  options.write_timeout = 50ms;
  serve(options);
  Client client(port_, 4096);
  client.send("GET /much HTTP/1.1\r\nHost: x\r\n\r\n");
  while (stats().timed_out == 0) std::this_thread::yield();
  EXPECT_EQ(client.reply().status, 0);
}

TEST_F(HttpServerTest, RefusesMoreConnectionsThanItsBound) {
  HttpServerOptions options;
  options.most_connections = 1;
  serve(options);
  Client first(port_);
  first.send("GET /x HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_EQ(first.reply().status, 200);
  Client second(port_);
  const auto refused = second.reply();
  EXPECT_EQ(refused.status, 503);
  EXPECT_FALSE(refused.keep_alive);
}

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

TEST_F(HttpServerTest, SaysWhyAPortCannotBeHad) {
  serve();
  const auto taken = probe_port("127.0.0.1", port_);
  ASSERT_TRUE(taken.has_error());
  EXPECT_THAT(taken.error().detail, HasSubstr("in use"));
  const auto name = probe_port("no address", 0);
  ASSERT_TRUE(name.has_error());
  EXPECT_THAT(name.error().detail, StartsWith("'no address' is not an IP address"));
}

}  // namespace
}  // namespace doorbuster::net
