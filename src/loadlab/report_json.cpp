#include <boost/json.hpp>
#include <cmath>

#include "loadlab/report.hpp"

namespace doorbuster::loadlab {
namespace {

/// Three decimals are more than was measured, and keep the file readable.
double rounded(double value) {
  return std::round(value * 1000) / 1000;
}

boost::json::object counts_of(const Tally& tally) {
  boost::json::object outcomes;
  for (std::size_t i = 0; i < kOutcomes; ++i) outcomes[to_text(static_cast<Outcome>(i))] = tally.outcomes[i];
  return outcomes;
}

boost::json::object errors_of(const Tally& tally) {
  boost::json::object errors;
  for (std::size_t i = 0; i < kErrorKinds; ++i) {
    if (tally.errors[i] != 0) errors[to_text(static_cast<ErrorKind>(i))] = tally.errors[i];
  }
  return errors;
}

boost::json::object invariants_of(const Verdict& verdict) {
  boost::json::object object;
  object["held"] = !verdict.broken();
  object["users_with_two_codes"] = verdict.users_with_two_codes;
  object["codes_with_two_users"] = verdict.codes_with_two_users;
  object["sequences_used_twice"] = verdict.sequences_used_twice;
  object["wrong_users"] = verdict.wrong_users;
  object["above_limit"] = verdict.above_limit;
  boost::json::array examples;
  for (const auto& example : verdict.examples) examples.emplace_back(example);
  object["examples"] = std::move(examples);
  return object;
}

}  // namespace

std::string json_report(const Report& report) {
  const auto& [options, run, figures, verdict] = report;
  const auto& tally = run.tally;
  boost::json::object out;
  out["vusers"] = figures.vusers;
  out["duration_s"] = rounded(figures.duration_s);
  out["tps"] = rounded(figures.tps);
  out["peak_tps"] = rounded(figures.peak_tps);
  out["mean_ms"] = rounded(figures.mean_ms);
  out["p50_ms"] = rounded(figures.p50_ms);
  out["p90_ms"] = rounded(figures.p90_ms);
  out["p99_ms"] = rounded(figures.p99_ms);
  out["p999_ms"] = rounded(figures.p999_ms);
  out["max_ms"] = rounded(figures.max_ms);
  out["executed"] = figures.executed;
  out["errors"] = figures.errors;
  out["outcomes"] = counts_of(tally);
  out["errors_by_kind"] = errors_of(tally);
  out["generator_cpu_us_per_request"] = rounded(figures.generator_cpu_us_per_request);
  out["order_inversions"] = verdict.order_inversions;

  out["generator_core_share"] = rounded(figures.generator_core_share);
  out["started_at"] = doorbuster::to_text(run.started_at);
  out["campaign"] = options.campaign;
  out["rate"] = options.rate;
  out["requests_sent"] = tally.requests_sent;
  out["warm_up_requests"] = tally.warm_up_requests;
  out["retries"] = tally.retries;
  out["late_sends"] = tally.late_sends;
  out["missed_sends"] = tally.missed_sends;
  out["invariants"] = invariants_of(verdict);
  boost::json::array thresholds;
  for (const auto& threshold : figures.thresholds) {
    thresholds.push_back(
        {{"threshold", threshold.text}, {"value", rounded(threshold.value)}, {"met", threshold.met}});
  }
  out["thresholds"] = std::move(thresholds);
  boost::json::array warnings;
  for (const auto& warning : figures.warnings) warnings.emplace_back(warning);
  out["warnings"] = std::move(warnings);
  if (figures.invalid.empty()) {
    out["invalid"] = nullptr;
  } else {
    out["invalid"] = figures.invalid;
  }
  out["interrupted"] = run.interrupted;
  boost::json::array seconds;
  for (const auto& second : tally.seconds) {
    seconds.push_back({{"successes", second.successes}, {"errors", second.errors}});
  }
  out["seconds"] = std::move(seconds);
  return boost::json::serialize(out) + "\n";
}

}  // namespace doorbuster::loadlab
