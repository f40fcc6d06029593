#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>

#include "loadlab/chart.hpp"
#include "loadlab/report.hpp"

namespace doorbuster::loadlab {
namespace {

constexpr std::size_t kMostPoints = 200;

constexpr std::string_view kStyle = R"css(
:root{--page:#f6f5f1;--card:#fff;--ink:#1d2324;--soft-ink:#5f6b6d;--rule:#e2e0d8;--accent:#0b6e69;
--good:#1c7a4a;--bad:#b3261e;
--issued:#0b7f6f;--already:#62b5a5;--sold_out:#8c96a3;--not_started:#b9a44c;--ended:#6d7783;
--paused:#d0bd72;--accepted:#5f8fd0;--answered:#3f74b5;
--unavailable:#e08a2c;--limited:#c9622b;--denied:#9c5aa8;--not_found:#7d4f8c;--unexpected:#b3261e}
@media (prefers-color-scheme:dark){:root{--page:#131718;--card:#1c2223;--ink:#e8ecea;--soft-ink:#9aa6a7;
--rule:#2d3536;--accent:#4cc4b6;--good:#5ecb92;--bad:#ff8a80;
--issued:#35b5a2;--already:#1f7468;--sold_out:#77828f;--not_started:#c4b05c;--ended:#59636e;
--paused:#8f8245;--accepted:#7fabe6;--answered:#6a9fe0;
--unavailable:#f0a04a;--limited:#e5814a;--denied:#c08acb;--not_found:#a276b0;--unexpected:#ff8a80}}
*{box-sizing:border-box}
body{margin:0;background:var(--page);color:var(--ink);
font:15px/1.5 system-ui,-apple-system,"Segoe UI",sans-serif;font-variant-numeric:tabular-nums}
main{max-width:1060px;margin:0 auto;padding:36px 20px 60px}
h1{font-size:26px;line-height:1.2;margin:0 0 6px;letter-spacing:-.01em}
h2{font-size:15px;margin:0 0 12px}
.lead{color:var(--soft-ink);margin:0 0 24px;overflow-wrap:anywhere}
.verdict{border-left:4px solid var(--good);background:var(--card);padding:12px 16px;margin:0 0 20px;
border-radius:0 8px 8px 0}
.verdict.bad{border-color:var(--bad)}
.verdict strong{color:var(--good)}.verdict.bad strong{color:var(--bad)}
.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(170px,1fr));gap:12px;margin-bottom:20px}
.tile,.card{background:var(--card);border:1px solid var(--rule);border-radius:10px;padding:16px 18px}
.tile b{display:block;font-size:26px;line-height:1.2;font-weight:600;letter-spacing:-.02em;
white-space:nowrap}
.tile span{color:var(--soft-ink);font-size:13px}
.card{margin-bottom:20px}
.card p{color:var(--soft-ink);font-size:13px;margin:-6px 0 12px}
.pair{display:grid;grid-template-columns:repeat(auto-fit,minmax(320px,1fr));gap:20px;align-items:start;
margin-bottom:20px}.pair .card{margin:0}
svg{display:block;width:100%;height:auto}
.grid{stroke:var(--rule);stroke-width:1}
.tick{fill:var(--soft-ink);font-size:12px}
.line{fill:none;stroke-width:2.2;stroke-linejoin:round;stroke-linecap:round}
.soft{opacity:.13}.area{opacity:.92}
.hover{fill:transparent}.hover:hover{fill:var(--ink);opacity:.07}
.legend{display:flex;flex-wrap:wrap;gap:4px 18px;font-size:13px;color:var(--soft-ink);margin-top:10px}
.legend i{display:inline-block;width:11px;height:11px;border-radius:3px;margin-right:6px;
vertical-align:-1px}
table{border-collapse:collapse;width:100%}
td{padding:5px 0;border-top:1px solid var(--rule)}tr:first-child td{border-top:0}
td+td{text-align:right;white-space:nowrap;padding-left:14px}
.missed{color:var(--bad);font-weight:600}.met{color:var(--good)}
footer{color:var(--soft-ink);font-size:13px}
)css";

std::string number(double value) {
  return value >= 100 ? fmt::format("{:.0f}", value) : fmt::format("{:.1f}", value);
}

std::string grouped(double value) {
  auto text = number(value);
  const auto point = text.find('.');
  auto at = static_cast<std::ptrdiff_t>(point == text.npos ? text.size() : point) - 3;
  for (; at > 0; at -= 3) text.insert(static_cast<std::size_t>(at), "\u202f");
  return text;
}

std::string grouped_count(std::uint64_t value) {
  auto text = std::to_string(value);
  for (auto at = static_cast<std::ptrdiff_t>(text.size()) - 3; at > 0; at -= 3) {
    text.insert(static_cast<std::size_t>(at), "\u202f");
  }
  return text;
}

std::string ms(double value) {
  if (value >= 1000) return fmt::format("{:.2f} s", value / 1000);
  return fmt::format("{:.4g} ms", value);
}

/// Slices of equal length of the measured time, each at its true width.
struct Slices {
  const std::vector<Second>* counts = nullptr;
  std::vector<double> middles;
  std::vector<std::string> names;
  std::vector<std::size_t> begins;  ///< of each slice in `counts`
  std::vector<std::size_t> ends;
  std::vector<double> widths;  ///< seconds
};

Slices slices_of(const Report& report) {
  Slices slices;
  const double fine_s = static_cast<double>(kFineTime.count()) / 1e6;
  const bool fine = report.duration_s <= fine_s && !report.tenths.empty();
  slices.counts = fine ? &report.tenths : &report.seconds;
  const double unit = fine ? static_cast<double>(kTenth.count()) / 1e6 : 1.0;
  const auto count = static_cast<std::size_t>(std::ceil(report.duration_s / unit - 1e-9));
  const auto each = std::max<std::size_t>(1, (count + kMostPoints - 1) / kMostPoints);
  for (std::size_t begin = 0; begin < count; begin += each) {
    const auto end = std::min(begin + each, count);
    const double from = static_cast<double>(begin) * unit;
    const double until = std::min(static_cast<double>(end) * unit, report.duration_s);
    const double width = until - from;
    // A sliver at the end would show the noise of a few milliseconds as a rate.
    if (width < 0.2 * unit && begin != 0) break;
    slices.begins.push_back(begin);
    slices.ends.push_back(end);
    slices.widths.push_back(width);
    slices.middles.push_back((from + until) / 2);
    slices.names.push_back(fmt::format("{:.4g} s to {:.4g} s", from, until));
  }
  return slices;
}

template <class Count>
std::vector<double> rates(const Slices& slices, Count count) {
  std::vector<double> values;
  for (std::size_t i = 0; i < slices.middles.size(); ++i) {
    std::uint64_t sum = 0;
    for (auto at = slices.begins[i]; at < std::min(slices.ends[i], slices.counts->size()); ++at) {
      sum += count((*slices.counts)[at]);
    }
    values.push_back(static_cast<double>(sum) / slices.widths[i]);
  }
  return values;
}

Chart over_time(const Slices& slices) {
  Chart chart;
  chart.positions = slices.middles;
  chart.names = slices.names;
  chart.unit = "/s";
  const auto steps = axis_steps(slices.middles.back(), 8);
  for (const double step : steps) {
    if (step >= slices.middles.front() && step <= slices.middles.back()) {
      chart.ticks.push_back({step, fmt::format("{:g} s", step)});
    }
  }
  if (chart.ticks.empty()) chart.ticks.push_back({slices.middles.front(), slices.names.front()});
  return chart;
}

std::string legend(const Chart& chart) {
  std::string text = "<div class=\"legend\">";
  for (const auto& series : chart.series) {
    text += fmt::format("<span><i style=\"background:var({})\"></i>{}</span>", series.colour,
                        escaped(series.name));
  }
  return text + "</div>\n";
}

void card(std::string& out, std::string_view title, std::string_view note, const std::string& inside) {
  out += fmt::format("<section class=\"card\"><h2>{}</h2>", title);
  if (!note.empty()) out += fmt::format("<p>{}</p>", note);
  out += inside;
  out += "</section>\n";
}

void write_charts(const Report& report, std::string& out) {
  const auto slices = slices_of(report);
  if (!slices.middles.empty()) {
    auto tps = over_time(slices);
    tps.title = "Successful tests a second over time";
    tps.filled = true;
    tps.series.push_back(
        {"TPS", "--accent", rates(slices, [](const Second& second) { return second.successes; })});
    if (report.errors != 0)
      tps.series.push_back(
          {"errors", "--bad", rates(slices, [](const Second& second) { return second.errors; })});
    card(out, "TPS over time", "Successful tests and errors a second, by the time of the reply.",
         to_svg(tps) + legend(tps));
    auto outcomes = over_time(slices);
    outcomes.title = "Outcomes over time";
    outcomes.stacked = true;
    for (std::size_t i = 0; i < kOutcomes; ++i) {
      if (report.outcomes[i] == 0) continue;
      const std::string name(to_text(static_cast<Outcome>(i)));
      outcomes.series.push_back(
          {name, "--" + name, rates(slices, [i](const Second& second) { return second.outcomes[i]; })});
    }
    if (!outcomes.series.empty()) {
      card(out, "Outcomes over time", "What was answered, a second.", to_svg(outcomes) + legend(outcomes));
    }
  }
  if (report.latency_curve.size() > 1) {
    Chart curve;
    curve.title = "Latency by percentile";
    curve.unit = "ms";
    curve.filled = true;
    Series series{"latency", "--accent", {}};
    for (const auto& [percent, value] : report.latency_curve) {
      curve.positions.push_back(-std::log10(1 - percent / 100));
      curve.names.push_back(fmt::format("{:.6g} % took at most", percent));
      series.values.push_back(value);
    }
    curve.series.push_back(std::move(series));
    for (const double percent : {0.0, 50.0, 90.0, 99.0, 99.9, 99.99}) {
      const double at = -std::log10(1 - percent / 100);
      if (at <= curve.positions.back() + 1e-9) curve.ticks.push_back({at, fmt::format("{:g} %", percent)});
    }
    card(out, "Latency by percentile",
         "Milliseconds. Each step to the right leaves a tenth of the requests: the tail takes as much room "
         "as the middle.",
         to_svg(curve));
  }
}

void row(std::string& out, std::string_view name, const std::string& value, std::string_view style = {}) {
  out += fmt::format("<tr><td>{}</td><td class=\"{}\">{}</td></tr>", escaped(name), style, escaped(value));
}

std::string count_table(const Report& report) {
  std::string out = "<table>";
  const auto with_share = [&](std::uint64_t count) {
    return fmt::format("{}  ({:.1f} %)", grouped_count(count),
                       100.0 * static_cast<double>(count) /
                           static_cast<double>(std::max<std::uint64_t>(report.executed, 1)));
  };
  for (std::size_t i = 0; i < kOutcomes; ++i) {
    if (report.outcomes[i] != 0) row(out, to_text(static_cast<Outcome>(i)), with_share(report.outcomes[i]));
  }
  for (std::size_t i = 0; i < kErrorKinds; ++i) {
    if (report.errors_by_kind[i] == 0) continue;
    row(out, fmt::format("error: {}", to_text(static_cast<ErrorKind>(i))),
        with_share(report.errors_by_kind[i]), "missed");
  }
  return out + "</table>";
}

std::string latency_table(const Report& report) {
  std::string out = "<table>";
  row(out, "mean of successes", ms(report.mean_ms));
  row(out, "p50", ms(report.p50_ms));
  row(out, "p90", ms(report.p90_ms));
  row(out, "p99", ms(report.p99_ms));
  row(out, "p99.9", ms(report.p999_ms));
  row(out, "max", ms(report.max_ms));
  if (report.latency_by_outcome.size() > 1) {
    for (const auto& latency : report.latency_by_outcome) {
      row(out, fmt::format("{}: p50, p99, max", to_text(latency.outcome)),
          fmt::format("{}, {}, {}", ms(latency.p50_ms), ms(latency.p99_ms), ms(latency.max_ms)));
    }
  }
  return out + "</table>";
}

std::string promise_table(const Report& report) {
  const auto& verdict = report.verdict;
  std::string out = "<table>";
  const auto count = [&](std::string_view name, std::uint64_t value) {
    row(out, name, grouped_count(value), value == 0 ? "met" : "missed");
  };
  count("one user, two codes", verdict.users_with_two_codes);
  count("one code, two users", verdict.codes_with_two_users);
  count("one number, two coupons", verdict.sequences_used_twice);
  count("coupon of another user", verdict.wrong_users);
  count("number over the limit", verdict.above_limit);
  row(out, "pairs answered earlier, numbered later", grouped_count(verdict.order_inversions));
  return out + "</table>";
}

std::string generator_table(const Report& report) {
  std::string out = "<table>";
  row(out, "CPU per request", fmt::format("{:.2f} µs", report.generator_cpu_us_per_request));
  row(out, "busiest thread", fmt::format("{:.0f} % of a core", 100 * report.busiest_thread));
  row(out, "warm-up requests", grouped_count(report.warm_up_requests));
  row(out, "asked again", grouped_count(report.retries));
  if (report.outcome_asks != 0) row(out, "asked for outcomes", grouped_count(report.outcome_asks));
  if (report.open_loop) {
    row(out, "late sends", grouped_count(report.late_sends));
    row(out, "missed sends", grouped_count(report.missed_sends));
  }
  return out + "</table>";
}

void write_verdict(const Report& report, std::string& out) {
  std::vector<std::string> faults;
  for (const auto& example : report.verdict.examples) faults.push_back(example);
  if (!report.invalid.empty()) faults.push_back("not valid: " + report.invalid);
  for (const auto& threshold : report.thresholds) {
    if (!threshold.met)
      faults.push_back(fmt::format("threshold {} missed: {:.3f}", threshold.text, threshold.value));
  }
  if (report.interrupted) faults.emplace_back("interrupted");
  const bool bad = !faults.empty();
  out += fmt::format("<div class=\"verdict{}\"><strong>{}</strong>", bad ? " bad" : "",
                     bad ? fmt::format("Exit status {}", report.exit_status())
                         : "No promise was seen broken, no threshold missed");
  for (const auto& fault : faults) out += "<br>" + escaped(fault);
  for (const auto& warning : report.warnings) out += "<br>Warning: " + escaped(warning);
  out += "</div>\n";
}

void tile(std::string& out, const std::string& value, std::string_view name) {
  out += fmt::format("<div class=\"tile\"><b>{}</b><span>{}</span></div>", value, name);
}

}  // namespace

std::string to_html(const Report& report) {
  std::string out =
      "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
      "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">"
      "<meta name=\"color-scheme\" content=\"light dark\">";
  out += fmt::format("<title>{:.0f} TPS, campaign {}</title><style>{}</style></head><body><main>\n",
                     report.tps, escaped(report.campaign), kStyle);
  out += fmt::format("<h1>Load on campaign {}</h1><p class=\"lead\">{} · {} · {:.1f} s from {}</p>\n",
                     escaped(report.campaign), escaped(report.targets), escaped(report.load),
                     report.duration_s, escaped(report.started_at));
  write_verdict(report, out);
  out += "<div class=\"tiles\">";
  tile(out, grouped(report.tps), "TPS");
  tile(out, grouped(report.peak_tps), "Peak TPS");
  tile(out, ms(report.mean_ms), "Mean Test Time");
  tile(out, grouped_count(report.executed), "Executed Tests");
  tile(out, grouped_count(report.errors), "Errors");
  out += "</div>\n";
  write_charts(report, out);
  out += "<div class=\"pair\">";
  card(out, "Outcomes", {}, count_table(report));
  card(out, "Latency", {}, latency_table(report));
  card(out, "Promises, as a client sees them", {}, promise_table(report));
  card(out, "Generator", {}, generator_table(report));
  if (!report.thresholds.empty()) {
    std::string table = "<table>";
    for (const auto& threshold : report.thresholds) {
      row(table, threshold.text, fmt::format("{:.3f} {}", threshold.value, threshold.met ? "met" : "missed"),
          threshold.met ? "met" : "missed");
    }
    card(out, "Thresholds", {}, table + "</table>");
  }
  out +=
      "</div>\n<footer>TPS counts successful tests: every answer of the campaign, a refusal included. Peak "
      "TPS is the "
      "most in one whole second. Mean Test Time is of successful tests; percentiles count timeouts as "
      "well.</footer>"
      "</main></body></html>\n";
  return out;
}

}  // namespace doorbuster::loadlab
