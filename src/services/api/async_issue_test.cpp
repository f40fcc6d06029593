#include "services/api/async_issue.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "adapters/memory/memory_request_book.hpp"
#include "services/api/test_api.hpp"

namespace doorbuster::api {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

RequestBookOptions book_options() {
  RequestBookOptions options;
  options.most_pending = 100;
  options.most_settled = 100;
  options.kept_for = 15min;
  return options;
}

/// Processes whose campaigns all have a queue, over one ledger, one log and one book.
class AsyncIssueTest : public testing::Test {
 protected:
  struct Process {
    Process(TestApi& parts, std::shared_ptr<RequestBookPages> pages, std::uint64_t seed, AsyncOptions options,
            Authorizer authorizer)
        : book(std::move(pages)),
          random(seed),
          async(parts.executor, parts.clock, parts.issue_service, book, random, std::move(options)),
          endpoints(ApiParts{parts.executor, parts.clock, parts.ledger, parts.issue_service,
                             parts.campaign_service, parts.repository, parts.offload, parts.log, metrics},
                    api_options(async, std::move(authorizer))) {}

    static ApiOptions api_options(AsyncIssue& async, Authorizer authorizer) {
      ApiOptions options;
      options.authorizer = std::move(authorizer);
      options.async = &async;
      options.strategy_of = [](const CampaignId&) { return Strategy::async_queue; };
      return options;
    }

    MemoryRequestBook book;
    SeededRandom random;
    obs::Registry metrics;
    AsyncIssue async;
    ApiEndpoints endpoints;
  };

  AsyncIssueTest() { parts_.create("drop", 2); }

  Process& start(AsyncOptions options = {}, Authorizer authorizer = {}) {
    processes_.push_back(std::make_unique<Process>(parts_, pages_, processes_.size() + 1, std::move(options),
                                                   std::move(authorizer)));
    return *processes_.back();
  }
  /// Its queue is gone, and so is everything that it would have done.
  void kill(Process& process) {
    std::erase_if(processes_, [&](const auto& each) { return each.get() == &process; });
  }
  static std::shared_ptr<Answered> begin(Process& process, http::Method method, const std::string& path,
                                         const std::string& body, const std::string& token) {
    http::Request request;
    request.method = method;
    request.target = path;
    request.path = path;
    request.body = body;
    const std::vector<http::HeaderView> headers = {{"Authorization", token}};
    if (!token.empty()) request.headers = headers;
    auto answered = std::make_shared<Answered>();
    process.endpoints.handle(request, Reply(std::make_unique<TestSink>(answered)));
    return answered;
  }
  /// The answer at the end of the turn.
  Answered issue(Process& process, const std::string& user, const std::string& token = {}) {
    const auto answered = begin(process, http::Method::post, "/v1/campaigns/drop/coupons",
                                R"({"user_id":")" + user + R"("})", token);
    parts_.executor.run_turn();
    EXPECT_TRUE(answered->complete);
    return *answered;
  }
  Answered show(Process& process, const std::string& path, const std::string& token = {}) {
    return *begin(process, http::Method::get, path, "", token);
  }
  std::string outcome(Process& process, const Answered& accepted) {
    return show(process, accepted.header("Location")).response.body;
  }
  /// Time in which each process ticks.
  void pass(Duration time) {
    for (Duration passed{0}; passed < time; passed += 250ms) {
      parts_.executor.advance(250ms);
      for (auto& process : processes_) process->async.tick();
      parts_.executor.run_until_idle();
    }
  }

  TestApi parts_;
  std::shared_ptr<RequestBookPages> pages_ = std::make_shared<RequestBookPages>(parts_.clock, book_options());
  std::vector<std::unique_ptr<Process>> processes_;
};

TEST_F(AsyncIssueTest, AnswersBeforeTheDecisionAndTheOutcomeFollows) {
  parts_.log.set_open(false);  // nothing can be made safe
  auto& process = start();
  const auto accepted = issue(process, "alice");
  EXPECT_EQ(accepted.status(), 202);
  EXPECT_THAT(accepted.header("Location"), HasSubstr("/v1/requests/"));
  EXPECT_THAT(accepted.response.body, HasSubstr(R"("state":"pending"})"));
  EXPECT_THAT(outcome(process, accepted), HasSubstr(R"("user_id":"alice","state":"pending"})"));
  parts_.log.set_open(true);
  pass(1s);
  EXPECT_THAT(outcome(process, accepted), HasSubstr(R"("state":"issued","coupon":{"code":")"));
  const auto again = issue(process, "alice");
  issue(process, "bob");
  const auto late = issue(process, "carol");
  pass(1s);
  EXPECT_THAT(outcome(process, again), HasSubstr(R"("state":"already_issued","coupon":)"));
  EXPECT_THAT(outcome(process, late), HasSubstr(R"("state":"sold_out"})"));
  EXPECT_EQ(process.async.stats().waiting, 0U);
}

TEST_F(AsyncIssueTest, EveryInstanceTellsTheOutcome) {
  auto& first = start();
  auto& second = start();
  const auto accepted = issue(first, "alice");
  pass(1s);
  EXPECT_EQ(outcome(first, accepted), outcome(second, accepted));
  EXPECT_THAT(outcome(second, accepted), HasSubstr("issued"));
}

TEST_F(AsyncIssueTest, AFullQueueIsBusyAndSaysWhenToComeBack) {
  parts_.log.set_open(false);
  AsyncOptions options;
  options.most_waiting = 1;
  auto& process = start(options);
  EXPECT_EQ(issue(process, "alice").status(), 202);
  const auto refused = issue(process, "bob");
  EXPECT_EQ(refused.status(), 503);
  EXPECT_EQ(refused.header("Retry-After"), "1");
  parts_.log.set_open(true);
  pass(1s);
  EXPECT_EQ(issue(process, "bob").status(), 202);
}

TEST_F(AsyncIssueTest, AFullBookIsBusyToo) {
  parts_.log.set_open(false);
  auto& process = start();
  for (int user = 0; user < 100; ++user) EXPECT_EQ(issue(process, std::to_string(user)).status(), 202);
  EXPECT_EQ(issue(process, "one-more").status(), 503);
  EXPECT_EQ(process.async.stats().waiting, 100U);
}

TEST_F(AsyncIssueTest, WithoutTheBookNothingIsQueued) {
  auto& process = start();
  pages_->available = false;
  EXPECT_EQ(issue(process, "alice").status(), 503);
  pass(1s);
  EXPECT_EQ(parts_.issue_service.stats().issued, 0U);
  EXPECT_EQ(process.async.stats().waiting, 0U);
}

TEST_F(AsyncIssueTest, AnOutcomeThatCannotBeNotedIsNotedLater) {
  auto& process = start();
  const auto accepted = issue(process, "alice");
  pages_->available = false;
  pass(1s);
  EXPECT_EQ(process.async.stats().waiting, 1U) << "it holds its place";
  pages_->available = true;
  pass(1s);
  EXPECT_THAT(outcome(process, accepted), HasSubstr("issued"));
  EXPECT_EQ(process.async.stats().waiting, 0U);
}

TEST_F(AsyncIssueTest, AtLastItFailsAndAskingAgainTells) {
  parts_.log.set_open(false);
  auto& process = start();
  const auto accepted = issue(process, "alice");
  pass(62s);
  EXPECT_THAT(outcome(process, accepted), HasSubstr(R"("state":"failed"})"));
  EXPECT_EQ(process.async.stats().failed, 1U);
  parts_.log.set_open(true);
  const auto again = issue(process, "alice");
  pass(1s);
  EXPECT_THAT(outcome(process, again), HasSubstr("issued"));
}

TEST_F(AsyncIssueTest, WhatADeadProcessHadInItsQueueIsDecidedByAnother) {
  parts_.log.set_open(false);
  auto& dying = start();
  auto& living = start();
  const auto accepted = issue(dying, "alice");
  kill(dying);
  parts_.log.set_open(true);
  pass(2s);
  EXPECT_THAT(outcome(living, accepted), HasSubstr("pending")) << "it may only be slow";
  pass(2s);
  EXPECT_THAT(outcome(living, accepted), HasSubstr("issued"));
  EXPECT_EQ(living.async.stats().taken_over, 1U);
}

TEST_F(AsyncIssueTest, AUserSeesHisOwnRequestsAlone) {
  const std::vector<Token> tokens = {{"alices-own-secret-1", Role::user, UserId::parse("alice").value()},
                                     {"bobs-very-own-secret", Role::user, UserId::parse("bob").value()},
                                     {"the-admins-own-secret", Role::admin, {}}};
  auto& process = start({}, Authorizer::make(tokens).value());
  const auto path = issue(process, "alice", "Bearer alices-own-secret-1").header("Location");
  pass(1s);
  EXPECT_EQ(show(process, path, "Bearer alices-own-secret-1").status(), 200);
  EXPECT_EQ(show(process, path, "Bearer the-admins-own-secret").status(), 200);
  EXPECT_EQ(show(process, path, "Bearer bobs-very-own-secret").status(), 404);
  EXPECT_EQ(show(process, path).status(), 401);
}

TEST_F(AsyncIssueTest, UnknownRequestsAreNotFound) {
  auto& process = start();
  EXPECT_EQ(show(process, "/v1/requests/ZZZZZZZZZZZZZZZZ").status(), 404);
  EXPECT_EQ(show(process, "/v1/requests/nonsense").status(), 404);
}

/// What the strategy breaks, or costs: docs/strategies.md.
using AsyncQueueWeakness = AsyncIssueTest;

TEST_F(AsyncQueueWeakness, A202IsNoCoupon) {
  auto& process = start();
  std::vector<Answered> accepted;
  for (const char* user : {"alice", "bob", "carol"}) accepted.push_back(issue(process, user));
  pass(1s);
  for (const auto& each : accepted) EXPECT_EQ(each.status(), 202);
  EXPECT_THAT(outcome(process, accepted[2]), HasSubstr("sold_out"));
}

TEST_F(AsyncQueueWeakness, WhoWasFirstInADeadProcessMayComeTooLate) {
  parts_.log.set_open(false);
  auto& dying = start();
  auto& living = start();
  const auto first = issue(dying, "first");
  kill(dying);
  parts_.log.set_open(true);
  const auto second = issue(living, "second");
  const auto third = issue(living, "third");
  pass(5s);
  EXPECT_THAT(outcome(living, second), HasSubstr(R"("state":"issued")"));
  EXPECT_THAT(outcome(living, third), HasSubstr(R"("state":"issued")"));
  EXPECT_THAT(outcome(living, first), HasSubstr(R"("state":"sold_out")"));
}

TEST_F(AsyncQueueWeakness, AProcessThatWasSlowMayTellItsWinnerThatHeHadItAlready) {
  auto& slow = start();
  auto& living = start();
  const auto accepted = issue(slow, "alice");
  // Its coupon is decided, and it stands still before it can say so.
  pages_->available = false;
  parts_.executor.advance(4s);
  pages_->available = true;
  living.async.tick();
  parts_.executor.run_until_idle();
  const auto told = outcome(living, accepted);
  EXPECT_THAT(told, HasSubstr(R"("state":"already_issued","coupon":)"));
  pass(1s);
  EXPECT_EQ(outcome(slow, accepted), told) << "the first outcome stays";
  EXPECT_EQ(slow.async.stats().waiting, 0U);
}

TEST_F(AsyncQueueWeakness, WhenTheBookIsLostSoIsWhatADeadProcessHadAccepted) {
  parts_.log.set_open(false);
  auto& dying = start();
  auto& living = start();
  const auto accepted = issue(dying, "alice");
  kill(dying);
  pages_->answers.clear();
  pages_->owners.clear();
  parts_.log.set_open(true);
  pass(10s);
  EXPECT_EQ(show(living, accepted.header("Location")).status(), 404);
  EXPECT_EQ(parts_.issue_service.stats().issued, 0U) << "nobody decides: the user must ask again";
  const auto again = issue(living, "alice");
  pass(1s);
  EXPECT_THAT(outcome(living, again), HasSubstr("issued"));
}

TEST_F(AsyncQueueWeakness, ARefusalIsWrittenDownTwiceAsACouponIs) {
  auto& process = start();
  for (const char* user : {"alice", "bob"}) issue(process, user);
  pass(1s);
  const auto before = pages_->settled.size();
  for (int user = 0; user < 10; ++user) issue(process, "late-" + std::to_string(user));
  pass(1s);
  EXPECT_EQ(pages_->answers.size(), before + 10) << "as pending";
  EXPECT_EQ(pages_->settled.size(), before + 10) << "and its outcome";
}

TEST_F(AsyncQueueWeakness, WhoAsksTooLateIsToldNothing) {
  auto& process = start();
  const auto accepted = issue(process, "alice");
  pass(1s);
  parts_.executor.advance(16min);
  issue(process, "bob");
  pass(1s);
  EXPECT_EQ(show(process, accepted.header("Location")).status(), 404);
  EXPECT_EQ(parts_.get("/v1/campaigns/drop/coupons/alice").status(), 200) << "the coupon is his all the same";
}

}  // namespace
}  // namespace doorbuster::api
