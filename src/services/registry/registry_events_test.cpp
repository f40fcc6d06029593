// The push of changes, over a socket.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "net/http_server_fixture.hpp"
#include "services/registry/test_registry.hpp"

namespace doorbuster::registry {
namespace {

using testing::AllOf;
using testing::HasSubstr;

/// A registry behind the real server, on a shard of its own.
class RegistryEvents : public testing::Test {
 protected:
  RegistryEvents() { shard_.start(); }
  ~RegistryEvents() override {
    shard_.run([this] { server_.reset(); });
    shard_.stop();
  }
  void start(const RegistryOptions& options = {}) {
    registry_ = std::make_unique<TestRegistry>(options);
    shard_.run([this] {
      server_ = std::make_unique<net::HttpServer>(
          shard_, net::HttpServerOptions(), [this](const http::Request& request, net::Responder responder) {
            auto answer = registry_->service.handle(request);
            if (answer.body) {
              responder.send_stream(answer.head, std::move(answer.body));
            } else {
              responder.send(answer.head);
            }
          });
      ASSERT_TRUE(server_->listen());
    });
  }
  void on_shard(Work work) { shard_.run(std::move(work)); }
  std::uint64_t listeners() {
    std::uint64_t count = 0;
    on_shard([&] { count = registry_->service.hub().stats().listeners; });
    return count;
  }

  rt::Shard shard_{"registry"};
  std::unique_ptr<TestRegistry> registry_;
  std::unique_ptr<net::HttpServer> server_;
};

/// Reads until `wanted` has come.
std::string read_until(net::Client& client, std::string_view wanted) {
  std::string text;
  while (text.find(wanted) == std::string::npos) {
    const auto more = client.piece();
    if (more.empty()) break;
    text += more;
  }
  return text;
}

TEST_F(RegistryEvents, TellEachChangeAsItHappens) {
  start();
  net::Client client(server_->port());
  client.send("GET /v1/registry/events HTTP/1.1\r\nHost: h\r\n\r\n");
  EXPECT_THAT(read_until(client, "event: hello"), AllOf(HasSubstr("200 OK"), HasSubstr("text/event-stream")));
  on_shard([&] { registry_->enroll("SHOP", "x"); });
  const auto added = read_until(client, "}}\n\n");
  EXPECT_THAT(added,
              AllOf(HasSubstr("event: added\nid: 2\ndata: {\"version\":2,\"hash\":\"UP_1_\",\"instance\":{"),
                    HasSubstr("\"instanceId\":\"x\"")));
  on_shard([&] { registry_->status(http::Method::put, "/eureka/apps/SHOP/x/status?value=DOWN"); });
  EXPECT_THAT(read_until(client, "}}\n\n"), HasSubstr("event: modified\nid: 3"));
  on_shard([&] { registry_->status(http::Method::del, "/eureka/apps/SHOP/x"); });
  EXPECT_THAT(read_until(client, "}}\n\n"), HasSubstr("event: deleted\nid: 4"));
}

TEST_F(RegistryEvents, SayNowAndThenThatTheyAreAlive) {
  start();
  net::Client client(server_->port());
  client.send("GET /v1/registry/events HTTP/1.1\r\nHost: h\r\n\r\n");
  read_until(client, "event: hello");
  on_shard([&] { registry_->pass(15); });
  EXPECT_THAT(read_until(client, "\n\n"), HasSubstr(": keep-alive\n\n"));
}

TEST_F(RegistryEvents, EndWhenTheRegistryStops) {
  start();
  net::Client client(server_->port());
  client.send("GET /v1/registry/events HTTP/1.1\r\nHost: h\r\n\r\n");
  read_until(client, "event: hello");
  std::promise<void> drained;
  on_shard([&] {
    registry_->service.close_streams();
    server_->drain(std::chrono::seconds(10), [&] { drained.set_value(); });
  });
  EXPECT_THAT(read_until(client, "\r\n0\r\n\r\n"), HasSubstr("0\r\n\r\n"));
  client.close();
  EXPECT_EQ(drained.get_future().wait_for(std::chrono::seconds(5)), std::future_status::ready);
}

TEST_F(RegistryEvents, ForgetListenersThatHaveGone) {
  start();
  {
    net::Client client(server_->port());
    client.send("GET /v1/registry/events HTTP/1.1\r\nHost: h\r\n\r\n");
    read_until(client, "event: hello");
    EXPECT_EQ(listeners(), 1U);
  }
  // The next words find nobody: the first of them is refused by the client's machine, the second by ours.
  for (int i = 0; i < 1000 && listeners() > 0; ++i) {
    on_shard([&] { registry_->pass(15); });
  }
  EXPECT_EQ(listeners(), 0U);
}

TEST_F(RegistryEvents, AreBoundedInNumber) {
  RegistryOptions options;
  options.events.most_listeners = 1;
  start(options);
  net::Client first(server_->port()), second(server_->port());
  first.send("GET /v1/registry/events HTTP/1.1\r\nHost: h\r\n\r\n");
  read_until(first, "event: hello");
  second.send("GET /v1/registry/events HTTP/1.1\r\nHost: h\r\n\r\n");
  EXPECT_THAT(read_until(second, "}"), HasSubstr("503 Service Unavailable"));
}

}  // namespace
}  // namespace doorbuster::registry
