#include "loadlab/report.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json/parse.hpp>

#include "loadlab/campaign_limit.hpp"

namespace doorbuster::loadlab {
namespace {

namespace json = boost::json;
using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::HasSubstr;
using testing::Not;

const Moment kStart(seconds(1000));

Options options_for(Duration duration) {
  OptionTexts texts;
  texts.urls = "http://127.0.0.1:8080";
  texts.first_user = 1;
  auto options = parse_options([&] {
    texts.requests = 1;
    return texts;
  }());
  options->requests.reset();
  options->duration = duration;
  return *options;
}

/// A run of `duration` to which a test adds replies.
class Recorded {
 public:
  explicit Recorded(Duration duration) {
    result.window = {kStart, kStart + duration};
    result.cpu_us = 0;
  }
  Recorded& reply(Duration sent, Duration took, Outcome outcome = Outcome::sold_out,
                  std::optional<ErrorKind> error = std::nullopt) {
    ReplyFacts facts;
    facts.outcome = outcome;
    facts.error = error;
    result.tally.reply(result.window, kStart + sent, kStart + sent + took, facts);
    return *this;
  }
  RunResult result;
};

TEST(Report, TellsTheLatencyOfEachOutcomeApart) {
  Recorded run(seconds(2));
  for (int i = 1; i <= 100; ++i) run.reply(milliseconds(0), milliseconds(i), Outcome::issued);
  for (int i = 1; i <= 100; ++i) run.reply(milliseconds(0), Duration(i), Outcome::sold_out);
  run.reply(milliseconds(0), seconds(1), Outcome::unavailable, ErrorKind::http_503);
  Recorded other(seconds(2));
  other.reply(milliseconds(0), milliseconds(200), Outcome::issued);
  run.result.tally.merge(std::move(other.result.tally));
  const auto report = make_report(options_for(seconds(2)), std::move(run.result));
  ASSERT_EQ(report.latency_by_outcome.size(), 2U) << "an error has no latency of its own";
  const auto& issued = report.latency_by_outcome[0];
  EXPECT_EQ(issued.outcome, Outcome::issued);
  EXPECT_NEAR(issued.p50_ms, 51, 0.1);
  EXPECT_EQ(issued.max_ms, 200);
  EXPECT_NEAR(report.latency_by_outcome[1].p99_ms, 0.099, 1e-6);
  const auto text = to_text(report);
  EXPECT_THAT(text, HasSubstr("Latency by outcome"));
  EXPECT_THAT(text,
              HasSubstr("  sold_out                0.050 ms       0.090 ms       0.099 ms       0.100 ms"));
  const auto parsed = json::parse(to_json(report)).as_object();
  EXPECT_EQ(parsed.at("latency_by_outcome").at("sold_out").at("p90_ms").to_number<double>(), 0.09);
  EXPECT_THAT(to_html(report), HasSubstr("sold_out: p50, p99, max"));
}

TEST(Report, ShowsTenthsOfASecondOfAShortRun) {
  Recorded run(milliseconds(350));
  for (int i = 0; i < 30; ++i) run.reply(milliseconds(10 * i), milliseconds(1), Outcome::issued);
  const auto html = to_html(make_report(options_for(milliseconds(350)), std::move(run.result)));
  EXPECT_THAT(html, HasSubstr("0.1 s to 0.2 s&#10;TPS: 100 /s"));
  EXPECT_THAT(html, HasSubstr("0.3 s to 0.35 s"));
}

TEST(Report, DrawsTheOneValueOfTheShortestRunOverTheWholeWidth) {
  Recorded run(milliseconds(50));
  run.reply(milliseconds(0), milliseconds(1), Outcome::issued);
  const auto html = to_html(make_report(options_for(milliseconds(50)), std::move(run.result)));
  EXPECT_THAT(html, HasSubstr("TPS over time"));
  EXPECT_THAT(html, HasSubstr("class=\"line\" points=\"58.0,"));
  EXPECT_THAT(html, HasSubstr(" 932.0,"));
}

TEST(Report, HasNGrindersFiveByDefinition) {
  Recorded run(seconds(4));
  // Second 0: two successes; second 1: five; second 2: an error; after the end: one success.
  run.reply(milliseconds(0), milliseconds(10)).reply(milliseconds(500), milliseconds(20));
  for (int i = 0; i < 5; ++i) run.reply(milliseconds(1000 + i), milliseconds(30));
  run.reply(milliseconds(2000), milliseconds(1), Outcome::unavailable, ErrorKind::http_503);
  run.reply(milliseconds(3990), milliseconds(20));
  run.result.cpu_us = 90;
  const auto report = make_report(options_for(seconds(4)), std::move(run.result));
  EXPECT_DOUBLE_EQ(report.duration_s, 4);
  EXPECT_DOUBLE_EQ(report.tps, 7.0 / 4);
  EXPECT_DOUBLE_EQ(report.peak_tps, 5);
  EXPECT_DOUBLE_EQ(report.mean_ms, (10.0 + 20 + 5 * 30 + 20) / 8);
  EXPECT_EQ(report.executed, 9U);
  EXPECT_EQ(report.errors, 1U);
  EXPECT_DOUBLE_EQ(report.generator_cpu_us_per_request, 10);
}

TEST(Report, HasPercentilesOfTheSuccesses) {
  Recorded run(seconds(2));
  for (int i = 1; i <= 1000; ++i) run.reply(milliseconds(0), Duration(i));
  run.reply(milliseconds(0), seconds(1), Outcome::unavailable, ErrorKind::http_503);
  const auto report = make_report(options_for(seconds(2)), std::move(run.result));
  EXPECT_DOUBLE_EQ(report.p50_ms, 0.5);
  EXPECT_DOUBLE_EQ(report.p90_ms, 0.9);
  EXPECT_DOUBLE_EQ(report.p99_ms, 0.99);
  EXPECT_DOUBLE_EQ(report.p999_ms, 0.999);
  EXPECT_DOUBLE_EQ(report.max_ms, 1);
}

TEST(Report, LetsTimeoutsIntoThePercentilesButNotIntoTheMean) {
  Recorded run(seconds(2));
  run.reply(milliseconds(0), milliseconds(10));
  run.result.tally.failure(run.result.window, kStart, kStart + seconds(1), ErrorKind::timeout);
  const auto report = make_report(options_for(seconds(2)), std::move(run.result));
  EXPECT_DOUBLE_EQ(report.mean_ms, 10);
  EXPECT_DOUBLE_EQ(report.max_ms, 1000);
  EXPECT_EQ(report.executed, 2U);
}

TEST(Report, TakesPeakFromWholeSecondsOnlyAndNeverBelowTps) {
  Recorded run(milliseconds(1500));
  for (int i = 0; i < 2; ++i) run.reply(milliseconds(0), milliseconds(1));
  for (int i = 0; i < 10; ++i) run.reply(milliseconds(1200), milliseconds(1));
  const auto report = make_report(options_for(milliseconds(1500)), std::move(run.result));
  EXPECT_DOUBLE_EQ(report.tps, 8);
  EXPECT_DOUBLE_EQ(report.peak_tps, 8);
}

TEST(Report, LeavesTheWarmUpOut) {
  Recorded run(seconds(2));
  run.reply(milliseconds(-1), milliseconds(5));
  run.reply(milliseconds(0), milliseconds(7));
  const auto report = make_report(options_for(seconds(2)), std::move(run.result));
  EXPECT_EQ(report.executed, 1U);
  EXPECT_EQ(report.warm_up_requests, 1U);
  EXPECT_DOUBLE_EQ(report.mean_ms, 7);
}

TEST(Report, MergesTheThreads) {
  Recorded one(seconds(2));
  one.reply(milliseconds(0), milliseconds(1));
  Recorded other(seconds(2));
  other.reply(milliseconds(1000), milliseconds(3)).reply(milliseconds(1000), milliseconds(5));
  other.result.tally.late_sends = 2;
  one.result.tally.merge(std::move(other.result.tally));
  const auto report = make_report(options_for(seconds(2)), std::move(one.result));
  EXPECT_EQ(report.executed, 3U);
  EXPECT_DOUBLE_EQ(report.mean_ms, 3);
  EXPECT_DOUBLE_EQ(report.peak_tps, 2);
  EXPECT_EQ(report.late_sends, 2U);
}

Report sound_report() {
  Recorded run(seconds(2));
  run.reply(milliseconds(0), milliseconds(10), Outcome::issued);
  run.reply(milliseconds(1000), milliseconds(10), Outcome::sold_out);
  return make_report(options_for(seconds(2)), std::move(run.result));
}

TEST(ExitStatus, SaysWhatMattersMost) {
  auto report = sound_report();
  EXPECT_EQ(report.exit_status(), 0);
  report.thresholds.push_back({"p99<1ms", 10, false});
  EXPECT_EQ(report.exit_status(), 2);
  report.invalid = "never answered";
  EXPECT_EQ(report.exit_status(), 4);
  report.interrupted = true;
  EXPECT_EQ(report.exit_status(), 130);
  report.verdict.sequences_used_twice = 1;
  EXPECT_EQ(report.exit_status(), 3);
}

TEST(Report, JudgesThresholds) {
  auto options = options_for(seconds(2));
  for (const auto* text : {"p99<50ms", "tps>=5", "errors<1%"}) {
    options.thresholds.push_back(*Threshold::parse(text));
  }
  Recorded run(seconds(2));
  run.reply(milliseconds(0), milliseconds(10));
  const auto report = make_report(options, std::move(run.result));
  ASSERT_EQ(report.thresholds.size(), 3U);
  EXPECT_TRUE(report.thresholds[0].met);
  EXPECT_FALSE(report.thresholds[1].met);
  EXPECT_TRUE(report.thresholds[2].met);
  EXPECT_EQ(report.exit_status(), 2);
}

TEST(Report, DoesNotMeetALatencyThresholdWithoutASuccess) {
  auto options = options_for(seconds(2));
  options.thresholds.push_back(*Threshold::parse("p99<50ms"));
  Recorded run(seconds(2));
  run.reply(milliseconds(0), milliseconds(1), Outcome::unavailable, ErrorKind::http_503);
  EXPECT_FALSE(make_report(options, std::move(run.result)).thresholds[0].met);
}

TEST(Report, IsInvalidWhenNobodyEverAnswered) {
  Recorded run(seconds(2));
  run.result.tally.failure(run.result.window, kStart, kStart + seconds(1), ErrorKind::timeout);
  const auto report = make_report(options_for(seconds(2)), std::move(run.result));
  EXPECT_EQ(report.exit_status(), 4);
  EXPECT_THAT(report.invalid, HasSubstr("never answered"));
}

TEST(Report, IsInvalidWhenMoreThanFivePercentOfTheSendsWereLate) {
  for (const std::uint64_t late : {5U, 6U}) {
    auto options = options_for(seconds(2));
    options.rate = 50;
    Recorded run(seconds(2));
    for (int i = 0; i < 100; ++i) run.reply(milliseconds(i), milliseconds(1));
    run.result.tally.late_sends = late;
    EXPECT_EQ(make_report(options, std::move(run.result)).exit_status(), late == 5 ? 0 : 4);
  }
}

Report busy_report(const Options& options) {
  Recorded run(seconds(2));
  run.reply(milliseconds(0), milliseconds(1));
  run.result.busiest_thread = 0.95;
  return make_report(options, std::move(run.result));
}

TEST(Report, IsInvalidWhenTheGeneratorHadNoRoomLeft) {
  const auto report = busy_report(options_for(seconds(2)));
  EXPECT_THAT(report.invalid, HasSubstr("95 %"));
  EXPECT_EQ(report.exit_status(), 4);
}

TEST(Report, OnlyWarnsOfABusyGeneratorWhereTheRateIsNotTheResult) {
  auto allowed = options_for(seconds(2));
  allowed.busy_generator_allowed = true;
  auto counted = options_for(seconds(2));
  counted.duration.reset();
  counted.requests = 1;
  auto open_loop = options_for(seconds(2));
  open_loop.rate = 10;
  for (const auto& options : {allowed, counted, open_loop, options_for(milliseconds(1999))}) {
    const auto report = busy_report(options);
    ASSERT_EQ(report.warnings.size(), 1U);
    EXPECT_THAT(report.warnings[0], HasSubstr("95 %"));
    EXPECT_EQ(report.exit_status(), 0);
  }
}

TEST(Report, FindsNumbersOverTheLimitThatTheCampaignHad) {
  Recorded run(seconds(2));
  run.reply(milliseconds(0), milliseconds(1));
  Sighting seen;
  seen.sequence = 6;
  run.result.tally.sightings.push_back(seen);
  run.result.limit = 5;
  const auto report = make_report(options_for(seconds(2)), std::move(run.result));
  EXPECT_EQ(report.verdict.above_limit, 1U);
  EXPECT_EQ(report.exit_status(), 3);
}

TEST(CampaignLimit, IsReadFromTheCampaign) {
  EXPECT_EQ(limit_in(R"({"id":"x","limit":500,"issued":3})"), 500U);
  EXPECT_EQ(limit_in(R"({"status":"ok"})"), std::nullopt);
  EXPECT_EQ(limit_in("<html>"), std::nullopt);
}

TEST(ReportJson, HasTheKeysOfTheContract) {
  const auto value = json::parse(to_json(sound_report()));
  const auto& object = value.as_object();
  for (const auto* key :
       {"vusers", "duration_s", "tps", "peak_tps", "mean_ms", "p50_ms", "p90_ms", "p99_ms", "p999_ms",
        "max_ms", "executed", "errors", "generator_cpu_us_per_request", "order_inversions"}) {
    ASSERT_TRUE(object.contains(key)) << key;
    EXPECT_TRUE(object.at(key).is_number()) << key;
  }
  EXPECT_EQ(object.at("executed").to_number<int>(), 2);
  EXPECT_DOUBLE_EQ(object.at("tps").to_number<double>(), 1);
  const auto& outcomes = object.at("outcomes").as_object();
  for (const auto* key : {"issued", "already", "sold_out", "not_started", "ended", "paused", "unavailable"}) {
    EXPECT_TRUE(outcomes.contains(key)) << key;
  }
  EXPECT_EQ(outcomes.at("sold_out").to_number<int>(), 1);
  EXPECT_TRUE(object.at("errors_by_kind").as_object().empty());
}

TEST(ReportJson, NamesErrorsByKind) {
  auto report = sound_report();
  report.errors_by_kind[static_cast<std::size_t>(ErrorKind::timeout)] = 3;
  const auto value = json::parse(to_json(report));
  EXPECT_EQ(value.at("errors_by_kind").at("timeout").to_number<int>(), 3);
}

TEST(ReportText, ShowsTheFiveAndTheOutcomes) {
  const auto text = to_text(sound_report());
  for (const auto* words : {"TPS", "Peak TPS", "Mean Test Time", "Executed Tests", "Errors", "p99.9",
                            "sold_out", "CPU per request"}) {
    EXPECT_THAT(text, HasSubstr(words));
  }
}

TEST(ReportHtml, IsCompleteInItself) {
  const auto page = to_html(sound_report());
  EXPECT_THAT(page, HasSubstr("<svg"));
  EXPECT_THAT(page, HasSubstr("TPS over time"));
  EXPECT_THAT(page, HasSubstr("prefers-color-scheme"));
  for (const auto* outside : {"src=", "href=", "@import", "url(", "<script"}) {
    EXPECT_THAT(page, Not(HasSubstr(outside)));
  }
}

TEST(ReportHtml, EscapesWhatComesFromOutside) {
  auto report = sound_report();
  report.targets = "http://a/<script>";
  EXPECT_THAT(to_html(report), Not(HasSubstr("<script>")));
}

TEST(ReportHtml, CanShowARunWithoutASingleReply) {
  EXPECT_THAT(to_html(make_report(options_for(seconds(1)), RunResult{})), HasSubstr("</html>"));
}

TEST(ProgressLine, ShowsTheRateSinceTheLineBefore) {
  const LiveCounts before{seconds(1), 100, 50, 0, milliseconds(100)};
  const LiveCounts counts{seconds(3), 1100, 60, 2, milliseconds(2100)};
  const auto line = progress_line(before, counts);
  EXPECT_THAT(line, HasSubstr("500 TPS"));
  EXPECT_THAT(line, HasSubstr("2.000 ms"));
  EXPECT_THAT(line, HasSubstr("errors         2"));
}

}  // namespace
}  // namespace doorbuster::loadlab
