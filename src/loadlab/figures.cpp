#include "loadlab/figures.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace doorbuster::loadlab {
namespace {

/// Below, start-up is a large part of the run and the generator's share means nothing.
constexpr Duration kShortestToJudge = std::chrono::seconds(2);

double milliseconds(Duration time) {
  return static_cast<double>(time.count()) / 1000.0;
}

double seconds(Duration time) {
  return static_cast<double>(time.count()) / 1e6;
}

double peak_of(const RunResult& run, double mean_rate) {
  const auto whole = static_cast<std::size_t>((run.window.until - run.window.from) / std::chrono::seconds(1));
  if (whole == 0) return mean_rate;
  std::uint64_t most = 0;
  for (std::size_t i = 0; i < std::min(whole, run.tally.seconds.size()); ++i) {
    most = std::max(most, run.tally.seconds[i].successes);
  }
  return static_cast<double>(most);
}

double value_of(const Figures& figures, Figure figure, std::uint64_t issued) {
  switch (figure) {
    case Figure::tps:
      return figures.tps;
    case Figure::peak_tps:
      return figures.peak_tps;
    case Figure::mean:
      return figures.mean_ms;
    case Figure::p50:
      return figures.p50_ms;
    case Figure::p90:
      return figures.p90_ms;
    case Figure::p99:
      return figures.p99_ms;
    case Figure::p999:
      return figures.p999_ms;
    case Figure::max:
      return figures.max_ms;
    case Figure::errors:
      return static_cast<double>(figures.errors);
    case Figure::error_rate:
      return figures.executed == 0
                 ? 100.0
                 : 100.0 * static_cast<double>(figures.errors) / static_cast<double>(figures.executed);
    case Figure::issued:
      return static_cast<double>(issued);
  }
  return 0;
}

void judge_validity(const Options& options, const RunResult& run, bool busy_generator_allowed,
                    Figures& figures) {
  const auto& tally = run.tally;
  if (!run.never_connected.empty()) {
    figures.invalid = fmt::format("the target never answered: {}", run.never_connected);
  } else if (tally.replies == 0 && !run.interrupted) {
    figures.invalid = "the target never answered: not one reply came";
  } else if (tally.unequal_starts != 0) {
    figures.invalid = fmt::format("{} of {} virtual users had no connection at the start",
                                  tally.unequal_starts, options.vusers);
  }
  if (run.busiest_thread > kBusyGenerator) {
    const auto text = fmt::format(
        "the generator used {:.0f} % of its core: rate and latency are its own, not the target's (more "
        "--threads, "
        "or a --rate)",
        100 * run.busiest_thread);
    const bool judged = options.duration && *options.duration >= kShortestToJudge && !busy_generator_allowed;
    if (judged && figures.invalid.empty()) {
      figures.invalid = text;
    } else {
      figures.warnings.push_back(text);
    }
  }
  if (tally.late_sends != 0) {
    figures.warnings.push_back(
        fmt::format("{} requests were sent more than {} ms after their time; their latency "
                    "counts from the intended time all the same",
                    tally.late_sends, kLateAfter / std::chrono::milliseconds(1)));
  }
  if (tally.missed_sends != 0) {
    figures.warnings.push_back(fmt::format(
        "{} requests were due and never sent: all virtual users were waiting for replies (more --vusers?)",
        tally.missed_sends));
  }
}

}  // namespace

bool Figures::thresholds_met() const {
  return std::all_of(thresholds.begin(), thresholds.end(), [](const auto& result) { return result.met; });
}

Figures make_figures(const Options& options, const RunResult& run, bool busy_generator_allowed) {
  const auto& tally = run.tally;
  Figures figures;
  figures.vusers = options.vusers;
  figures.executed = tally.executed();
  figures.errors = tally.error_count();
  figures.duration_s = seconds(run.window.until - run.window.from);
  // A run of one instant has a rate, too: by the microsecond that the clock can tell.
  const auto length = std::max(figures.duration_s, 1e-6);
  figures.tps = static_cast<double>(tally.successes_in_window) / length;
  figures.peak_tps = peak_of(run, figures.tps);
  if (tally.successes != 0) {
    figures.mean_ms = milliseconds(tally.success_time) / static_cast<double>(tally.successes);
  }
  figures.p50_ms = milliseconds(tally.latency.percentile(50));
  figures.p90_ms = milliseconds(tally.latency.percentile(90));
  figures.p99_ms = milliseconds(tally.latency.percentile(99));
  figures.p999_ms = milliseconds(tally.latency.percentile(99.9));
  figures.max_ms = milliseconds(tally.latency.max());
  figures.generator_core_share = run.busiest_thread;
  if (tally.requests_sent != 0) {
    figures.generator_cpu_us_per_request =
        static_cast<double>(run.cpu.count()) / static_cast<double>(tally.requests_sent);
  }
  const auto issued = tally.outcomes[static_cast<std::size_t>(Outcome::issued)];
  for (const auto& threshold : options.thresholds) {
    const auto value = value_of(figures, threshold.figure, issued);
    figures.thresholds.push_back({threshold.text, value, threshold.met(value)});
  }
  judge_validity(options, run, busy_generator_allowed, figures);
  return figures;
}

int exit_status(const Figures& figures, const Verdict& verdict, bool interrupted) {
  if (verdict.broken()) return kInvariantBroken;
  if (interrupted) return kInterrupted;
  if (!figures.invalid.empty()) return kRunInvalid;
  return figures.thresholds_met() ? kGood : kThresholdMissed;
}

}  // namespace doorbuster::loadlab
