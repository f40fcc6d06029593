#include "net/async_http_client.hpp"

#include <sys/socket.h>

#include <condition_variable>
#include <mutex>

#include "net/http_server_fixture.hpp"

namespace doorbuster::net {
namespace {

/// Answers as scripted, a connection after the other, on a thread of its own; `{}` closes without a word.
class ScriptedServer {
 public:
  explicit ScriptedServer(std::vector<std::vector<std::string>> connections) {
    listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(::bind(listener_, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    EXPECT_EQ(::listen(listener_, 16), 0);
    socklen_t size = sizeof address;
    ::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size);
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this, connections = std::move(connections)] {
      for (const auto& replies : connections) {
        const int socket = ::accept(listener_, nullptr, nullptr);
        if (socket < 0) return;
        for (const auto& reply : replies) {
          if (!has_request(socket)) break;
          ::send(socket, reply.data(), reply.size(), MSG_NOSIGNAL);
        }
        if (replies.empty()) has_request(socket);
        ::close(socket);
      }
    });
  }
  ~ScriptedServer() {
    ::shutdown(listener_, SHUT_RDWR);
    thread_.join();
    ::close(listener_);
  }
  Url url() const { return {"127.0.0.1", std::to_string(port_), ""}; }

 private:
  static bool has_request(int socket) {
    std::string text;
    char bytes[1024];
    while (text.find("\r\n\r\n") == std::string::npos) {
      const auto got = ::recv(socket, bytes, sizeof bytes, 0);
      if (got <= 0) return false;
      text.append(bytes, static_cast<std::size_t>(got));
    }
    return true;
  }

  int listener_ = -1;
  std::uint16_t port_ = 0;
  std::thread thread_;
};

/// What a stream told, to wait for from another thread.
struct Told {
  std::mutex mutex;
  std::condition_variable changed;
  int status = 0;
  std::string bytes;
  bool ended = false;

  template <class Predicate>
  bool wait(Predicate predicate) {
    std::unique_lock lock(mutex);
    return changed.wait_for(lock, 10s, predicate);
  }
};

class TellingReader final : public StreamReader {
 public:
  explicit TellingReader(std::shared_ptr<Told> told) : told_(std::move(told)) {}
  bool on_head(int status, std::string_view) override {
    tell([&] { told_->status = status; });
    return status == 200;
  }
  void on_bytes(std::string_view bytes) override {
    tell([&] { told_->bytes += bytes; });
  }
  void on_end(const Error&) override {
    tell([&] { told_->ended = true; });
  }

 private:
  template <class Change>
  void tell(Change change) {
    {
      const std::lock_guard lock(told_->mutex);
      change();
    }
    told_->changed.notify_all();
  }
  std::shared_ptr<Told> told_;
};

class AsyncHttpClientTest : public HttpServerTest {
 protected:
  AsyncHttpClientTest() { client_shard_.start(); }
  ~AsyncHttpClientTest() override {
    client_shard_.run([this] { client_ = nullptr; });
    client_shard_.stop();
  }

  void connect(Url url, AsyncHttpClient::Options options = {}) {
    client_shard_.run([&] {
      client_ = std::make_unique<AsyncHttpClient>(client_shard_, std::move(url), "Basic abc", options);
    });
  }
  void connect_to_server(const std::string& path = "") {
    connect({"127.0.0.1", std::to_string(port_), path});
  }

  std::future<Result<ClientResponse>> begin(AsyncRequest request, Duration timeout = 10s) {
    auto answer = std::make_shared<std::promise<Result<ClientResponse>>>();
    client_shard_.post([this, request = std::move(request), timeout, answer]() mutable {
      client_->exchange(std::move(request), timeout,
                        [answer](Result<ClientResponse> result) { answer->set_value(std::move(result)); });
    });
    return answer->get_future();
  }
  Result<ClientResponse> get(const std::string& target, Duration timeout = 10s) {
    return begin({.target = target}, timeout).get();
  }

  rt::Shard client_shard_{"client"};
  std::unique_ptr<AsyncHttpClient> client_;
};

TEST_F(AsyncHttpClientTest, KeepsTheConnectionForTheNextExchange) {
  serve();
  connect_to_server("/base");
  EXPECT_EQ(get("/a")->body, "GET /base/a ");
  const auto posted =
      begin({.method = "POST", .target = "/b", .body = "{}", .content_type = "application/json"}).get();
  ASSERT_TRUE(posted);
  EXPECT_EQ(posted->body, "POST /base/b {}");
  EXPECT_EQ(get("/c")->status, 200);
  EXPECT_EQ(stats().accepted, 1u);
}

TEST_F(AsyncHttpClientTest, ReadsLongAndChunkedReplies) {
  serve();
  connect_to_server();
  EXPECT_EQ(get("/pieces")->body, "aaaaabbbbbccccc");
  EXPECT_EQ(get("/large")->body.size(), 100'000u);
  EXPECT_EQ(get("/pieces?fail").error().code, ErrorCode::malformed);
}

TEST_F(AsyncHttpClientTest, OpensFurtherConnectionsUpToItsBoundAndThenWaits) {
  hold_until_ = 4;
  serve();
  connect_to_server();
  std::vector<std::future<Result<ClientResponse>>> answers;
  for (int i = 0; i < 4; ++i) answers.push_back(begin({.target = "/hold"}));
  answers.push_back(begin({.target = "/last"}));
  for (auto& answer : answers) EXPECT_TRUE(answer.get());
  EXPECT_EQ(stats().accepted, 4u);
}

TEST_F(AsyncHttpClientTest, RefusesWhatIsTooMuch) {
  hold_until_ = 100;
  serve();
  connect({"127.0.0.1", std::to_string(port_), ""}, {.most_connections = 1, .most_waiting = 2});
  auto first = begin({.target = "/hold"});
  client_shard_.run([] {});  // the first has left the queue when its turn is over
  auto second = begin({.target = "/a"});
  auto third = begin({.target = "/b"});
  auto fourth = begin({.target = "/c"});
  const auto refused = fourth.get();
  ASSERT_TRUE(refused.has_error());
  EXPECT_EQ(refused.error().code, ErrorCode::overloaded);
  client_shard_.run([this] { client_ = nullptr; });  // calls nobody
}

TEST_F(AsyncHttpClientTest, TellsWhatWasNotSentFromWhatMayHaveHappened) {
  connect({"127.0.0.1", "1", ""});
  EXPECT_EQ(get("/").error().code, ErrorCode::unavailable);
  serve();
  hold_until_ = 100;
  connect_to_server();
  EXPECT_EQ(get("/hold", 50ms).error().code, ErrorCode::unknown_outcome);
  connect({"no-such-host.invalid", "1", ""});
  EXPECT_EQ(get("/").error().code, ErrorCode::unavailable);
}

const std::string kOk = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

TEST_F(AsyncHttpClientTest, SendsAgainWhenAKeptConnectionHasGoneMeanwhile) {
  // The first connection ends with its second request unanswered.
  ScriptedServer server({{kOk}, {kOk}});
  connect(server.url());
  EXPECT_EQ(get("/")->body, "ok");
  EXPECT_EQ(get("/")->body, "ok");
}

TEST_F(AsyncHttpClientTest, DoesNotSendAgainOnANewConnection) {
  ScriptedServer server({{}, {kOk}});
  connect(server.url());
  const auto answer = get("/");
  ASSERT_TRUE(answer.has_error());
  EXPECT_EQ(answer.error().code, ErrorCode::unknown_outcome);
  EXPECT_EQ(get("/")->body, "ok");
}

TEST_F(AsyncHttpClientTest, DistrustsAConnectionThatSaysMoreThanAsked) {
  ScriptedServer server({{kOk + "HTTP/1.1 500 No\r\n\r\n", kOk}, {kOk}});
  connect(server.url());
  EXPECT_EQ(get("/")->status, 200);
  EXPECT_EQ(get("/")->status, 200);
}

TEST_F(AsyncHttpClientTest, SaysWhatIsNoHttp) {
  ScriptedServer server({{"hello\r\n\r\n"}, {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab"}});
  connect(server.url());
  EXPECT_EQ(get("/").error().code, ErrorCode::malformed);
  EXPECT_EQ(get("/").error().code, ErrorCode::malformed);
}

TEST_F(AsyncHttpClientTest, GivesAStreamPieceByPiece) {
  ScriptedServer server({{"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n4\r\ndefg\r\n"}});
  connect(server.url());
  auto told = std::make_shared<Told>();
  client_shard_.run([&] { client_->stream({.target = "/"}, 10s, std::make_unique<TellingReader>(told)); });
  EXPECT_TRUE(told->wait([&] { return told->ended; }));
  EXPECT_EQ(told->status, 200);
  EXPECT_EQ(told->bytes, "abcdefg");
}

TEST_F(AsyncHttpClientTest, EndsAStreamThatFallsSilentOrIsNotThere) {
  hold_until_ = 100;
  serve();
  connect_to_server();
  auto silent = std::make_shared<Told>();
  client_shard_.run(
      [&] { client_->stream({.target = "/hold"}, 50ms, std::make_unique<TellingReader>(silent)); });
  EXPECT_TRUE(silent->wait([&] { return silent->ended; }));
  connect({"127.0.0.1", "1", ""});
  auto absent = std::make_shared<Told>();
  client_shard_.run([&] { client_->stream({.target = "/"}, 10s, std::make_unique<TellingReader>(absent)); });
  EXPECT_TRUE(absent->wait([&] { return absent->ended; }));
}

TEST_F(AsyncHttpClientTest, CallsNobodyOnceItIsGone) {
  hold_until_ = 100;
  serve();
  connect_to_server();
  auto told = std::make_shared<Told>();
  auto answer = begin({.target = "/hold"});
  client_shard_.run([&] {
    client_->stream({.target = "/hold"}, 10s, std::make_unique<TellingReader>(told));
    client_ = nullptr;
  });
  EXPECT_THROW(answer.get(), std::future_error);  // broken: destroyed uncalled
  EXPECT_FALSE(told->ended);
}

}  // namespace
}  // namespace doorbuster::net
