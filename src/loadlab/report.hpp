#pragma once
// The same run as text for a terminal, as JSON for scripts, and as one page of HTML for people.

#include <string>

#include "loadlab/figures.hpp"

namespace doorbuster::loadlab {

/// Everything that a report shows. The parts outlive the call.
struct Report {
  const Options& options;
  const RunResult& run;
  const Figures& figures;
  const Verdict& verdict;
};

/// Aligned lines for a terminal.
std::string text_report(const Report& report);

/// One object with the keys of the contract (vusers, duration_s, tps, peak_tps, mean_ms, p50_ms, p90_ms,
/// p99_ms, p999_ms, max_ms, executed, errors, outcomes, errors_by_kind, generator_cpu_us_per_request,
/// order_inversions), and beside them what else is known. Outcomes that did not occur are 0, kinds of errors
/// that did not are absent.
std::string json_report(const Report& report);

/// One file that needs nothing else: charts as SVG, light and dark by the reader's setting.
std::string html_report(const Report& report);

/// The line that a terminal shows while the run goes on. \param since what was known a second before
std::string progress_line(const Options& options, const LiveCounts& counts, const LiveCounts& since);

}  // namespace doorbuster::loadlab
