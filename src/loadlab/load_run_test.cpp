#include "loadlab/load_run.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>
#include <map>

#include "loadlab/figures.hpp"
#include "loadlab/load_thread.hpp"
#include "loadlab/scripted_server.hpp"

namespace doorbuster::loadlab {
namespace {

using std::chrono::milliseconds;

Options options_for(const std::string& urls, std::uint64_t vusers, std::uint64_t requests) {
  OptionTexts texts;
  texts.urls = urls;
  texts.vusers = vusers;
  texts.requests = requests;
  auto options = parse_options(texts);
  DOORBUSTER_ASSERT(options.has_value());
  return std::move(*options);
}

RunResult run(const Options& options, RunHooks hooks = {}) {
  auto result = run_load(options, hooks);
  DOORBUSTER_ASSERT(result.has_value());
  return std::move(*result);
}

std::uint64_t count(const RunResult& result, Outcome outcome) {
  return result.tally.outcomes[static_cast<std::size_t>(outcome)];
}
std::uint64_t count(const RunResult& result, ErrorKind kind) {
  return result.tally.errors[static_cast<std::size_t>(kind)];
}

Scripted issue(const std::string& user, std::uint64_t number) {
  return {http_reply(201, coupon_body(number, user)), false};
}

TEST(LoadRun, SendsExactlyTheNumberOfRequestsThatWasAsked) {
  ScriptedServer server(issue);
  const auto result = run(options_for(server.url(), 7, 100));
  EXPECT_EQ(server.requests(), 100U);
  EXPECT_EQ(result.tally.executed(), 100U);
  EXPECT_EQ(count(result, Outcome::issued), 100U);
  EXPECT_EQ(result.tally.sightings.size(), 100U);
  EXPECT_EQ(server.users(), 100U);
}

TEST(LoadRun, SharesTheRequestsAmongThreadsExactly) {
  ScriptedServer server(issue);
  auto options = options_for(server.url(), 8, 203);
  options.threads = 2;
  const auto result = run(options);
  EXPECT_EQ(server.requests(), 203U);
  EXPECT_EQ(result.tally.executed(), 203U);
  EXPECT_EQ(server.users(), 203U);
}

TEST(LoadRun, EveryVirtualUserIsConnectedBeforeTheFirstRequest) {
  ScriptedServer server(issue);
  const auto result = run(options_for(server.url(), 150, 300));
  EXPECT_EQ(server.connections_at_first_request(), 150U);
  EXPECT_EQ(server.connections(), 150U);
  EXPECT_EQ(result.tally.unequal_starts, 0U);
}

TEST(LoadRun, ARepeatedUserAsksAsOftenAsToldAndIsSeenOnceAsIssued) {
  std::map<std::string, std::uint64_t> numbers;
  ScriptedServer server([&](const std::string& user, std::uint64_t) {
    const auto [at, fresh] = numbers.emplace(user, numbers.size() + 1);
    return Scripted{http_reply(fresh ? 201 : 200, coupon_body(at->second, user)), false};
  });
  auto options = options_for(server.url(), 4, 60);
  options.asks_per_user = 3;
  auto result = run(options);
  EXPECT_EQ(server.users(), 20U);
  const auto verdict = judge(result.tally, result.window);
  EXPECT_EQ(verdict.issued, 20U);
  EXPECT_EQ(verdict.already, 40U);
  EXPECT_FALSE(verdict.broken());
}

TEST(LoadRun, SpreadsVirtualUsersOverTheTargets) {
  ScriptedServer first(issue);
  ScriptedServer second(
      [](const std::string& user, std::uint64_t number) { return issue(user, number + 1000); });
  (void)run(options_for(first.url() + "," + second.url(), 6, 60));
  EXPECT_EQ(first.connections(), 3U);
  EXPECT_EQ(second.connections(), 3U);
  EXPECT_EQ(first.requests() + second.requests(), 60U);
}

TEST(LoadRun, OpensAConnectionForEachRequestWhenTold) {
  ScriptedServer server(issue);
  auto options = options_for(server.url(), 3, 20);
  options.connections = Connections::per_request;
  const auto result = run(options);
  EXPECT_EQ(count(result, Outcome::issued), 20U);
  // One more tried whether anybody listens.
  EXPECT_EQ(server.connections(), 21U);
}

TEST(LoadRun, GoesOnWhenTheServerClosesAfterEachReply) {
  ScriptedServer server([](const std::string& user, std::uint64_t number) {
    return Scripted{http_reply(201, coupon_body(number, user), "Connection: close\r\n"), true};
  });
  const auto result = run(options_for(server.url(), 2, 30));
  EXPECT_EQ(count(result, Outcome::issued), 30U);
  EXPECT_EQ(result.tally.error_count(), 0U);
}

TEST(LoadRun, AReplyThatEndsInTheMiddleIsAnError) {
  ScriptedServer server([](const std::string& user, std::uint64_t number) {
    if (number % 2 == 0)
      return Scripted{"HTTP/1.1 201 Created\r\nContent-Length: 500\r\n\r\n{\"code\":", true};
    return issue(user, number);
  });
  const auto result = run(options_for(server.url(), 1, 10));
  EXPECT_EQ(count(result, ErrorKind::closed), 5U);
  EXPECT_EQ(count(result, Outcome::issued), 5U);
  EXPECT_EQ(result.tally.executed(), 10U);
}

TEST(LoadRun, MoreBytesThanAnnouncedAreABadReply) {
  ScriptedServer server([](const std::string&, std::uint64_t) {
    return Scripted{"HTTP/1.1 201 Created\r\nContent-Length: 2\r\n\r\n{} and more", false};
  });
  const auto result = run(options_for(server.url(), 1, 3));
  EXPECT_EQ(count(result, ErrorKind::bad_reply), 3U);
  EXPECT_EQ(result.tally.successes, 0U);
}

TEST(LoadRun, WhatIsNoHttpIsABadReply) {
  ScriptedServer server([](const std::string&, std::uint64_t) {
    return Scripted{"SSH-2.0-nothing here\r\n\r\n", false};
  });
  EXPECT_EQ(count(run(options_for(server.url(), 1, 2)), ErrorKind::bad_reply), 2U);
}

TEST(LoadRun, ASilentServerTimesOutAndTheTimeWaitedIsInThePercentiles) {
  ScriptedServer server([](const std::string&, std::uint64_t) { return Scripted{}; });
  auto options = options_for(server.url(), 2, 4);
  options.timeout = milliseconds(60);
  const auto result = run(options);
  EXPECT_EQ(count(result, ErrorKind::timeout), 4U);
  EXPECT_EQ(result.tally.latency.count(), 4U);
  EXPECT_GE(result.tally.latency.min(), Duration(milliseconds(60)));
  EXPECT_EQ(make_figures(options, result, false).invalid, "the target never answered: not one reply came");
}

TEST(LoadRun, ATargetThatRefusesConnectionsIsAnInvalidRunWithoutWaiting) {
  std::string url;
  {
    ScriptedServer gone(issue);
    url = gone.url();
  }
  for (const auto connections : {Connections::keep_alive, Connections::per_request}) {
    auto options = options_for(url, 5, 100);
    options.connections = connections;
    const auto result = run(options);
    EXPECT_THAT(result.never_connected, testing::HasSubstr("refused"));
    EXPECT_EQ(result.tally.executed(), 0U);
    const auto figures = make_figures(options, result, false);
    EXPECT_EQ(exit_status(figures, Verdict{}, false), kRunInvalid);
  }
}

TEST(LoadRun, WarmUpIsSentButNotCounted) {
  ScriptedServer server(issue);
  auto options = options_for(server.url(), 2, 50);
  options.warm_up = milliseconds(30);
  const auto result = run(options);
  EXPECT_EQ(result.tally.executed(), 50U);
  EXPECT_GT(result.tally.warm_up_requests, 0U);
  EXPECT_EQ(server.requests(), 50U + result.tally.warm_up_requests);
}

TEST(LoadRun, ADurationEndsTheRun) {
  ScriptedServer server(issue);
  auto options = options_for(server.url(), 2, 1);
  options.requests.reset();
  options.duration = milliseconds(50);
  const auto result = run(options);
  EXPECT_EQ(result.window.until - result.window.from, Duration(milliseconds(50)));
  EXPECT_EQ(result.tally.executed(), server.requests());
  EXPECT_GT(result.tally.executed(), 0U);
}

TEST(LoadRun, TheOpenLoopKeepsToItsSchedule) {
  ScriptedServer server(issue);
  auto options = options_for(server.url(), 20, 1);
  options.requests.reset();
  options.duration = milliseconds(200);
  options.rate = 500;
  const auto result = run(options);
  // 100 are due in the time, at 0, 2, ... 198 ms; what a loaded machine could not send is counted as missed.
  EXPECT_EQ(result.tally.executed() + result.tally.missed_sends, 100U);
  EXPECT_EQ(server.requests(), result.tally.executed());
}

TEST(LoadRun, LatencyInTheOpenLoopCountsFromTheIntendedTime) {
  ScriptedServer server([](const std::string& user, std::uint64_t number) {
    return number == 1 ? Scripted{} : issue(user, number);
  });
  auto options = options_for(server.url(), 1, 10);
  options.rate = 100;
  options.timeout = milliseconds(80);
  const auto result = run(options);
  // The first request holds the only virtual user for 80 ms; the second was due after 10.
  EXPECT_EQ(count(result, ErrorKind::timeout), 1U);
  EXPECT_EQ(count(result, Outcome::issued), 9U);
  EXPECT_GE(result.tally.slowest, Duration(milliseconds(70)));
  EXPECT_GT(result.tally.late_sends, 0U);
}

TEST(LoadRun, AnUnavailableReplyIsCountedAndTheVirtualUserGoesOnWithANewUser) {
  ScriptedServer server([](const std::string& user, std::uint64_t number) {
    if (number == 1) return Scripted{http_reply(503, "{}", "Retry-After: 1\r\n"), false};
    return issue(user, number);
  });
  const auto result = run(options_for(server.url(), 1, 5));
  EXPECT_EQ(count(result, Outcome::unavailable), 1U);
  EXPECT_EQ(count(result, ErrorKind::http_503), 1U);
  EXPECT_EQ(count(result, Outcome::issued), 4U);
  EXPECT_EQ(server.users(), 5U);
}

TEST(LoadRun, RetryAsksAgainForTheSameUser) {
  ScriptedServer server([](const std::string& user, std::uint64_t number) {
    if (number == 1) return Scripted{http_reply(503, "{}", "Retry-After: 0\r\n"), false};
    return issue(user, number);
  });
  auto options = options_for(server.url(), 1, 5);
  options.retry = true;
  const auto result = run(options);
  EXPECT_EQ(server.users(), 4U);
  EXPECT_EQ(result.tally.retries, 1U);
}

TEST(LoadRun, AnInterruptionEndsTheRunAndLeavesALineForEverythingSent) {
  const auto path = testing::TempDir() + "interrupted.acks." + std::to_string(getpid());
  auto acks = AcksFile::create(path);
  ASSERT_TRUE(acks);
  std::atomic<int> interrupts{0};
  // From the 20th request on nobody is answered, and Ctrl-C is pressed twice.
  ScriptedServer server([&](const std::string& user, std::uint64_t number) {
    if (number < 20) return issue(user, number);
    if (number == 20) interrupts = 2;
    return Scripted{};
  });
  auto options = options_for(server.url(), 4, 1'000'000);
  RunHooks hooks;
  hooks.interrupts = &interrupts;
  hooks.acks = acks->get();
  const auto result = run(options, hooks);
  ASSERT_TRUE((*acks)->close());
  EXPECT_TRUE(result.interrupted);
  std::ifstream file(path);
  std::string line;
  std::uint64_t lines = 0;
  std::uint64_t unanswered = 0;
  while (std::getline(file, line)) {
    ++lines;
    if (line.find("\"status\":null") != std::string::npos) ++unanswered;
  }
  std::remove(path.c_str());
  EXPECT_EQ(lines, result.tally.requests_sent);
  EXPECT_EQ(lines, result.tally.executed());
  EXPECT_EQ(unanswered, count(result, ErrorKind::interrupted));
  EXPECT_GT(unanswered, 0U);
  EXPECT_EQ(count(result, Outcome::issued), 19U);
  EXPECT_EQ(exit_status(make_figures(options, result, false), Verdict{}, result.interrupted), kInterrupted);
}

TEST(LoadRun, AnUnknownHostIsSaid) {
  auto options = options_for("http://no-such-host.invalid", 1, 1);
  const auto result = run_load(options, {});
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().field, "URL");
}

TEST(Schedule, WithoutARampRequestsAreEvenlySpaced) {
  EXPECT_EQ(scheduled_after(0, 100, Duration(0)), Duration(0));
  EXPECT_EQ(scheduled_after(7, 100, Duration(0)), Duration(milliseconds(70)));
}

TEST(Schedule, TheRampSendsHalfAsManyAndEndsAtTheFullRate) {
  const Duration ramp = std::chrono::seconds(2);
  EXPECT_EQ(scheduled_after(100, 100, ramp), ramp);
  EXPECT_EQ(scheduled_after(25, 100, ramp), Duration(std::chrono::seconds(1)));
  EXPECT_EQ(scheduled_after(110, 100, ramp), ramp + milliseconds(100));
}

}  // namespace
}  // namespace doorbuster::loadlab
