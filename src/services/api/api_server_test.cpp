// The endpoints behind the real HTTP server, over real sockets: that the two fit, replies and streams alike.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "adapters/memory/memory_catalog.hpp"
#include "adapters/memory/memory_event_log.hpp"
#include "adapters/memory/memory_ledger.hpp"
#include "adapters/memory/memory_repository.hpp"
#include "net/http_client.hpp"
#include "services/api/api_endpoints.hpp"
#include "tests/support/manual_clock.hpp"

namespace doorbuster::api {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

class ApiServer : public testing::Test {
 protected:
  void SetUp() override {
    ledger_.finish_restore();
    shard_.start();
    Result<void> listening = make_error(ErrorCode::unavailable, "not asked yet");
    shard_.run([&] { listening = server_.listen(); });
    ASSERT_TRUE(listening) << listening.error().detail;
  }
  void TearDown() override {
    shard_.run([&] { server_.stop(); });
    shard_.stop();
  }
  net::ClientResponse exchange(std::string_view method, std::string_view target, std::string_view body = {}) {
    net::HttpClient client(net::Url{"127.0.0.1", std::to_string(server_.port()), ""});
    auto response = client.exchange(method, target, body);
    EXPECT_TRUE(response);
    return response ? *response : net::ClientResponse{};
  }

  test::ManualClock clock_;
  SeededRandom random_{1};
  rt::Shard shard_{"io-0"};
  MemoryLedger ledger_{clock_, random_};
  MemoryEventLog log_;
  MemoryCatalog catalog_{log_};
  MemoryRepository repository_;
  obs::Registry metrics_;
  IssueService issue_{shard_, clock_, ledger_, log_, IssueOptions{}};
  CampaignService campaigns_{shard_, clock_, ledger_, catalog_};
  rt::Offload offload_{"db", 1, 16};
  ApiEndpoints endpoints_{
      {shard_, clock_, ledger_, issue_, campaigns_, repository_, offload_, log_, metrics_}, {}};
  net::HttpServer server_{shard_, net::HttpServerOptions{},
                          [this](const http::Request& request, net::Responder responder) {
                            endpoints_.handle(request, std::move(responder));
                          }};
};

TEST_F(ApiServer, IssuesACoupon) {
  EXPECT_EQ(exchange("POST", "/v1/campaigns", R"({"id":"sale","name":"S","limit":1})").status, 201);
  const auto first = exchange("POST", "/v1/campaigns/sale/coupons", R"({"user_id":7})");
  EXPECT_EQ(first.status, 201);
  EXPECT_THAT(first.content_type, StartsWith("application/json"));
  EXPECT_THAT(first.body, HasSubstr(R"("user_id":"7","sequence":1)"));
  EXPECT_EQ(exchange("POST", "/v1/campaigns/sale/coupons", R"({"user_id":7})").body, first.body);
  const auto late = exchange("POST", "/v1/campaigns/sale/coupons", R"({"user_id":8})");
  EXPECT_EQ(late.status, 410);
  EXPECT_EQ(late.content_type, "application/problem+json");
}

TEST_F(ApiServer, StreamsAnExport) {
  EXPECT_EQ(exchange("POST", "/v1/campaigns", R"({"id":"sale","name":"S","limit":3000})").status, 201);
  std::vector<LogRecord> records;
  for (std::uint64_t i = 1; i <= 2'500; ++i) {
    CouponIssued event;
    event.campaign = *CampaignId::parse("sale");
    CouponCode::Bytes code{static_cast<std::uint8_t>(i), static_cast<std::uint8_t>(i >> 8)};
    event.coupon = {UserId::from_integer(i), i, CouponCode(code), clock_.now()};
    records.push_back({i, event});
  }
  ASSERT_TRUE(repository_.store(records));
  const auto csv = exchange("GET", "/v1/campaigns/sale/coupons.csv");
  EXPECT_EQ(csv.status, 200);
  EXPECT_EQ(std::count(csv.body.begin(), csv.body.end(), '\n'), 2'501);
  EXPECT_THAT(csv.body, HasSubstr("\n2500,"));
}

TEST_F(ApiServer, RefusesALargeBodyAndAnUnknownPath) {
  EXPECT_EQ(exchange("POST", "/v1/campaigns", std::string(5'000, ' ')).status, 413);
  EXPECT_EQ(exchange("GET", "/nowhere").status, 404);
}

}  // namespace
}  // namespace doorbuster::api
