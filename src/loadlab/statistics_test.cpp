// Counting, judging and reporting, on inputs whose answer is known.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json.hpp>

#include "loadlab/campaign_limit.hpp"
#include "loadlab/report.hpp"
#include "loadlab/svg_chart.hpp"

namespace doorbuster::loadlab {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::HasSubstr;
using testing::Not;

Moment at(Duration time) {
  return Moment(seconds(1000)) + time;
}

Sighting coupon(std::uint64_t user, std::uint64_t sequence, Duration sent, Duration received,
                bool created = true) {
  Sighting sighting;
  sighting.user = user;
  sighting.sequence = sequence;
  sighting.sent = at(sent);
  sighting.received = at(received);
  sighting.code = CodeText("code" + std::to_string(sequence));
  sighting.created = created;
  sighting.measured = true;
  return sighting;
}

ReplyFacts facts(Outcome outcome) {
  ReplyFacts made;
  made.outcome = outcome;
  return made;
}

/// Three seconds: 2 successes in the first, 5 in the second, 1 in the third, 1 after the end; one 503.
RunResult made_run() {
  RunResult run;
  run.window = {at(Duration(0)), at(seconds(3))};
  const auto reply = [&](Duration sent, Duration took, Outcome outcome) {
    run.tally.reply(run.window, at(sent), at(sent + took), facts(outcome));
    ++run.tally.requests_sent;
  };
  reply(milliseconds(100), milliseconds(10), Outcome::issued);
  reply(milliseconds(200), milliseconds(20), Outcome::issued);
  for (int i = 0; i < 5; ++i) reply(milliseconds(1100 + i), milliseconds(30), Outcome::sold_out);
  reply(milliseconds(2100), milliseconds(40), Outcome::already);
  reply(milliseconds(2900), milliseconds(200), Outcome::sold_out);
  auto refused = facts(Outcome::unavailable);
  refused.error = ErrorKind::http_503;
  run.tally.reply(run.window, at(milliseconds(500)), at(milliseconds(501)), refused);
  ++run.tally.requests_sent;
  run.cpu = Duration(100);
  return run;
}

Options made_options() {
  OptionTexts texts;
  texts.urls = "http://127.0.0.1:8080";
  texts.duration = "3s";
  texts.thresholds = {"p99<50ms", "tps>=2", "errors<=10%"};
  auto options = parse_options(texts);
  DOORBUSTER_ASSERT(options.has_value());
  return std::move(*options);
}

TEST(Figures, AreNGrindersByItsDefinitions) {
  const auto figures = make_figures(made_options(), made_run(), false);
  EXPECT_EQ(figures.executed, 10U);
  EXPECT_EQ(figures.errors, 1U);
  EXPECT_DOUBLE_EQ(figures.duration_s, 3);
  // Eight within the time; the ninth success came after it.
  EXPECT_DOUBLE_EQ(figures.tps, 8.0 / 3);
  EXPECT_DOUBLE_EQ(figures.peak_tps, 5);
  EXPECT_DOUBLE_EQ(figures.mean_ms, (10.0 + 20 + 5 * 30 + 40 + 200) / 9);
  EXPECT_DOUBLE_EQ(figures.generator_cpu_us_per_request, 10);
}

TEST(Figures, PercentilesAreValuesThatOccurred) {
  const auto figures = make_figures(made_options(), made_run(), false);
  EXPECT_NEAR(figures.p50_ms, 30, 0.03);
  EXPECT_NEAR(figures.p90_ms, 200, 0.2);
  EXPECT_DOUBLE_EQ(figures.max_ms, 200);
}

TEST(Figures, ThresholdsAreJudgedOneByOne) {
  const auto figures = make_figures(made_options(), made_run(), false);
  ASSERT_EQ(figures.thresholds.size(), 3U);
  EXPECT_FALSE(figures.thresholds[0].met);
  EXPECT_TRUE(figures.thresholds[1].met);
  EXPECT_TRUE(figures.thresholds[2].met);
  EXPECT_EQ(exit_status(figures, Verdict{}, false), kThresholdMissed);
}

TEST(Figures, ATimeoutIsInThePercentilesButNotInTheMean) {
  RunResult run;
  run.window = {at(Duration(0)), at(seconds(1))};
  run.tally.reply(run.window, at(Duration(0)), at(milliseconds(1)), facts(Outcome::issued));
  run.tally.failure(run.window, at(Duration(0)), at(milliseconds(500)), ErrorKind::timeout);
  const auto figures = make_figures(made_options(), run, false);
  EXPECT_DOUBLE_EQ(figures.mean_ms, 1);
  EXPECT_DOUBLE_EQ(figures.max_ms, 500);
}

TEST(Figures, ABusyGeneratorMakesARateInvalidButNotACount) {
  auto options = made_options();
  auto run = made_run();
  run.busiest_thread = 0.95;
  EXPECT_THAT(make_figures(options, run, false).invalid, HasSubstr("95 %"));
  EXPECT_EQ(exit_status(make_figures(options, run, false), Verdict{}, false), kRunInvalid);
  EXPECT_EQ(make_figures(options, run, true).invalid, "");
  EXPECT_THAT(make_figures(options, run, true).warnings, testing::ElementsAre(HasSubstr("95 %")));
  options.duration.reset();
  options.requests = 10;
  EXPECT_EQ(make_figures(options, run, false).invalid, "");
  run.busiest_thread = 0.9;
  EXPECT_THAT(make_figures(options, run, false).warnings, testing::IsEmpty());
}

TEST(Figures, VirtualUsersThatWereMissingAtTheStartMakeARunInvalid) {
  auto run = made_run();
  run.tally.unequal_starts = 3;
  EXPECT_EQ(make_figures(made_options(), run, false).invalid,
            "3 of 100 virtual users had no connection at the start");
}

TEST(ExitStatus, ABrokenInvariantOutweighsEverything) {
  Figures figures;
  figures.invalid = "anything";
  Verdict verdict;
  EXPECT_EQ(exit_status(figures, verdict, true), kInterrupted);
  verdict.above_limit = 1;
  EXPECT_EQ(exit_status(figures, verdict, true), kInvariantBroken);
  EXPECT_EQ(exit_status(Figures{}, Verdict{}, false), kGood);
}

TEST(OrderInversions, CountsPairsThatTimesCanProve) {
  // 3 is answered before 1 and 2 are sent: two pairs. 1 and 2 overlap: nothing.
  EXPECT_EQ(count_order_inversions({coupon(1, 3, milliseconds(0), milliseconds(1)),
                                    coupon(2, 2, milliseconds(2), milliseconds(5)),
                                    coupon(3, 1, milliseconds(3), milliseconds(4))}),
            2U);
}

TEST(OrderInversions, OverlappingRequestsProveNothing) {
  EXPECT_EQ(count_order_inversions({coupon(1, 2, milliseconds(0), milliseconds(5)),
                                    coupon(2, 1, milliseconds(5), milliseconds(6))}),
            0U);
}

TEST(OrderInversions, ARepeatedCouponProvesNothing) {
  EXPECT_EQ(count_order_inversions({coupon(1, 9, milliseconds(0), milliseconds(1), false),
                                    coupon(2, 1, milliseconds(2), milliseconds(3))}),
            0U);
}

TEST(OrderInversions, AgreeWithTheDefinitionOnRandomRuns) {
  std::uint64_t state = 17;
  const auto next = [&](std::uint64_t bound) {
    state = state * 6364136223846793005U + 1442695040888963407U;
    return (state >> 33) % bound;
  };
  for (int round = 0; round < 20; ++round) {
    std::vector<Sighting> all;
    for (std::uint64_t i = 0; i < 60; ++i) {
      const auto sent = static_cast<Duration::rep>(next(50));
      all.push_back(
          coupon(i, 1 + next(40), Duration(sent), Duration(sent + static_cast<Duration::rep>(next(10)))));
    }
    std::uint64_t expected = 0;
    for (const auto& a : all) {
      for (const auto& b : all) {
        if (a.received < b.sent && a.sequence > b.sequence) ++expected;
      }
    }
    EXPECT_EQ(count_order_inversions(all), expected);
    EXPECT_GT(expected, 0U);
  }
}

TEST(Verdict, FindsEachBrokenInvariant) {
  Tally tally;
  tally.sightings = {coupon(1, 1, Duration(0), Duration(1)), coupon(1, 2, Duration(2), Duration(3)),
                     coupon(2, 3, Duration(0), Duration(1)), coupon(3, 3, Duration(2), Duration(3)),
                     coupon(4, 4, Duration(0), Duration(1)), coupon(5, 4, Duration(0), Duration(1))};
  tally.sightings[5].code = CodeText("other");
  auto verdict = judge(tally, Window{at(Duration(0)), at(seconds(1))});
  EXPECT_EQ(verdict.users_with_two_codes, 1U);
  EXPECT_EQ(verdict.codes_with_two_users, 1U);
  EXPECT_EQ(verdict.sequences_used_twice, 1U);
  check_limit(tally, 3, verdict);
  EXPECT_EQ(verdict.above_limit, 2U);
  EXPECT_TRUE(verdict.broken());
  EXPECT_FALSE(verdict.examples.empty());
}

TEST(Verdict, ARetriedWinnerIsAWinnerOnce) {
  Tally tally;
  const Window window{at(Duration(0)), at(seconds(1))};
  tally.sightings = {coupon(1, 1, Duration(0), Duration(1), false),
                     coupon(1, 1, Duration(2), Duration(3), false)};
  for (const auto& sighting : tally.sightings) {
    tally.reply(window, sighting.sent, sighting.received, facts(Outcome::already));
  }
  const auto verdict = judge(tally, window);
  EXPECT_EQ(verdict.issued, 1U);
  EXPECT_EQ(verdict.already, 1U);
  EXPECT_EQ(tally.outcomes[static_cast<std::size_t>(Outcome::issued)], 1U);
  EXPECT_FALSE(verdict.broken());
}

TEST(CampaignLimit, IsReadFromTheCampaign) {
  EXPECT_EQ(limit_in(R"({"id":"x","limit":500,"issued":3})"), 500U);
  EXPECT_EQ(limit_in(R"({"status":"ok"})"), std::nullopt);
  EXPECT_EQ(limit_in("<html>"), std::nullopt);
}

TEST(JsonReport, HasEveryKeyOfTheContract) {
  const auto options = made_options();
  const auto run = made_run();
  const auto figures = make_figures(options, run, false);
  const Verdict verdict;
  const auto json = boost::json::parse(json_report({options, run, figures, verdict})).as_object();
  for (const auto* key : {"vusers", "duration_s", "tps", "peak_tps", "mean_ms", "p50_ms", "p90_ms", "p99_ms",
                          "p999_ms", "max_ms", "executed", "errors", "outcomes", "errors_by_kind",
                          "generator_cpu_us_per_request", "order_inversions"}) {
    EXPECT_TRUE(json.contains(key)) << key;
  }
  EXPECT_EQ(json.at("outcomes").at("issued").to_number<int>(), 2);
  EXPECT_EQ(json.at("outcomes").at("paused").to_number<int>(), 0);
  EXPECT_EQ(json.at("errors_by_kind").as_object().size(), 1U);
  EXPECT_EQ(json.at("errors_by_kind").at("http_503").to_number<int>(), 1);
  EXPECT_TRUE(json.at("invalid").is_null());
}

TEST(TextReport, NamesTheFiveFiguresAndWhatWentWrong) {
  const auto options = made_options();
  const auto run = made_run();
  const auto figures = make_figures(options, run, false);
  Verdict verdict;
  verdict.users_with_two_codes = 1;
  const auto text = text_report({options, run, figures, verdict});
  for (const auto* name : {"TPS", "Peak TPS", "Mean Test Time", "Executed Tests", "Errors"}) {
    EXPECT_THAT(text, HasSubstr(name));
  }
  EXPECT_THAT(text, HasSubstr("INVARIANT BROKEN"));
  EXPECT_THAT(text, HasSubstr("MISSED p99<50ms"));
}

TEST(HtmlReport, NeedsNothingFromOutsideAndEscapesWhatItShows) {
  auto options = made_options();
  options.targets.front().authority = "<script>";
  const auto run = made_run();
  const auto figures = make_figures(options, run, false);
  const auto html = html_report({options, run, figures, Verdict{}});
  EXPECT_THAT(html, HasSubstr("<svg"));
  EXPECT_THAT(html, HasSubstr("Outcomes over time"));
  EXPECT_THAT(html, HasSubstr("prefers-color-scheme:dark"));
  for (const auto* outside : {"<script", "http://", "https://", "src=", "@import", "url("}) {
    EXPECT_THAT(html, Not(HasSubstr(outside)));
  }
}

TEST(Chart, AxisStepsAreRoundAndReachTheTop) {
  EXPECT_THAT(round_steps(90, 4), testing::ElementsAre(0, 50, 100));
  EXPECT_THAT(round_steps(1, 4), testing::ElementsAre(0, 0.5, 1));
  EXPECT_THAT(round_steps(0, 4), testing::ElementsAre(0, 1));
}

}  // namespace
}  // namespace doorbuster::loadlab
