#include "adapters/eureka/eureka_client.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <future>

#include "adapters/eureka/scripted_registry.hpp"
#include "tests/support/manual_executor.hpp"

namespace doorbuster {
namespace {

using namespace std::chrono_literals;
using leases::Action;
using testing::HasSubstr;
using testing::StartsWith;

leases::InstanceInfo shop(const std::string& host, std::optional<Action> action = std::nullopt) {
  leases::InstanceInfo info;
  info.app = "SHOP";
  info.vip_address = "Shop,store";
  info.instance_id = host + ":shop:80";
  info.host_name = host;
  info.ip_address = host;
  info.port = {80, true};
  info.metadata = {{"zone", "z1"}};
  info.action = action;
  return info;
}

leases::Applications list(std::vector<leases::InstanceInfo> instances) {
  leases::StatusCounts counts{};
  for (const auto& info : instances) ++counts[static_cast<std::size_t>(info.status)];
  return {1, leases::hash_code(counts), {{"SHOP", std::move(instances)}}};
}

class EurekaClientTest : public testing::Test {
 protected:
  EurekaClient& client(const std::string& urls, bool directory, Duration poll_every = 1h) {
    EurekaClient::Options options;
    options.servers = *parse_registry_servers(urls);
    options.directory = directory;
    options.poll_every = poll_every;
    client_ = std::make_unique<EurekaClient>(std::move(options));
    return *client_;
  }
  bool comes_true(const std::function<bool()>& condition) { return executor_.wait_until(condition); }
  std::size_t shops() { return client_->instances("shop")->size(); }

  static ServiceInstance own() {
    ServiceInstance instance;
    instance.id = "127.0.0.1:coupon-api:8081";
    instance.service = "coupon-api";
    instance.host = "127.0.0.1";
    instance.port = 8081;
    instance.status = InstanceStatus::starting;
    instance.metadata = {{std::string(kPipeliningMetadata), "64"}};
    return instance;
  }

  ScriptedRegistry registry_;
  test::ManualExecutor executor_;
  std::unique_ptr<EurekaClient> client_;
};

TEST_F(EurekaClientTest, HasNobodyBeforeTheFirstListAndEverybodyAfterIt) {
  registry_.set_full(list({shop("a"), shop("b")}));
  auto& client = this->client(registry_.url(), true);
  int changes = 0;
  client.subscribe(executor_, [&] { ++changes; });
  EXPECT_EQ(client.instances("nobody")->size(), 0u);
  ASSERT_TRUE(comes_true([&] { return shops() == 2; }));
  const auto& first = client.instances("store")->front();
  EXPECT_EQ(first.host, "a");
  EXPECT_EQ(first.port, 80);
  EXPECT_EQ(first.service, "store");
  EXPECT_EQ(first.status, InstanceStatus::up);
  EXPECT_EQ(first.metadata.at("zone"), "z1");
  EXPECT_TRUE(client.has_list());
}

TEST_F(EurekaClientTest, AnEventBringsADeltaAtOnce) {
  registry_.set_full(list({shop("a"), shop("b")}));
  registry_.set_delta(list({shop("a"), shop("b")}));
  registry_.offer_events();
  auto& client = this->client(registry_.url(), true);
  ASSERT_TRUE(comes_true([&] { return client.stats().directory.following; }));
  const auto before = client.instances("shop");
  std::atomic<int> changes = 0;
  client.subscribe(executor_, [&] { ++changes; });
  registry_.set_delta(list({shop("b", Action::deleted), shop("c", Action::added)}));
  registry_.tell_event();
  ASSERT_TRUE(comes_true([&] { return changes == 1; }));
  EXPECT_EQ(shops(), 2u);
  EXPECT_EQ(client.instances("shop")->back().host, "c");
  EXPECT_EQ(before->back().host, "b") << "a list that somebody holds does not change";
  EXPECT_EQ(client.stats().directory.full_fetches, 1u);
}

TEST_F(EurekaClientTest, AnAnswerOlderThanAnEventIsAskedForAgain) {
  const auto of_version = [](std::int64_t version, std::vector<leases::InstanceInfo> instances) {
    auto all = list(std::move(instances));
    all.version = version;
    return all;
  };
  registry_.set_full(of_version(4, {shop("a")}));
  registry_.set_delta(of_version(4, {shop("a")}));
  registry_.offer_events();
  client(registry_.url(), true);
  ASSERT_TRUE(comes_true([&] { return client_->stats().directory.following; }));
  registry_.tell_event("5");
  ASSERT_TRUE(comes_true([&] { return client_->stats().directory.delta_fetches >= 4; }));
  EXPECT_EQ(shops(), 1u);
  auto news = of_version(5, {shop("b", Action::added)});
  news.hash_code = list({shop("a"), shop("b")}).hash_code;
  registry_.set_delta(news);
  ASSERT_TRUE(comes_true([&] { return shops() == 2; }));
  EXPECT_EQ(client_->stats().directory.full_fetches, 1u);
}

TEST_F(EurekaClientTest, PollsARegistryWithoutEvents) {
  registry_.set_full(list({shop("a")}));
  registry_.set_delta(list({shop("a")}));
  client(registry_.url(), true, 10ms);
  EXPECT_THAT(registry_.await("GET /v1/registry/events"), StartsWith("GET"));
  ASSERT_TRUE(comes_true([&] { return client_->stats().directory.delta_fetches > 2; }));
  EXPECT_EQ(client_->stats().directory.full_fetches, 1u);
  EXPECT_FALSE(client_->stats().directory.following);
}

TEST_F(EurekaClientTest, FetchesEverythingWhenTheHashDiffers) {
  registry_.set_full(list({shop("a")}));
  auto wrong = list({shop("b", Action::added)});
  wrong.hash_code = "UP_7_";
  registry_.set_delta(wrong);
  client(registry_.url(), true, 20ms);
  ASSERT_TRUE(comes_true([&] { return client_->stats().directory.full_fetches > 1; }));
  EXPECT_GE(client_->stats().directory.mismatches, 1u);
}

TEST_F(EurekaClientTest, FetchesEverythingWhereDeltasAreSwitchedOffAndBelievesIt) {
  registry_.set_full(list({shop("a"), shop("b")}));
  registry_.set_delta_status(403);
  client(registry_.url(), true, 10ms);
  ASSERT_TRUE(comes_true([&] { return client_->stats().directory.full_fetches > 2; }));
  registry_.set_full(list({shop("a")}));
  EXPECT_TRUE(comes_true([&] { return shops() == 1; }));
}

TEST_F(EurekaClientTest, KeepsTheLastListWhenTheRegistryIsGoneAndWhenItReturnsEmpty) {
  auto registry = std::make_unique<ScriptedRegistry>();
  const auto port = registry->port();
  registry->set_full(list({shop("a"), shop("b")}));
  client(registry->url(), true, 10ms);
  ASSERT_TRUE(comes_true([&] { return shops() == 2; }));
  registry = nullptr;
  ASSERT_TRUE(comes_true([&] { return client_->stats().directory.failures > 1; }));
  EXPECT_EQ(shops(), 2u);
  EXPECT_FALSE(client_->stats().reachable);
  const auto before = client_->stats().directory.full_fetches;
  registry = std::make_unique<ScriptedRegistry>(port);
  ASSERT_TRUE(registry->listening());
  ASSERT_TRUE(comes_true([&] { return client_->stats().directory.full_fetches > before; }));
  EXPECT_EQ(shops(), 2u) << "for one lease";
  EXPECT_TRUE(client_->stats().reachable);
}

TEST_F(EurekaClientTest, GoesOnToTheNextServer) {
  ScriptedRegistry second;
  registry_.set_status(503);
  second.set_full(list({shop("a")}));
  client(registry_.url() + "," + second.url(), true);
  client_->announce(own(), 1h, 3h);
  ASSERT_TRUE(comes_true([&] { return shops() == 1; }));
  EXPECT_THAT(second.await("POST /eureka/apps/COUPON-API"), HasSubstr("STARTING"));
}

TEST_F(EurekaClientTest, RegistersTellsItsStatusAndTakesItsLeave) {
  client(registry_.url(), false);
  client_->announce(own(), 10s, 30s);
  const auto enrolled = registry_.await("POST /eureka/apps/COUPON-API");
  const auto info =
      *eureka::read_instance(eureka::Format::json, std::string_view(enrolled).substr(enrolled.find('{')));
  EXPECT_EQ(info.instance_id, "127.0.0.1:coupon-api:8081");
  EXPECT_EQ(info.vip_address, "coupon-api");
  EXPECT_EQ(info.ip_address, "127.0.0.1");
  EXPECT_EQ(info.port.number, 8081);
  EXPECT_EQ(info.status, leases::InstanceStatus::starting);
  EXPECT_EQ(info.lease.duration_s, 30);
  EXPECT_EQ(*leases::find_value(info.metadata, kPipeliningMetadata), "64");
  client_->set_status(InstanceStatus::up);
  EXPECT_THAT(registry_.await("POST /eureka/apps/COUPON-API"), HasSubstr("\"UP\""));
  client_->set_status(InstanceStatus::out_of_service);
  EXPECT_THAT(registry_.await("PUT /eureka/apps/COUPON-API/127.0.0.1:coupon-api:8081/status?"),
              HasSubstr("value=OUT_OF_SERVICE"));
  client_->withdraw(10s);
  EXPECT_THAT(registry_.await("DELETE /eureka/apps/COUPON-API/127.0.0.1:coupon-api:8081"),
              StartsWith("DELETE"));
}

TEST_F(EurekaClientTest, RegistersAgainWhereItIsNotKnown) {
  registry_.set_renew_status(404);
  client(registry_.url(), false);
  client_->announce(own(), 10ms, 30s);
  EXPECT_FALSE(registry_.await("POST /eureka/apps/COUPON-API").empty());
  EXPECT_THAT(registry_.await("PUT /eureka/apps/COUPON-API/127.0.0.1:coupon-api:8081?"),
              HasSubstr("lastDirtyTimestamp="));
  EXPECT_FALSE(registry_.await("POST /eureka/apps/COUPON-API").empty());
}

TEST_F(EurekaClientTest, ShowsItsCredentials) {
  client("http://me:pw@127.0.0.1:" + std::to_string(registry_.port()) + "/eureka", false);
  client_->announce(own(), 10s, 30s);
  EXPECT_FALSE(registry_.await("POST").empty());
  EXPECT_EQ(registry_.last_authorization(), "Basic bWU6cHc=");
}

TEST_F(EurekaClientTest, LeavesWithoutARegistryInTime) {
  client("http://127.0.0.1:1/", false);
  client_->announce(own(), 10s, 30s);
  client_->withdraw(50ms);
  client_->stop();
  EXPECT_FALSE(client_->stats().registered);
}

}  // namespace
}  // namespace doorbuster
