// A campaign that has ended and was unloaded, seen through the endpoints: every answer is what it was.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "services/api/repository_archive.hpp"
#include "services/api/test_api.hpp"
#include "services/issuing/ended_campaigns.hpp"

namespace doorbuster::api {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

class UnloadedCampaignApi : public testing::Test {
 protected:
  UnloadedCampaignApi() {
    api_.create("past", 10);
    for (const char* user : {"ann", "bob", "cid"}) coupons_.push_back(api_.issue("past", user));
    api_.set_state("past", "ended");
    api_.create("sale", 10);
    store_all();
  }

  /// As the worker does.
  void store_all() { ASSERT_TRUE(api_.repository.store(api_.log.read(0, 1000).value()).has_value()); }
  void unload(std::uint64_t campaigns = 1) {
    issuing::UnloadOptions options;
    options.after = 1s;
    issuing::EndedCampaigns ended(api_.executor, api_.clock, api_.ledger, archive_, options);
    ended.start();
    api_.executor.advance(1s);
    ASSERT_TRUE(api_.executor.wait_until([&] { return ended.stats().unloaded == campaigns; }));
  }

  /// A second campaign that has ended, of so many holders (u1, u2, ...) that the filter errs now and then.
  void unload_a_fair() {
    api_.create("fair", 1000);
    for (int user = 1; user <= 1000; ++user) api_.issue("fair", "u" + std::to_string(user));
    api_.set_state("fair", "ended");
    ASSERT_TRUE(api_.repository.store(api_.log.read(0, 10'000).value()).has_value());
    unload(2);
  }
  /// No holder, and the filter of the fair does not know that.
  std::string stranger_that_may_hold() {
    for (int number = 0; number < 1'000'000; ++number) {
      auto outcome = Outcome::closed;
      IssueRequest request;
      request.campaign = *CampaignId::parse("fair");
      request.user = *UserId::parse("stranger" + std::to_string(number));
      api_.ledger.decide({request}, [&](auto decided) { outcome = decided->front().outcome; });
      if (outcome == Outcome::unloaded) return std::string(request.user.text());
    }
    ADD_FAILURE() << "the filter knows every stranger";
    return "ann";
  }

  std::vector<Answered> every_answer() {
    const Ask asks[] = {
        {http::Method::get, "/v1/campaigns"},
        {http::Method::get, "/v1/campaigns/past"},
        {http::Method::get, "/v1/campaigns/past/coupons"},
        {http::Method::get, "/v1/campaigns/past/coupons.csv"},
        {http::Method::get, "/v1/campaigns/past/coupons/bob"},
        {http::Method::get, "/v1/campaigns/past/coupons/nobody"},
        {http::Method::get, "/v1/admin/campaigns/past/ledger?after=0&limit=2"},
        {http::Method::get, "/v1/admin/campaigns/past/ledger?after=2&limit=2"},
        {http::Method::get, "/v1/admin/campaigns/past/ledger/missing"},
        {http::Method::post, "/v1/campaigns/past/coupons", R"({"user_id":"ann"})"},
        {http::Method::post, "/v1/campaigns/past/coupons", R"({"user_id":"cid"})"},
        {http::Method::post, "/v1/campaigns/past/coupons", R"({"user_id":"nobody"})"},
        {http::Method::post, "/v1/campaigns", R"({"id":"past","name":"Test","limit":10})"},
        {http::Method::post, "/v1/campaigns", R"({"id":"past","name":"Test","limit":11})"},
        {http::Method::patch, "/v1/campaigns/past", R"({"state":"open"})"},
        {http::Method::patch, "/v1/campaigns/past", R"({"limit":20})"},
        {http::Method::patch, "/v1/campaigns/past", R"({"limit":2})"},
    };
    std::vector<Answered> answers;
    for (const auto& ask : asks) answers.push_back(api_.ask(ask));
    return answers;
  }

  TestApi api_;
  RepositoryArchive archive_{api_.executor, api_.repository, api_.offload, 8};
  std::vector<Answered> coupons_;
};

TEST_F(UnloadedCampaignApi, EveryAnswerIsWhatItWas) {
  const auto before = every_answer();
  const std::size_t bytes = api_.ledger.memory_bytes();
  unload();
  EXPECT_LT(api_.ledger.memory_bytes(), bytes);
  EXPECT_EQ(api_.ledger.unloaded(), 1U);
  const auto after = every_answer();
  for (std::size_t i = 0; i < before.size(); ++i) {
    EXPECT_EQ(after[i].response.status, before[i].response.status) << i;
    EXPECT_EQ(after[i].response.body, before[i].response.body) << i;
    EXPECT_EQ(after[i].response.headers, before[i].response.headers) << i;
    EXPECT_EQ(after[i].pieces, before[i].pieces) << i;
  }
  EXPECT_THAT(after[1].response.body, HasSubstr(R"("issued":3,"remaining":7,"state":"ended")"));
  EXPECT_EQ(after[9].status(), 200);
  EXPECT_EQ(after[9].response.body, coupons_[0].response.body);
  EXPECT_EQ(after[11].status(), 410);
  EXPECT_THAT(after[11].response.body, HasSubstr("/problems/ended"));
  EXPECT_EQ(after[12].status(), 200);
  EXPECT_EQ(after[13].status(), 409);
  EXPECT_EQ(after[14].status(), 409);
}

TEST_F(UnloadedCampaignApi, ItsNameMayStillChange) {
  unload();
  const auto renamed = api_.ask({http::Method::patch, "/v1/campaigns/past", R"({"name":"Long ago"})"});
  EXPECT_EQ(renamed.status(), 200);
  EXPECT_THAT(renamed.response.body, HasSubstr(R"("name":"Long ago","limit":10,"issued":3)"));
  EXPECT_THAT(api_.get("/v1/campaigns/past").response.body, HasSubstr(R"("name":"Long ago")"));
  EXPECT_EQ(api_.issue("past", "bob").response.body, coupons_[1].response.body);
}

TEST_F(UnloadedCampaignApi, ARepositoryThatDoesNotAnswerRefusesNoHolder) {
  unload();
  api_.repository.set_available(false);
  for (const auto& answer : {api_.issue("past", "ann"), api_.get("/v1/campaigns/past/coupons/ann")}) {
    EXPECT_EQ(answer.status(), 503);
    EXPECT_EQ(answer.header("Retry-After"), "1");
    EXPECT_THAT(answer.response.body, HasSubstr("/problems/unavailable"));
  }
  EXPECT_EQ(api_.get("/v1/campaigns/past").status(), 200) << "figures need no repository";
  EXPECT_EQ(api_.issue("sale", "ann").status(), 201) << "nobody else waits for it";
  api_.repository.set_available(true);
  EXPECT_EQ(api_.issue("past", "ann").response.body, coupons_[0].response.body);
}

TEST_F(UnloadedCampaignApi, AStrangerWhomTheFilterTakesForAHolderIsToldThatItHasEnded) {
  unload_a_fair();
  const auto stranger = stranger_that_may_hold();
  const auto refused = api_.issue("fair", stranger);
  EXPECT_EQ(refused.status(), 410);
  EXPECT_THAT(refused.response.body, HasSubstr("/problems/ended"));
  EXPECT_EQ(refused.response.body, api_.issue("fair", "nobody").response.body);
}

TEST_F(UnloadedCampaignApi, ARepositoryThatIsBeingFilledAgainRefusesNobodyWhoMayHold) {
  unload_a_fair();
  const auto stranger = stranger_that_may_hold();
  const auto held = api_.issue("fair", "u7").response.body;
  const auto events = api_.log.read(0, 10'000).value();
  api_.repository.lose_everything();
  ASSERT_TRUE(api_.repository.store({events.begin(), events.begin() + 500}));
  for (const auto& user : {std::string("u999"), stranger}) {
    const auto answer = api_.issue("fair", user);
    EXPECT_EQ(answer.status(), 503) << user;
    EXPECT_EQ(answer.header("Retry-After"), "1");
  }
  EXPECT_EQ(api_.issue("fair", "nobody").status(), 410) << "the filter knows of no such holder";
  EXPECT_EQ(api_.issue("fair", "u7").response.body, held) << "it is there again";
  ASSERT_TRUE(api_.repository.store({events.begin() + 500, events.end()}));
  EXPECT_EQ(api_.issue("fair", "u999").status(), 200);
  EXPECT_EQ(api_.issue("fair", stranger).status(), 410);
}

TEST_F(UnloadedCampaignApi, ALogThatTakesNothingRefusesNoHolder) {
  unload();
  api_.log.set_open(false);
  const auto holder = api_.issue("past", "ann");
  EXPECT_EQ(holder.status(), 200);
  EXPECT_EQ(holder.response.body, coupons_[0].response.body);
  EXPECT_EQ(api_.issue("past", "nobody").status(), 503);
}

TEST_F(UnloadedCampaignApi, ManyAtOnceAreAnsweredOrAskedToComeAgain) {
  unload();
  std::vector<std::shared_ptr<Answered>> asked;
  for (int i = 0; i < 200; ++i) {
    asked.push_back(api_.start({http::Method::post, "/v1/campaigns/past/coupons", R"({"user_id":"ann"})"}));
  }
  ASSERT_TRUE(api_.executor.wait_until([&] {
    return std::all_of(asked.begin(), asked.end(), [](const auto& one) { return one->complete; });
  }));
  int served = 0;
  for (const auto& one : asked) {
    if (one->status() == 200) {
      ++served;
    } else {
      EXPECT_EQ(one->status(), 503) << "the queue of the look-up threads is bounded";
      EXPECT_EQ(one->header("Retry-After"), "1");
    }
  }
  EXPECT_EQ(served, 8) << "and holders of ended campaigns have a share of it";
  EXPECT_EQ(api_.issue_service.stats().in_flight, 0U);
}

}  // namespace
}  // namespace doorbuster::api
