#pragma once
// The figures of a run, and their three forms: text, JSON, one page of HTML.
//
// Definitions. A *test* is one measured request. It is *successful* when the campaign answered it (issued,
// already, sold out, not started, ended, paused, accepted, or a plain 2xx) and an *error* otherwise: no
// reply, a malformed one, or a status such as 503, 429, 404. With these words nGrinder's five figures are
//   Executed Tests   successes and errors
//   Errors           as above
//   TPS              successes with a reply within the measured time, divided by that time
//   Peak TPS         the most successes in one second: [0,1), [1,2) ... whole seconds from the start of the
//                    measured time, at their true width; the whole run counts as a window too, so this is
//                    never below TPS. (nGrinder divides by the nominal width and so errs upwards.)
//   Mean Test Time   mean latency of the successes
// Percentiles and the maximum are of successes and, so that hanging requests do not vanish, of timeouts at
// the time that was waited. Latency counts from the send, in an open loop from the intended send. A request
// that is answered 202 with a `Location` ends with its outcome, which is asked for there with pauses of 10 to
// 100 ms: its latency is the outcome's, pauses and all.

#include <array>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "loadlab/options.hpp"
#include "loadlab/run.hpp"
#include "loadlab/verdict.hpp"

namespace doorbuster::loadlab {

struct ThresholdResult {
  std::string text;
  double value = 0;  ///< in the unit of the threshold
  bool met = false;
};

/// Milliseconds, of the successes with one outcome.
struct OutcomeLatency {
  Outcome outcome = Outcome::issued;
  double p50_ms = 0;
  double p90_ms = 0;
  double p99_ms = 0;
  double p999_ms = 0;
  double max_ms = 0;
};

struct Report {
  // What was asked for.
  std::string targets;
  std::string campaign;
  std::string load;   ///< "closed loop, 100 virtual users, keep-alive"
  std::string users;  ///< "unique, from 1000000001"
  std::uint32_t vusers = 0;
  std::uint32_t threads = 1;
  std::string started_at;

  // What came out.
  double duration_s = 0;
  double tps = 0;
  double peak_tps = 0;
  double mean_ms = 0;
  double p50_ms = 0;
  double p90_ms = 0;
  double p99_ms = 0;
  double p999_ms = 0;
  double max_ms = 0;
  std::vector<OutcomeLatency> latency_by_outcome;  ///< of those that there were, in the order of Outcome
  std::uint64_t executed = 0;
  std::uint64_t errors = 0;
  std::array<std::uint64_t, kOutcomes> outcomes{};
  std::array<std::uint64_t, kErrorKinds> errors_by_kind{};
  double generator_cpu_us_per_request = 0;  ///< the whole process, over all requests of the run
  double busiest_thread = 0;                ///< share of a core
  std::uint64_t warm_up_requests = 0;
  std::uint64_t requests_sent = 0;
  std::uint64_t retries = 0;
  std::uint64_t outcome_asks = 0;  ///< as in Tally; no tests of their own
  bool open_loop = false;
  std::uint64_t late_sends = 0;
  std::uint64_t missed_sends = 0;
  Verdict verdict;
  std::vector<ThresholdResult> thresholds;
  std::vector<std::string> warnings;
  std::string invalid;  ///< why the run says nothing; empty: it is valid
  bool interrupted = false;

  // For the charts.
  std::vector<Second> seconds;
  std::vector<Second> tenths;                            ///< of the first kFineTime
  std::vector<std::pair<double, double>> latency_curve;  ///< per cent, milliseconds

  /// 0 good, 2 threshold missed, 3 invariant broken, 4 invalid, 130 interrupted. A broken invariant is never
  /// hidden behind another status; an interruption goes before the rest.
  int exit_status() const;
};

/// A run is invalid when no reply came; in an open loop, when more than 5 % of the sends were late or never
/// made; and when a generator thread used more than 90 % of its core where the rate is the result: in a
/// closed loop with
/// --duration of two seconds or more. With --requests, in an open loop that kept its schedule, and with
/// `busy_generator_allowed` (only CPU per request matters) the last is a warning.
Report make_report(const Options& options, RunResult&& result);

std::string to_text(const Report& report);
/// The keys are those of the contract, with further ones beside them.
std::string to_json(const Report& report);
/// Complete in itself: no script, no font, no image from elsewhere; light and dark.
std::string to_html(const Report& report);

/// One line for a terminal: rate of the last second, counts since the start.
std::string progress_line(const LiveCounts& before, const LiveCounts& counts);

}  // namespace doorbuster::loadlab
