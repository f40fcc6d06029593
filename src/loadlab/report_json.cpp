#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <cmath>

#include "loadlab/report.hpp"

namespace doorbuster::loadlab {
namespace {

namespace json = boost::json;

/// Three digits behind the point are what the histogram can tell.
double rounded(double value) {
  return std::round(value * 1000) / 1000;
}

}  // namespace

std::string to_json(const Report& report) {
  json::object out;
  out["target"] = report.targets;
  out["campaign"] = report.campaign;
  out["load"] = report.load;
  out["users"] = report.users;
  out["started_at"] = report.started_at;
  out["vusers"] = report.vusers;
  out["threads"] = report.threads;
  out["duration_s"] = rounded(report.duration_s);
  out["tps"] = rounded(report.tps);
  out["peak_tps"] = rounded(report.peak_tps);
  out["mean_ms"] = rounded(report.mean_ms);
  out["p50_ms"] = rounded(report.p50_ms);
  out["p90_ms"] = rounded(report.p90_ms);
  out["p99_ms"] = rounded(report.p99_ms);
  out["p999_ms"] = rounded(report.p999_ms);
  out["max_ms"] = rounded(report.max_ms);
  out["executed"] = report.executed;
  out["errors"] = report.errors;
  json::object outcomes;
  for (std::size_t i = 0; i < kOutcomes; ++i) {
    outcomes[to_text(static_cast<Outcome>(i))] = report.outcomes[i];
  }
  out["outcomes"] = std::move(outcomes);
  json::object by_outcome;
  for (const auto& latency : report.latency_by_outcome) {
    by_outcome[to_text(latency.outcome)] = json::object{{"p50_ms", rounded(latency.p50_ms)},
                                                        {"p90_ms", rounded(latency.p90_ms)},
                                                        {"p99_ms", rounded(latency.p99_ms)},
                                                        {"p999_ms", rounded(latency.p999_ms)},
                                                        {"max_ms", rounded(latency.max_ms)}};
  }
  out["latency_by_outcome"] = std::move(by_outcome);
  json::object kinds;
  for (std::size_t i = 0; i < kErrorKinds; ++i) {
    if (report.errors_by_kind[i] != 0) kinds[to_text(static_cast<ErrorKind>(i))] = report.errors_by_kind[i];
  }
  out["errors_by_kind"] = std::move(kinds);
  out["generator_cpu_us_per_request"] = rounded(report.generator_cpu_us_per_request);
  out["generator_busiest_thread"] = rounded(report.busiest_thread);
  out["order_inversions"] = report.verdict.order_inversions;
  out["broken"] =
      json::object{{"users_with_two_codes", report.verdict.users_with_two_codes},
                   {"codes_with_two_users", report.verdict.codes_with_two_users},
                   {"sequences_used_twice", report.verdict.sequences_used_twice},
                   {"wrong_users", report.verdict.wrong_users},
                   {"above_limit", report.verdict.above_limit},
                   {"examples", json::array(report.verdict.examples.begin(), report.verdict.examples.end())}};
  out["requests_sent"] = report.requests_sent;
  out["warm_up_requests"] = report.warm_up_requests;
  out["retries"] = report.retries;
  out["outcome_asks"] = report.outcome_asks;
  out["late_sends"] = report.late_sends;
  out["missed_sends"] = report.missed_sends;
  json::array thresholds;
  for (const auto& threshold : report.thresholds) {
    thresholds.push_back(json::object{
        {"threshold", threshold.text}, {"value", rounded(threshold.value)}, {"met", threshold.met}});
  }
  out["thresholds"] = std::move(thresholds);
  out["warnings"] = json::array(report.warnings.begin(), report.warnings.end());
  out["invalid"] = report.invalid.empty() ? json::value(nullptr) : json::value(report.invalid);
  out["interrupted"] = report.interrupted;
  out["exit_status"] = report.exit_status();
  return json::serialize(out) + "\n";
}

}  // namespace doorbuster::loadlab
