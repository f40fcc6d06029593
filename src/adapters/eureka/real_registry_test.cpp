// The client under our registry as it is served: enrolling, being pushed, losing it and finding it again.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>

#include "adapters/eureka/eureka_client.hpp"
#include "net/http_server.hpp"
#include "services/registry/registry_service.hpp"
#include "tests/support/manual_executor.hpp"

namespace doorbuster {
namespace {

using namespace std::chrono_literals;

class RealRegistry {
 public:
  explicit RealRegistry(std::uint16_t port = 0) {
    shard_.start();
    shard_.run([&] {
      service_ = std::make_unique<registry::RegistryService>(
          registry::RegistryParts{shard_, clock_, metrics_}, registry::RegistryOptions{});
      net::HttpServerOptions options;
      options.port = port;
      options.most_body_bytes = 64 * 1024;
      server_ = std::make_unique<net::HttpServer>(
          shard_, options, [this](const http::Request& request, net::Responder responder) {
            auto answer = service_->handle(request);
            if (answer.body) return responder.send_stream(answer.head, std::move(answer.body));
            responder.send(answer.head);
          });
      DOORBUSTER_ASSERT(server_->listen().has_value());
      port_ = server_->port();
    });
  }
  ~RealRegistry() {
    shard_.run([this] {
      server_ = nullptr;
      service_ = nullptr;
    });
    shard_.stop();
  }
  std::uint16_t port() const { return port_; }
  std::string url() const { return "http://127.0.0.1:" + std::to_string(port_) + "/eureka/"; }

 private:
  SystemClock clock_;
  obs::Registry metrics_;
  rt::Shard shard_{"registry"};
  std::unique_ptr<registry::RegistryService> service_;
  std::unique_ptr<net::HttpServer> server_;
  std::uint16_t port_ = 0;
};

class RealRegistryTest : public testing::Test {
 protected:
  std::unique_ptr<EurekaClient> client(const std::string& urls, bool directory) {
    EurekaClient::Options options;
    options.servers = *parse_registry_servers(urls);
    options.directory = directory;
    options.poll_every = 1h;  // what comes, was pushed
    return std::make_unique<EurekaClient>(std::move(options));
  }
  static ServiceInstance api(std::uint16_t port) {
    ServiceInstance instance;
    instance.id = "127.0.0.1:coupon-api:" + std::to_string(port);
    instance.service = "coupon-api";
    instance.host = "127.0.0.1";
    instance.port = port;
    instance.metadata = {{std::string(kPipeliningMetadata), "64"}, {"zone", "a_b"}};
    return instance;
  }
  bool comes_true(const std::function<bool()>& condition) { return executor_.wait_until(condition); }

  test::ManualExecutor executor_;
};

TEST_F(RealRegistryTest, WhatOneAnnouncesTheOtherIsToldAtOnce) {
  RealRegistry registry;
  const auto directory = client(registry.url(), true);
  const auto found = [&] { return directory->instances("coupon-api"); };
  ASSERT_TRUE(comes_true([&] { return directory->stats().directory.following; }));
  bool told = false;
  directory->subscribe(executor_, [&] { told = true; });

  const auto instance = client(registry.url(), false);
  const auto began = std::chrono::steady_clock::now();
  instance->announce(api(8081), 1h, 3h);
  ASSERT_TRUE(comes_true([&] { return found()->size() == 1; }));
  const std::chrono::duration<double, std::milli> took = std::chrono::steady_clock::now() - began;
  RecordProperty("push_ms", std::to_string(took.count()));
  ASSERT_EQ(found()->size(), 1u);
  EXPECT_EQ(found()->front(), api(8081)) << "nothing is lost on the way, metadata included";

  instance->set_status(InstanceStatus::out_of_service);
  EXPECT_TRUE(comes_true([&] { return found()->front().status == InstanceStatus::out_of_service; }));
  instance->set_status(InstanceStatus::up);
  EXPECT_TRUE(comes_true([&] { return found()->front().status == InstanceStatus::up; }));
  EXPECT_TRUE(comes_true([&] { return told; })) << "of one of these changes at latest";
  instance->set_status(InstanceStatus::down);
  EXPECT_TRUE(comes_true([&] { return found()->front().status == InstanceStatus::down; }));
  instance->withdraw(10s);
  EXPECT_TRUE(comes_true([&] { return found()->empty(); }));
  EXPECT_EQ(directory->stats().directory.mismatches, 0u) << "deltas were enough";
}

TEST_F(RealRegistryTest, ARestartLosesNobody) {
  auto registry = std::make_unique<RealRegistry>();
  const auto port = registry->port();
  const auto directory = client(registry->url(), true);
  const auto first = client(registry->url(), false);
  const auto second = client(registry->url(), false);
  first->announce(api(1), 20ms, 60s);
  second->announce(api(2), 1h, 60s);  // it will not have renewed when it is asked for
  const auto count = [&] { return directory->instances("coupon-api")->size(); };
  ASSERT_TRUE(comes_true([&] { return count() == 2 && directory->stats().directory.following; }));
  registry = nullptr;
  ASSERT_TRUE(comes_true([&] { return !directory->stats().reachable; }));
  EXPECT_EQ(count(), 2u);
  registry = std::make_unique<RealRegistry>(port);
  ASSERT_TRUE(
      comes_true([&] { return directory->stats().directory.following && first->stats().registered; }));
  EXPECT_EQ(count(), 2u);
  second->withdraw(10s);  // the new registry has never heard of it, and says so
  EXPECT_EQ(count(), 2u) << "remembered for its lease";
}

}  // namespace
}  // namespace doorbuster
