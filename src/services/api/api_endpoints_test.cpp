// What the endpoints do beyond status and type: what is late, what is streamed, what is counted.

#include "services/api/api_endpoints.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>

#include "services/api/test_api.hpp"

namespace doorbuster::api {
namespace {

using http::Method;
using testing::HasSubstr;
using testing::Not;

std::string path_of(std::uint64_t sequence) {
  return "/v1/coupons/" + TestApi::code_of(sequence).text();
}

TEST(Issue, AnswersTheCouponAndTheSameOneAgain) {
  TestApi api;
  api.create("sale", 5);
  const auto first = api.issue("sale", "alice");
  EXPECT_EQ(first.status(), 201);
  EXPECT_THAT(first.response.body, HasSubstr(R"("campaign_id":"sale","user_id":"alice","sequence":1,)"));
  EXPECT_THAT(first.response.body,
              HasSubstr(R"("issued_at":"2026-11-25T09:00:00.000000Z","durable":"log"})"));
  const auto written = *api.log.end();
  const auto again = api.issue("sale", "alice");
  EXPECT_EQ(again.status(), 200);
  EXPECT_EQ(again.response.body, first.response.body);
  EXPECT_EQ(*api.log.end(), written);
}

TEST(Issue, ShowsIntegersAsStringsAndServesTheOlderPath) {
  TestApi api;
  api.create("default", 5);
  const auto answer = api.post("/coupon/issue", R"({"userId":123})");
  EXPECT_EQ(answer.status(), 201);
  EXPECT_THAT(answer.response.body, HasSubstr(R"("campaign_id":"default","user_id":"123")"));
}

TEST(Issue, DecidesTheRequestsOfOneTurnTogetherAndAnswersEachItsOwn) {
  TestApi api;
  api.create("sale", 2);
  std::vector<std::shared_ptr<Answered>> answers;
  for (const std::string name : {"a", "b", "c"}) {
    answers.push_back(
        api.start({Method::post, "/v1/campaigns/sale/coupons", R"({"user_id":")" + name + R"("})"}));
  }
  api.executor.run_turn();
  EXPECT_EQ(api.issue_service.stats().batches.count(), 1u);
  EXPECT_EQ(api.issue_service.stats().batches.sum(), 3u);
  ASSERT_TRUE(api.executor.wait_until([&] { return answers[0]->complete && answers[1]->complete; }));
  EXPECT_THAT(answers[0]->response.body, HasSubstr(R"("user_id":"a","sequence":1)"));
  EXPECT_THAT(answers[1]->response.body, HasSubstr(R"("user_id":"b","sequence":2)"));
  ASSERT_TRUE(api.executor.wait_until([&] { return answers[2]->complete; }));
  EXPECT_EQ(answers[2]->status(), 410);  // and not before the two are safe
}

TEST(Issue, AsksToComeBackWhileTheLogIsClosedButHoldersGetTheirCoupon) {
  TestApi api;
  api.create("sale", 5);
  ASSERT_EQ(api.issue("sale", "alice").status(), 201);
  api.log.set_open(false);
  const auto refused = api.issue("sale", "bob");
  EXPECT_EQ(refused.status(), 503);
  EXPECT_EQ(refused.header("Retry-After"), "1");
  EXPECT_EQ(api.issue("sale", "alice").status(), 200);
}

TEST(Issue, IsNoSuccessWhenTheAppendFailed) {
  TestApi api;
  api.create("sale", 5);
  api.log.refuse_next(ErrorCode::unknown_outcome);
  const auto answer = api.issue("sale", "alice");
  EXPECT_EQ(answer.status(), 503);
  EXPECT_THAT(answer.response.body, HasSubstr("/problems/unknown-outcome"));
  EXPECT_EQ(answer.header("Retry-After"), "1");
}

// --- campaigns

TEST(Campaigns, ShowWhatWasCreatedAndCounted) {
  TestApi api;
  api.create("sale", 3);
  api.issue("sale", "alice");
  const auto shown = api.get("/v1/campaigns/sale");
  EXPECT_THAT(shown.response.body, HasSubstr(R"("limit":3,"issued":1,"remaining":2,"state":"open")"));
  const auto list = api.get("/v1/campaigns");
  EXPECT_EQ(list.response.body, R"({"campaigns":[)" + shown.response.body + "]}");
  const auto created = api.post("/v1/campaigns", R"({"id":"next","name":"N","limit":1})");
  EXPECT_EQ(created.header("Location"), "/v1/campaigns/next");
}

TEST(Campaigns, ChangeAtOnce) {
  TestApi api;
  api.create("sale", 1);
  EXPECT_EQ(api.issue("sale", "a").status(), 201);
  EXPECT_EQ(api.issue("sale", "b").status(), 410);
  const auto raised = api.ask({Method::patch, "/v1/campaigns/sale", R"({"limit":2})"});
  EXPECT_EQ(raised.status(), 200);
  EXPECT_THAT(raised.response.body, HasSubstr(R"("limit":2,"issued":1,"remaining":1,"state":"open")"));
  EXPECT_EQ(api.issue("sale", "b").status(), 201);
}

TEST(Campaigns, SayThatTheOtherStrategiesNeedRedis) {
  TestApi api;
  const auto answer =
      api.post("/v1/campaigns", R"({"id":"x","name":"N","limit":1,"strategy":"async-queue"})");
  EXPECT_EQ(answer.status(), 422);
  EXPECT_THAT(answer.response.body, HasSubstr("needs the full stack: not available in the embedded system"));
}

// --- look-ups

TEST(LookUp, ByUserAsksTheLedgerFirst) {
  TestApi api;
  api.create("sale", 3);
  const auto issued = api.issue("sale", "alice");
  const auto found = api.get("/v1/campaigns/sale/coupons/alice");
  EXPECT_EQ(found.status(), 200);
  EXPECT_EQ(found.response.body, issued.response.body);
}

TEST(LookUp, ByUserOfAPendingCouponIsNotYetKnownRatherThanAbsent) {
  TestApi api;
  api.create("sale", 3);
  api.log.refuse_next(ErrorCode::unavailable);
  ASSERT_EQ(api.issue("sale", "alice").status(), 503);
  const auto found = api.get("/v1/campaigns/sale/coupons/alice");
  EXPECT_EQ(found.status(), 503);
  EXPECT_EQ(found.header("Retry-After"), "1");
  EXPECT_THAT(found.response.body, HasSubstr("/problems/not-ready"));
}

TEST(LookUp, ByUserGoesOnToTheRepository) {
  TestApi api;
  api.store("old", "alice", 4);
  const auto found = api.get("/v1/campaigns/old/coupons/alice");
  EXPECT_EQ(found.status(), 200);
  EXPECT_THAT(found.response.body, HasSubstr(R"("sequence":4)"));
}

TEST(LookUp, ByCodeIsNotReadyWhileTheWorkerIsBehind) {
  std::atomic<bool> caught_up = false;
  ApiOptions options;
  options.worker_caught_up = [&]() -> Result<bool> { return caught_up.load(); };
  TestApi api(std::move(options));
  const auto target = path_of(1);
  EXPECT_EQ(api.get(target).status(), 503);
  EXPECT_EQ(api.post(target + "/redemption").status(), 503);
  caught_up = true;
  EXPECT_EQ(api.get(target).status(), 404);
  EXPECT_EQ(api.post(target + "/redemption").status(), 404);
}

TEST(LookUp, FindsWhatTheWorkerStoredBetweenTheFirstLookAndTheQuestionWhetherItHasCaughtUp) {
  TestApi* running = nullptr;
  ApiOptions options;
  options.worker_caught_up = [&]() -> Result<bool> {
    running->store("sale", "alice", 1);
    return true;
  };
  TestApi api(std::move(options));
  running = &api;
  EXPECT_EQ(api.get(path_of(1)).status(), 200);
}

TEST(LookUp, PassesOnWhyTheRepositoryOrTheLogCannotAnswer) {
  ApiOptions options;
  options.worker_caught_up = []() -> Result<bool> {
    return make_error(ErrorCode::unavailable, "the log cannot be read");
  };
  TestApi api(std::move(options));
  const auto target = path_of(1);
  EXPECT_THAT(api.get(target).response.body, HasSubstr("the log cannot be read"));
  api.repository.set_available(false);
  const auto answer = api.get(target);
  EXPECT_EQ(answer.status(), 503);
  EXPECT_THAT(answer.response.body, HasSubstr("the coupon table does not answer"));
}

// --- redemption

TEST(Redemption, RepeatsItsAnswerForTheSameKeyAlone) {
  TestApi api;
  api.store("sale", "alice", 1);
  const auto target = path_of(1) + "/redemption";
  const auto redeem = [&](const std::string& key) {
    return api.ask({Method::post, target, {}, {{"Idempotency-Key", key}}});
  };
  const auto first = redeem("till-1");
  EXPECT_EQ(first.status(), 201);
  EXPECT_EQ(first.response.body, R"({"code":")" + TestApi::code_of(1).text() +
                                     R"(","redeemed_at":"2026-11-25T09:00:00.000000Z"})");
  api.clock.advance(std::chrono::hours(1));
  const auto again = redeem("till-1");
  EXPECT_EQ(again.status(), 200);
  EXPECT_EQ(again.response.body, first.response.body);
  EXPECT_EQ(redeem("till-2").status(), 409);
  EXPECT_EQ(api.post(target).status(), 409);
  EXPECT_THAT(api.get(path_of(1)).response.body,
              HasSubstr(R"("redeemed_at":"2026-11-25T09:00:00.000000Z"})"));
}

TEST(Redemption, ChecksTheKey) {
  TestApi api;
  for (const std::string& key : {std::string(129, 'x'), std::string("two words"), std::string("\xc3\xbc")}) {
    const auto answer = api.ask({Method::post, path_of(1) + "/redemption", {}, {{"idempotency-key", key}}});
    EXPECT_EQ(answer.status(), 422) << key;
    EXPECT_THAT(answer.response.body, HasSubstr(R"("field":"Idempotency-Key")"));
  }
}

// --- lists

TEST(List, PagesToTheEnd) {
  TestApi api;
  api.create("sale", 10);
  for (std::uint64_t i = 1; i <= 5; ++i) api.store("sale", "u" + std::to_string(i), i);
  const auto first = api.get("/v1/campaigns/sale/coupons?limit=2");
  EXPECT_THAT(first.response.body, HasSubstr(R"("sequence":2)"));
  EXPECT_THAT(first.response.body, Not(HasSubstr(R"("sequence":3)")));
  EXPECT_THAT(first.response.body, HasSubstr(R"(],"next_after":2})"));
  EXPECT_THAT(api.get("/v1/campaigns/sale/coupons?limit=2&after=2").response.body,
              HasSubstr(R"(],"next_after":4})"));
  const auto last = api.get("/v1/campaigns/sale/coupons?limit=2&after=4");
  EXPECT_THAT(last.response.body, HasSubstr(R"("sequence":5)"));
  EXPECT_THAT(last.response.body, HasSubstr(R"(],"next_after":null})"));
  EXPECT_EQ(api.get("/v1/campaigns/sale/coupons?after=5").response.body,
            R"({"coupons":[],"next_after":null})");
}

TEST(Export, StreamsPageAfterPage) {
  for (const std::uint64_t size : {0u, 1u, 999u, 1000u, 1001u, 2000u, 2500u}) {
    TestApi api;
    api.create("sale", 5000);
    for (std::uint64_t i = 1; i <= size; ++i) api.store("sale", "u" + std::to_string(i), i);
    const auto answer = api.get("/v1/campaigns/sale/coupons.csv");
    EXPECT_EQ(answer.status(), 200);
    EXPECT_EQ(answer.response.content_type, "text/csv; charset=utf-8");
    EXPECT_FALSE(answer.cut);
    std::string text;
    for (const auto& piece : answer.pieces) {
      EXPECT_LT(piece.size(), 120'000u);
      text += piece;
    }
    EXPECT_EQ(static_cast<std::uint64_t>(std::count(text.begin(), text.end(), '\n')), size + 1);
    EXPECT_TRUE(text.starts_with("sequence,code,user_id,issued_at,redeemed_at\n"));
    if (size > 0) {
      EXPECT_THAT(text, HasSubstr("\n" + std::to_string(size) + "," + TestApi::code_of(size).text() + ",u" +
                                  std::to_string(size) + ",2026-11-25T09:00:00.000000Z,\n"));
    }
  }
}

TEST(Export, IsCutWhenTheRepositoryFailsOnTheWayAnd503WhenItFailsAtOnce) {
  TestApi api;
  api.create("sale", 5000);
  for (std::uint64_t i = 1; i <= 1500; ++i) api.store("sale", "u" + std::to_string(i), i);
  const auto answer = api.start({Method::get, "/v1/campaigns/sale/coupons.csv"});
  answer->before_next_piece = [&] { api.repository.set_available(false); };
  ASSERT_TRUE(api.executor.wait_until([&] { return answer->complete; }));
  EXPECT_EQ(answer->status(), 200);
  EXPECT_EQ(answer->pieces.size(), 1u);
  EXPECT_TRUE(answer->cut);
  const auto refused = api.get("/v1/campaigns/sale/coupons.csv");
  EXPECT_EQ(refused.status(), 503);
  EXPECT_EQ(refused.header("Retry-After"), "1");
}

TEST(AdminLedger, ShowsWhoHoldsWhichNumberAsLines) {
  TestApi api;
  api.create("sale", 5);
  api.issue("sale", "alice");
  api.issue("sale", "bob");
  const auto all = api.get("/v1/admin/campaigns/sale/ledger");
  EXPECT_EQ(all.response.content_type, "application/x-ndjson");
  EXPECT_EQ(std::count(all.response.body.begin(), all.response.body.end(), '\n'), 2);
  EXPECT_THAT(all.response.body, HasSubstr(R"({"sequence":1,"user_id":"alice")"));
  EXPECT_THAT(all.response.body, HasSubstr(R"("pending":false,"refilled":false,"epoch":1,"revision":1})"));
  const auto rest = api.get("/v1/admin/campaigns/sale/ledger?after=1&limit=1");
  EXPECT_TRUE(rest.response.body.starts_with(R"({"sequence":2,"user_id":"bob")"));
}

// --- health

TEST(Readiness, SaysWhatItWaitsFor) {
  Result<void> ready = make_error(ErrorCode::closed, "the ledger is being rebuilt");
  ApiOptions options;
  options.ready = [&] { return ready; };
  TestApi api(std::move(options));
  const auto rebuilding = api.get("/readyz");
  EXPECT_EQ(rebuilding.status(), 503);
  EXPECT_THAT(rebuilding.response.body, HasSubstr("the ledger is being rebuilt"));
  EXPECT_EQ(api.get("/healthz").status(), 200);
  ready = {};
  EXPECT_EQ(api.get("/readyz").status(), 200);
  api.log.set_open(false);
  EXPECT_EQ(api.get("/readyz").status(), 503);
}

TEST(Metrics, CountWhatWasAnswered) {
  TestApi api;
  api.create("sale", 1);
  api.metrics.add([](obs::MetricsWriter& out) { out.gauge("of_the_composition", "More", 1); });
  api.issue("sale", "alice");
  api.issue("sale", "alice");
  api.issue("sale", "bob");
  api.post("/v1/campaigns/sale/coupons", "{");
  const auto answer = api.get("/metrics");
  EXPECT_EQ(answer.response.content_type, "text/plain; version=0.0.4");
  const auto& text = answer.response.body;
  EXPECT_THAT(text, HasSubstr("doorbuster_issue_requests_total{shard=\"io-0\",outcome=\"issued\"} 1\n"));
  EXPECT_THAT(text,
              HasSubstr("doorbuster_issue_requests_total{shard=\"io-0\",outcome=\"already_issued\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("doorbuster_issue_requests_total{shard=\"io-0\",outcome=\"sold_out\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("doorbuster_issue_requests_total{shard=\"io-0\",outcome=\"malformed\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("doorbuster_http_replies_total{shard=\"io-0\",class=\"2xx\"} 3\n"));
  EXPECT_THAT(text, HasSubstr("doorbuster_http_replies_total{shard=\"io-0\",class=\"4xx\"} 2\n"));
  EXPECT_THAT(text, HasSubstr("doorbuster_issue_seconds_count{shard=\"io-0\"} 3\n"));
  EXPECT_THAT(text, HasSubstr("doorbuster_issue_in_flight{shard=\"io-0\"} 0\n"));
  EXPECT_THAT(text, HasSubstr("doorbuster_campaign_durable{campaign=\"sale\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("doorbuster_log_accepting 1\n"));
  EXPECT_THAT(text, HasSubstr("of_the_composition 1\n"));
}

TEST(CampaignEndpoints, OfTwoCreationsAtOnceTheSecondIsToldTheTrueFigures) {
  TestApi api;
  const auto create = [&](int limit) {
    return api.start({http::Method::post, "/v1/campaigns",
                      R"({"id":"sale","name":"Sale","limit":)" + std::to_string(limit) + "}"});
  };
  const auto first = create(5);
  const auto second = create(5);
  const auto other = create(6);
  ASSERT_TRUE(
      api.executor.wait_until([&] { return first->complete && second->complete && other->complete; }));
  EXPECT_EQ(first->status(), 201);
  EXPECT_EQ(second->status(), 200);
  EXPECT_EQ(second->response.body, first->response.body) << "open, with all of its coupons";
  EXPECT_EQ(other->status(), 409);
}

}  // namespace
}  // namespace doorbuster::api
