#include "loadlab/run.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json/parse.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>

#include "loadlab/report.hpp"
#include "loadlab/scripted_server.hpp"

namespace doorbuster::loadlab {
namespace {

using std::chrono::milliseconds;
using Answer = ScriptedServer::Answer;

std::string http(int status, const std::string& body, const std::string& headers = {}) {
  return fmt::format("HTTP/1.1 {} X\r\nContent-Length: {}\r\n{}\r\n{}", status, body.size(), headers, body);
}

/// A sound campaign without a limit: the n-th request gets number n + 1.
Answer coupon(std::uint64_t number, const std::string& user) {
  return {http(
      201, fmt::format(R"({{"code":"C{:015}","user_id":"{}","sequence":{}}})", number, user, number + 1))};
}

Options options_for(const std::string& url, std::uint32_t vusers, std::uint64_t requests) {
  OptionTexts texts;
  texts.urls = url;
  texts.vusers = vusers;
  texts.requests = requests;
  texts.first_user = 1;
  auto options = parse_options(texts);
  EXPECT_TRUE(options);
  return *options;
}

RunResult run(const Options& options, const RunHooks& hooks = {}) {
  auto result = run_load(options, hooks);
  EXPECT_TRUE(result) << result.error().detail;
  return std::move(*result);
}

std::uint64_t errors(const RunResult& result, ErrorKind kind) {
  return result.tally.errors[static_cast<std::size_t>(kind)];
}

std::uint64_t outcomes(const RunResult& result, Outcome outcome) {
  return result.tally.outcomes[static_cast<std::size_t>(outcome)];
}

TEST(Run, SendsExactlyTheRequestsAskedForFromAllVirtualUsersAtOnce) {
  ScriptedServer server(coupon);
  const auto result = run(options_for(server.url(), 20, 503));
  EXPECT_EQ(server.requests(), 503U);
  EXPECT_EQ(result.tally.requests_sent, 503U);
  EXPECT_EQ(result.tally.executed(), 503U);
  EXPECT_EQ(outcomes(result, Outcome::issued), 503U);
  EXPECT_EQ(server.connections(), 20U);
  EXPECT_EQ(result.tally.unequal_starts, 0U);
  std::set<std::uint64_t> users;
  for (const auto& sighting : result.tally.sightings) users.insert(sighting.user);
  EXPECT_EQ(users.size(), 503U);
  EXPECT_EQ(*users.begin(), 1U);
  EXPECT_EQ(*users.rbegin(), 503U);
}

TEST(Run, SendsExactlyTheRequestsAskedForOverSeveralThreadsAndTargets) {
  ScriptedServer one(coupon);
  ScriptedServer other(coupon);
  auto options = options_for(one.url() + "," + other.url(), 10, 301);
  options.threads = 2;
  const auto result = run(options);
  EXPECT_EQ(one.requests() + other.requests(), 301U);
  EXPECT_EQ(result.tally.executed(), 301U);
  EXPECT_EQ(one.connections(), 5U);
  EXPECT_EQ(other.connections(), 5U);
}

TEST(Run, OpensAConnectionForEachRequestWhenToldSo) {
  ScriptedServer server([](auto number, const auto& user) {
    auto answer = coupon(number, user);
    answer.close_after = true;
    return answer;
  });
  auto options = options_for(server.url(), 4, 30);
  options.connections = Connections::per_request;
  const auto result = run(options);
  EXPECT_EQ(result.tally.successes, 30U);
  EXPECT_EQ(result.tally.error_count(), 0U);
  EXPECT_EQ(server.connections(), 31U);  // one looked whether anybody is there
}

TEST(Run, AsksSeveralTimesForEachUserWhenToldSo) {
  ScriptedServer server([](auto, const auto& user) {
    return Answer{
        http(200, fmt::format(R"({{"code":"C{}","user_id":"{}","sequence":{}}})", user, user, user))};
  });
  auto options = options_for(server.url(), 3, 30);
  options.asks_per_user = 10;
  auto result = run(options);
  const auto verdict = judge(result.tally, result.window);
  EXPECT_FALSE(verdict.broken());
  EXPECT_EQ(verdict.issued, 3U);
  EXPECT_EQ(verdict.already, 27U);
}

TEST(Run, StopsAtTheEndOfTheDurationAndWaitsForReplies) {
  ScriptedServer server(coupon);
  auto options = options_for(server.url(), 5, 1);
  options.requests.reset();
  options.duration = milliseconds(100);
  const auto result = run(options);
  EXPECT_EQ(result.tally.executed(), server.requests());
  EXPECT_EQ(result.tally.error_count(), 0U);
  EXPECT_EQ(result.window.until - result.window.from, Duration(milliseconds(100)));
}

TEST(Run, DoesNotCountTheWarmUp) {
  ScriptedServer server(coupon);
  auto options = options_for(server.url(), 5, 50);
  options.warm_up = milliseconds(30);
  const auto result = run(options);
  EXPECT_EQ(result.tally.executed(), 50U);
  EXPECT_GT(result.tally.warm_up_requests, 0U);
  EXPECT_EQ(result.tally.executed() + result.tally.warm_up_requests, server.requests());
  EXPECT_EQ(result.tally.sightings.size(), server.requests());
}

TEST(Run, KeepsTheScheduleOfAnOpenLoop) {
  ScriptedServer server(coupon);
  auto options = options_for(server.url(), 5, 100);
  options.rate = 1000;
  const auto result = run(options);
  EXPECT_EQ(server.requests(), 100U);
  EXPECT_EQ(result.tally.executed(), 100U);
  // The last is meant to be sent 99 ms after the start, and is not sent earlier.
  EXPECT_GE(result.tally.last_reply - result.window.from, Duration(milliseconds(99)));
}

TEST(Run, CountsWhatAnOpenLoopCouldNotSendInTime) {
  // Nobody answers: two virtual users are stuck, and the schedule goes on without them.
  ScriptedServer server([](auto, const auto&) { return Answer{}; });
  auto options = options_for(server.url(), 2, 1);
  options.requests.reset();
  options.duration = milliseconds(100);
  options.rate = 500;
  options.timeout = milliseconds(200);
  const auto result = run(options);
  EXPECT_EQ(server.requests(), 2U);
  EXPECT_EQ(errors(result, ErrorKind::timeout), 2U);
  EXPECT_EQ(result.tally.missed_sends, 48U);
}

TEST(Run, TimesOutRequestsThatNobodyAnswers) {
  ScriptedServer server(
      [](auto number, const auto& user) { return number < 3 ? Answer{} : coupon(number, user); });
  auto options = options_for(server.url(), 3, 10);
  options.timeout = milliseconds(50);
  const auto result = run(options);
  EXPECT_EQ(errors(result, ErrorKind::timeout), 3U);
  EXPECT_EQ(result.tally.successes, 7U);
  EXPECT_GE(result.tally.slowest, Duration(milliseconds(50)));
}

TEST(Run, SaysWhenNobodyListens) {
  std::string url;
  {
    const ScriptedServer gone(coupon);
    url = gone.url();
  }
  for (const auto connections : {Connections::keep_alive, Connections::per_request}) {
    auto options = options_for(url, 3, 10);
    options.connections = connections;
    auto result = run(options);
    EXPECT_FALSE(result.never_connected.empty());
    EXPECT_EQ(result.tally.requests_sent, 0U);
    const auto report = make_report(options, std::move(result));
    EXPECT_EQ(report.exit_status(), 4);
    EXPECT_THAT(report.invalid, testing::HasSubstr("cannot connect to " + url));
  }
}

TEST(Run, ConnectsAgainWhenTheServerSaysItCloses) {
  ScriptedServer server([](auto number, const auto&) {
    return Answer{http(200, std::to_string(number), "Connection: close\r\n"), true};
  });
  const auto result = run(options_for(server.url(), 2, 20));
  EXPECT_EQ(result.tally.successes, 20U);
  EXPECT_EQ(result.tally.error_count(), 0U);
  EXPECT_GE(server.connections(), 20U);
}

TEST(Run, ReadsAReplyThatEndsWithTheConnection) {
  ScriptedServer server([](auto, const auto&) { return Answer{"HTTP/1.1 200 OK\r\n\r\nall of it", true}; });
  const auto result = run(options_for(server.url(), 2, 6));
  EXPECT_EQ(result.tally.successes, 6U);
  EXPECT_EQ(result.tally.error_count(), 0U);
}

TEST(Run, CountsHalfRepliesAsClosedAndGoesOn) {
  ScriptedServer server([](auto number, const auto& user) {
    auto answer = coupon(number, user);
    if (number % 2 == 0) {
      answer.bytes.resize(answer.bytes.size() / 2);
      answer.close_after = true;
    }
    return answer;
  });
  const auto result = run(options_for(server.url(), 1, 10));
  EXPECT_EQ(errors(result, ErrorKind::closed), 5U);
  EXPECT_EQ(result.tally.successes, 5U);
  EXPECT_EQ(server.requests(), 10U);  // nothing is asked again by itself
}

TEST(Run, CountsRepliesOfTheWrongLengthAsBad) {
  ScriptedServer server([](auto number, const auto&) {
    return number == 0 ? Answer{"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nfour"}
                       : Answer{"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\nfour"};
  });
  const auto result = run(options_for(server.url(), 1, 3));
  EXPECT_EQ(errors(result, ErrorKind::bad_reply), 3U);
  EXPECT_EQ(result.tally.successes, 0U);
}

TEST(Run, TakesUnavailableAsAnErrorAndGoesOn) {
  ScriptedServer server([](auto, const auto&) { return Answer{http(503, "", "Retry-After: 60\r\n")}; });
  const auto result = run(options_for(server.url(), 2, 9));
  EXPECT_EQ(outcomes(result, Outcome::unavailable), 9U);
  EXPECT_EQ(errors(result, ErrorKind::http_503), 9U);
  EXPECT_EQ(result.tally.retries, 0U);
}

TEST(Run, AsksAgainForTheSameUserWhenToldTo) {
  std::vector<std::string> users;
  auto server = std::make_unique<ScriptedServer>([&users](auto number, const auto& user) {
    users.push_back(user);
    return number == 0 ? Answer{http(503, "", "Retry-After: 0\r\n")} : coupon(number, user);
  });
  auto options = options_for(server->url(), 1, 3);
  options.retry = true;
  const auto result = run(options);
  EXPECT_EQ(result.tally.retries, 1U);
  EXPECT_EQ(result.tally.executed(), 3U);
  server.reset();  // its thread has written `users`
  EXPECT_THAT(users, testing::ElementsAre("1", "1", "2"));
}

TEST(Run, NoticesACouponOfAnotherUser) {
  ScriptedServer server([](auto number, const auto&) { return coupon(number, "999"); });
  const auto result = run(options_for(server.url(), 1, 2));
  EXPECT_EQ(result.tally.wrong_users, 2U);
}

/// A campaign with a queue: 202, some questions for the outcome, then the coupon of the user.
class QueuedServer {
 public:
  explicit QueuedServer(std::uint64_t pending_times) : pending_times_(pending_times) {}
  Answer operator()(std::uint64_t, const std::string& asked) {
    if (!asked.starts_with('/')) {
      return {http(202, R"({"state":"pending"})", "Location: /v1/requests/R" + asked + "\r\n")};
    }
    const auto user = asked.substr(std::string("/v1/requests/R").size());
    if (asks_[user]++ < pending_times_) return {http(200, R"({"state":"pending"})")};
    return {http(
        200, fmt::format(R"({{"state":"issued","coupon":{{"code":"C{0}","user_id":"{0}","sequence":{0}}}}})",
                         user))};
  }

 private:
  std::uint64_t pending_times_;
  std::map<std::string, std::uint64_t> asks_;
};

TEST(Run, AQueuedRequestEndsWithItsOutcome) {
  ScriptedServer server(QueuedServer(2));
  const auto options = options_for(server.url(), 4, 20);
  auto result = run(options);
  EXPECT_EQ(outcomes(result, Outcome::issued), 20U);
  EXPECT_EQ(outcomes(result, Outcome::accepted), 0U);
  EXPECT_EQ(result.tally.requests_sent, 20U);
  EXPECT_EQ(result.tally.executed(), 20U);
  EXPECT_EQ(result.tally.outcome_asks, 60U);
  EXPECT_EQ(server.connections(), 4U);
  EXPECT_GE(result.tally.latency.min(), milliseconds(10 + 20 + 40)) << "of the outcome, pauses and all";
  EXPECT_EQ(make_report(options, std::move(result)).exit_status(), 0);
}

TEST(Run, AQueuedRequestIsFollowedOverConnectionsOfItsOwnWhenTheseArePerRequest) {
  ScriptedServer server([queue = QueuedServer(1)](auto number, const auto& asked) mutable {
    auto answer = queue(number, asked);
    answer.close_after = true;
    return answer;
  });
  auto options = options_for(server.url(), 3, 9);
  options.connections = Connections::per_request;
  const auto result = run(options);
  EXPECT_EQ(outcomes(result, Outcome::issued), 9U);
  EXPECT_EQ(result.tally.error_count(), 0U);
}

TEST(Run, AnOutcomeThatDoesNotComeIsATimeoutAndOneThatIsForgottenAnError) {
  ScriptedServer silent(QueuedServer(1'000'000));
  auto options = options_for(silent.url(), 2, 2);
  options.timeout = milliseconds(100);
  EXPECT_EQ(errors(run(options), ErrorKind::timeout), 2U);
  ScriptedServer forgetful([queue = QueuedServer(0)](auto number, const auto& asked) mutable {
    return asked.starts_with('/') ? Answer{http(404, "{}")} : queue(number, asked);
  });
  EXPECT_EQ(errors(run(options_for(forgetful.url(), 1, 1)), ErrorKind::http_404), 1U);
}

TEST(Run, AnOutcomeIsAskedForAgainWhenTheConnectionEnds) {
  ScriptedServer server([queue = QueuedServer(0), cut = false](auto number, const auto& asked) mutable {
    if (asked.starts_with('/') && !std::exchange(cut, true)) return Answer{"", true};
    return queue(number, asked);
  });
  const auto result = run(options_for(server.url(), 1, 2));
  EXPECT_EQ(outcomes(result, Outcome::issued), 2U);
  EXPECT_EQ(result.tally.error_count(), 0U);
  EXPECT_EQ(server.connections(), 2U);
}

class AcksOfARun : public testing::Test {
 protected:
  void SetUp() override {
    auto pattern = (std::filesystem::temp_directory_path() / "acksXXXXXX").string();
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
    auto file = AcksFile::create((folder_ / "acks").string());
    ASSERT_TRUE(file);
    acks_ = std::move(*file);
    hooks_.acks = acks_.get();
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  std::vector<boost::json::object> lines() {
    EXPECT_TRUE(acks_->close());
    std::vector<boost::json::object> found;
    std::ifstream in(folder_ / "acks");
    for (std::string line; std::getline(in, line);) found.push_back(boost::json::parse(line).as_object());
    return found;
  }

  std::filesystem::path folder_;
  std::unique_ptr<AcksFile> acks_;
  RunHooks hooks_;
};

TEST_F(AcksOfARun, HaveALineForEveryRequestSent) {
  ScriptedServer server([](auto number, const auto& user) {
    return number == 1 ? Answer{"HTTP/1.1 2", true} : coupon(number, user);
  });
  (void)run(options_for(server.url(), 1, 3), hooks_);
  const auto acks = lines();
  ASSERT_EQ(acks.size(), 3U);
  EXPECT_EQ(acks[0].at("user").as_string(), "1");
  EXPECT_EQ(acks[0].at("status").to_number<int>(), 201);
  EXPECT_EQ(acks[0].at("code").as_string(), "C000000000000000");
  EXPECT_EQ(acks[0].at("sequence").to_number<int>(), 1);
  EXPECT_GE(acks[0].at("received_us").to_number<std::int64_t>(),
            acks[0].at("sent_us").to_number<std::int64_t>());
  EXPECT_TRUE(acks[1].at("status").is_null());
  EXPECT_TRUE(acks[1].at("received_us").is_null());
  EXPECT_EQ(acks[2].at("user").as_string(), "3");
}

TEST_F(AcksOfARun, HaveEverythingSentWhenTheRunIsInterrupted) {
  std::atomic<int> interrupts{0};
  ScriptedServer server([&interrupts](auto number, const auto& user) {
    if (number < 100) return coupon(number, user);
    interrupts = 2;  // do not wait for replies
    return Answer{};
  });
  hooks_.interrupts = &interrupts;
  auto options = options_for(server.url(), 4, 1'000'000);
  auto result = run(options, hooks_);
  EXPECT_TRUE(result.interrupted);
  const auto sent = result.tally.requests_sent;
  EXPECT_EQ(errors(result, ErrorKind::interrupted), 4U);
  EXPECT_EQ(make_report(options, std::move(result)).exit_status(), 130);
  EXPECT_EQ(lines().size(), sent);
}

TEST_F(AcksOfARun, SayTheOutcomeOfQueuedRequestsAnd202WhenThereWasNone) {
  ScriptedServer server([queue = QueuedServer(0)](auto number, const auto& asked) mutable {
    if (asked == "/v1/requests/R2") return Answer{http(404, "{}")};
    return queue(number, asked);
  });
  (void)run(options_for(server.url(), 1, 2), hooks_);
  const auto acks = lines();
  ASSERT_EQ(acks.size(), 2U);
  EXPECT_EQ(acks[0].at("status").to_number<int>(), 201);
  EXPECT_EQ(acks[0].at("code").as_string(), "C1");
  EXPECT_GE(acks[0].at("received_us").to_number<std::int64_t>(),
            acks[0].at("sent_us").to_number<std::int64_t>() + 10'000);
  EXPECT_EQ(acks[1].at("status").to_number<int>(), 202);
  EXPECT_TRUE(acks[1].at("code").is_null());
  EXPECT_TRUE(acks[1].at("received_us").is_null());
}

}  // namespace
}  // namespace doorbuster::loadlab
