#include "loadlab/report.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace doorbuster::loadlab {
namespace {

constexpr double kMostLateShare = 0.05;
constexpr double kBusyThread = 0.9;
/// In a shorter run start-up counts for too much to judge the generator by it.
constexpr Duration kShortestRate = std::chrono::seconds(2);

double to_ms(Duration duration) {
  return static_cast<double>(duration.count()) / 1000.0;
}

std::string text_of(Duration duration) {
  return duration.count() % 1'000'000 == 0 ? fmt::format("{}s", duration.count() / 1'000'000)
                                           : fmt::format("{}ms", to_ms(duration));
}

std::string load_text(const Options& options) {
  std::string text =
      options.rate > 0 ? fmt::format("open loop, {:g} requests/s", options.rate) : "closed loop";
  text +=
      fmt::format(", {} virtual user{}, {}", options.vusers, options.vusers == 1 ? "" : "s",
                  options.connections == Connections::keep_alive ? "keep-alive" : "connection per request");
  if (options.ramp_up.count() > 0) text += ", ramp-up " + text_of(options.ramp_up);
  if (options.warm_up.count() > 0) text += ", warm-up " + text_of(options.warm_up);
  if (options.retry) text += ", retry";
  return text;
}

double peak(const std::vector<Second>& seconds, double duration_s, double tps) {
  double most = tps;
  const auto whole = std::min(static_cast<std::size_t>(duration_s + 1e-9), seconds.size());
  for (std::size_t i = 0; i < whole; ++i) most = std::max(most, static_cast<double>(seconds[i].successes));
  return most;
}

double figure_value(const Report& report, Figure figure) {
  switch (figure) {
    case Figure::tps:
      return report.tps;
    case Figure::peak_tps:
      return report.peak_tps;
    case Figure::mean:
      return report.mean_ms;
    case Figure::p50:
      return report.p50_ms;
    case Figure::p90:
      return report.p90_ms;
    case Figure::p99:
      return report.p99_ms;
    case Figure::p999:
      return report.p999_ms;
    case Figure::max:
      return report.max_ms;
    case Figure::errors:
      return static_cast<double>(report.errors);
    case Figure::error_rate:
      return report.executed == 0
                 ? 0
                 : 100.0 * static_cast<double>(report.errors) / static_cast<double>(report.executed);
    case Figure::issued:
      return static_cast<double>(report.outcomes[static_cast<std::size_t>(Outcome::issued)]);
  }
  return 0;
}

void judge_validity(const Options& options, const RunResult& result, Report& report) {
  const auto& tally = result.tally;
  if (!result.never_connected.empty()) {
    report.invalid = fmt::format("cannot connect to {}: {}", report.targets, result.never_connected);
  } else if (tally.replies == 0 && !result.interrupted) {
    report.invalid = fmt::format("{} never answered", report.targets);
  }
  const auto late = tally.late_sends + tally.missed_sends;
  const auto due = report.executed + tally.missed_sends;
  const auto late_share = due == 0 ? 0.0 : static_cast<double>(late) / static_cast<double>(due);
  if (report.open_loop && late_share > kMostLateShare && report.invalid.empty()) {
    report.invalid = fmt::format(
        "{:.1f} % of the sends were late or never made (at most {:.0f} % may be): the rate was not "
        "reached; more --vusers or --threads, or a lower --rate",
        100 * late_share, 100 * kMostLateShare);
  }
  if (result.busiest_thread > kBusyThread) {
    auto text = fmt::format(
        "the generator's busiest thread used {:.0f} % of a core: the generator may be the "
        "bottleneck, try --threads {}",
        100 * result.busiest_thread, options.threads + 1);
    const bool rate_is_the_result =
        !report.open_loop && options.duration && *options.duration >= kShortestRate;
    if (rate_is_the_result && !options.busy_generator_allowed && report.invalid.empty()) {
      report.invalid = std::move(text);
    } else {
      report.warnings.push_back(std::move(text));
    }
  }
  if (tally.unequal_starts != 0 && report.executed != 0) {
    report.warnings.push_back(fmt::format("{} of {} virtual users had no connection when the run began",
                                          tally.unequal_starts, options.vusers));
  }
  if (options.duration && report.tps > 0 && report.duration_s < 1 && !result.interrupted) {
    report.warnings.push_back("shorter than a second: Peak TPS is the same as TPS");
  }
}

}  // namespace

Report make_report(const Options& options, RunResult&& result) {
  Report report;
  for (const auto& target : options.targets) {
    if (!report.targets.empty()) report.targets += ", ";
    report.targets += "http://" + target.authority + target.path;
  }
  report.campaign = options.campaign;
  report.load = load_text(options);
  report.users = options.asks_per_user == 1
                     ? fmt::format("unique, from {}", options.first_user)
                     : fmt::format("each asks {} times, from {}", options.asks_per_user, options.first_user);
  report.vusers = options.vusers;
  report.threads = options.threads;
  report.started_at = doorbuster::to_text(result.started_at);
  report.open_loop = options.rate > 0;

  auto& tally = result.tally;
  report.verdict = judge(tally, result.window);
  if (result.limit) check_limit(tally, *result.limit, report.verdict);
  const auto measured = std::max(result.window.until - result.window.from, Duration::zero());
  report.duration_s = static_cast<double>(measured.count()) / 1e6;
  if (measured.count() > 0) {
    // Without a fixed end the last reply is the end, and belongs to the measured time.
    const bool fixed_end = options.duration && !result.interrupted;
    const auto counted = fixed_end ? tally.successes_in_window : tally.successes;
    report.tps = static_cast<double>(counted) / report.duration_s;
  }
  report.peak_tps = peak(tally.seconds, report.duration_s, report.tps);
  if (tally.successes != 0) {
    report.mean_ms =
        static_cast<double>(tally.success_time.count()) / 1000.0 / static_cast<double>(tally.successes);
  }
  report.p50_ms = to_ms(tally.latency.percentile(50));
  report.p90_ms = to_ms(tally.latency.percentile(90));
  report.p99_ms = to_ms(tally.latency.percentile(99));
  report.p999_ms = to_ms(tally.latency.percentile(99.9));
  report.max_ms = to_ms(tally.slowest);
  for (std::size_t i = 0; i < kOutcomes; ++i) {
    if (!tally.latency_of[i]) continue;
    const auto& latency = *tally.latency_of[i];
    report.latency_by_outcome.push_back({static_cast<Outcome>(i), to_ms(latency.percentile(50)),
                                         to_ms(latency.percentile(90)), to_ms(latency.percentile(99)),
                                         to_ms(latency.percentile(99.9)), to_ms(latency.max())});
  }
  report.executed = tally.executed();
  report.errors = tally.error_count();
  report.outcomes = tally.outcomes;
  report.errors_by_kind = tally.errors;
  const auto all = report.executed + tally.warm_up_requests;
  report.generator_cpu_us_per_request = all == 0 ? 0 : result.cpu_us / static_cast<double>(all);
  report.busiest_thread = result.busiest_thread;
  report.warm_up_requests = tally.warm_up_requests;
  report.requests_sent = tally.requests_sent;
  report.retries = tally.retries;
  report.outcome_asks = tally.outcome_asks;
  report.late_sends = tally.late_sends;
  report.missed_sends = tally.missed_sends;
  report.interrupted = result.interrupted;
  judge_validity(options, result, report);
  for (const auto& threshold : options.thresholds) {
    const auto value = figure_value(report, threshold.figure);
    // Where nothing succeeded there is no latency, and a limit on it is not kept by its absence.
    const bool is_latency = threshold.figure >= Figure::mean && threshold.figure <= Figure::max;
    const bool known = !is_latency || tally.latency.count() != 0;
    report.thresholds.push_back({threshold.text, value, known && threshold.met(value)});
  }
  report.seconds = std::move(tally.seconds);
  report.tenths = std::move(tally.tenths);
  if (tally.latency.count() != 0) {
    for (double nines = 0; nines <= 4.0001; nines += 0.1) {
      const double percent = 100.0 * (1.0 - std::pow(10.0, -nines));
      if (static_cast<double>(tally.latency.count()) * std::pow(10.0, -nines) < 1) break;
      report.latency_curve.emplace_back(percent, to_ms(tally.latency.percentile(percent)));
    }
  }
  return report;
}

int Report::exit_status() const {
  if (verdict.broken()) return 3;
  if (interrupted) return 130;
  if (!invalid.empty()) return 4;
  const bool missed = std::any_of(thresholds.begin(), thresholds.end(), [](const auto& t) { return !t.met; });
  return missed ? 2 : 0;
}

}  // namespace doorbuster::loadlab
