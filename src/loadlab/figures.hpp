#pragma once
// The figures of a finished run, as all reports show them, and the exit status that follows from them.
//
// nGrinder's five, by its definitions:
//  Executed Tests  measured tests that ended: successes + errors
//  Errors          tests without an answer of the campaign: no reply, a reply that is no HTTP, or a status
//  such
//                  as 503, 429, 404. A refusal (sold out, ended, ...) is an answer.
//  TPS             successes within the measured time, divided by its length
//  Peak TPS        the most successes in one of the whole seconds that the measured time consists of, counted
//                  from its start (nGrinder divides late windows by their nominal width; these are exact)
//  Mean Test Time  over the successes only
// Percentiles are over the successes and, so that they do not flatter, over timeouts at the time waited.

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "loadlab/load_run.hpp"
#include "loadlab/options.hpp"
#include "loadlab/verdict.hpp"

namespace doorbuster::loadlab {

struct ThresholdResult {
  std::string text;
  double value = 0;  ///< milliseconds, per cent or a plain number
  bool met = false;
};

struct Figures {
  std::uint32_t vusers = 0;
  double duration_s = 0;
  double tps = 0;
  double peak_tps = 0;
  double mean_ms = 0;
  double p50_ms = 0;
  double p90_ms = 0;
  double p99_ms = 0;
  double p999_ms = 0;
  double max_ms = 0;
  std::uint64_t executed = 0;
  std::uint64_t errors = 0;
  double generator_cpu_us_per_request = 0;  ///< of the whole process, warm-up included on both sides
  double generator_core_share = 0;          ///< of the busiest generator thread
  std::vector<ThresholdResult> thresholds;
  std::vector<std::string> warnings;
  std::string invalid;  ///< why the run says nothing about the target; empty: it does

  bool thresholds_met() const;
};

/// A generator thread that used more of its core than this had no room left.
inline constexpr double kBusyGenerator = 0.9;

/// When a run is invalid: no reply came at all; not every virtual user could be connected before the start;
/// or the generator was the bottleneck. The last is judged only where a rate is the result: with --duration
/// of at least two seconds, and not when `busy_generator_allowed` says that only CPU per request matters.
/// Everywhere else it is a warning.
Figures make_figures(const Options& options, const RunResult& run, bool busy_generator_allowed);

enum ExitStatus : int {
  kGood = 0,
  kUsage = 1,
  kThresholdMissed = 2,
  kInvariantBroken = 3,
  kRunInvalid = 4,
  kInterrupted = 130
};

/// A broken invariant outweighs everything; then an interruption, an invalid run, a missed threshold.
int exit_status(const Figures& figures, const Verdict& verdict, bool interrupted);

}  // namespace doorbuster::loadlab
