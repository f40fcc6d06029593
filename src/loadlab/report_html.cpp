#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>

#include "loadlab/report.hpp"
#include "loadlab/svg_chart.hpp"

namespace doorbuster::loadlab {
namespace {

constexpr std::string_view kStyle = R"(
:root{--page:#f7f7f5;--card:#fff;--ink:#1c1f23;--soft:#6a7078;--line:#e3e4e0;--a:#2563a8;--b:#c2571a;--c:#3b8a5a;
--d:#8a5aa8;--e:#b83a4b;--f:#8a8f96}
@media(prefers-color-scheme:dark){:root{--page:#15171a;--card:#1d2024;--ink:#e8e9ea;--soft:#9aa0a8;--line:#30343a;
--a:#6aa9e9;--b:#e99a5f;--c:#6cc18f;--d:#bd93d8;--e:#e97a88;--f:#868c94}}
*{box-sizing:border-box}body{margin:0;background:var(--page);color:var(--ink);font:15px/1.5 system-ui,sans-serif}
main{max-width:1000px;margin:0 auto;padding:32px 20px 48px}h1{font-size:22px;margin:0}h2{font-size:15px;margin:0 0 8px}
p{margin:4px 0}.soft{color:var(--soft)}.tiles{display:grid;gap:12px;margin:20px 0;
grid-template-columns:repeat(auto-fit,minmax(170px,1fr))}.tile,.card{background:var(--card);border:1px solid var(--line);
border-radius:8px;padding:14px 16px}.tile b{display:block;font-size:24px;font-weight:600;font-variant-numeric:tabular-nums}
.tile span{color:var(--soft);font-size:13px}.card{margin:12px 0;overflow-x:auto}.pair{display:grid;gap:12px;
grid-template-columns:repeat(auto-fit,minmax(300px,1fr))}.pair .card{margin:0}svg{width:100%;height:auto;display:block}
svg text{fill:var(--soft);font:11px system-ui,sans-serif}table{border-collapse:collapse;width:100%;
font-variant-numeric:tabular-nums}td,th{padding:4px 0;border-bottom:1px solid var(--line);text-align:left;font-weight:400}
td:last-child{text-align:right}tr:last-child>*{border:0}.bad{color:var(--e);font-weight:600}.good{color:var(--c)}
.key{display:inline-block;margin-right:14px;font-size:13px;color:var(--soft)}.key i{display:inline-block;width:10px;
height:10px;border-radius:2px;margin-right:5px}
)";

std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      default:
        out += c;
    }
  }
  return out;
}

std::string tile(std::string_view name, const std::string& value) {
  return fmt::format("<div class=\"tile\"><b>{}</b><span>{}</span></div>", value, name);
}

std::string row(std::string_view name, const std::string& value) {
  return fmt::format("<tr><th>{}</th><td>{}</td></tr>", escaped(name), escaped(value));
}

/// The whole seconds of the measured time: a last one that was cut off would look like a breakdown.
std::size_t whole_seconds(const RunResult& run) {
  const auto length =
      static_cast<std::size_t>((run.window.until - run.window.from) / std::chrono::seconds(1));
  return std::min(length, run.tally.seconds.size());
}

Series rate_series(const RunResult& run, std::string name, std::string colour,
                   std::uint64_t (*value)(const Second&)) {
  Series series{std::move(name), std::move(colour), {}};
  for (std::size_t i = 0; i < whole_seconds(run); ++i) {
    series.points.push_back({static_cast<double>(i) + 0.5, static_cast<double>(value(run.tally.seconds[i]))});
  }
  return series;
}

std::vector<Series> outcome_series(const RunResult& run) {
  static constexpr std::array<const char*, 6> kColours = {"--c", "--a", "--f", "--b", "--d", "--e"};
  std::vector<Series> all;
  for (std::size_t o = 0; o < kOutcomes; ++o) {
    if (run.tally.outcomes[o] == 0) continue;
    Series series{std::string(to_text(static_cast<Outcome>(o))), kColours[all.size() % kColours.size()], {}};
    for (std::size_t i = 0; i < whole_seconds(run); ++i) {
      series.points.push_back(
          {static_cast<double>(i) + 0.5, static_cast<double>(run.tally.seconds[i].outcomes[o])});
    }
    all.push_back(std::move(series));
  }
  return all;
}

/// The usual picture of a tail: each step to the right is ten times rarer.
Series percentile_series(const Tally& tally) {
  Series series{"latency", "--a", {}};
  if (tally.latency.count() == 0) return series;
  const auto nines = std::clamp(std::log10(static_cast<double>(tally.latency.count())), 1.0, 5.0);
  for (int i = 0; i <= 100; ++i) {
    const auto x = nines * i / 100;
    const auto value = tally.latency.percentile(100 * (1 - std::pow(10, -x)));
    series.points.push_back({x, static_cast<double>(value.count()) / 1000.0});
  }
  return series;
}

std::string card(const std::string& title, const std::string& body) {
  return fmt::format("<section class=\"card\"><h2>{}</h2>{}</section>", title, body);
}

std::string legend(const std::vector<Series>& all) {
  std::string out = "<p>";
  for (const auto& series : all) {
    out += fmt::format("<span class=\"key\"><i style=\"background:var({})\"></i>{}</span>", series.colour,
                       escaped(series.name));
  }
  return out + "</p>";
}

std::string charts(const Report& report) {
  const auto& run = report.run;
  std::string out;
  if (whole_seconds(run) >= 2) {
    const std::vector<Series> rates = {
        rate_series(run, "successes", "--a", [](const Second& second) { return second.successes; }),
        rate_series(run, "errors", "--e", [](const Second& second) { return second.errors; })};
    ChartAxes axes;
    axes.x_title = "seconds";
    axes.y_title = "a second";
    out += card("TPS over time", legend(rates) + line_chart(rates, axes));
    const auto outcomes = outcome_series(run);
    out += card("Outcomes over time", legend(outcomes) + line_chart(outcomes, axes));
  }
  ChartAxes axes;
  axes.x_title = "percentile";
  axes.y_title = "ms";
  axes.x_labels = {{0, "0"}, {1, "90 %"}, {2, "99 %"}, {3, "99.9 %"}, {4, "99.99 %"}, {5, "99.999 %"}};
  out += card("Latency by percentile", line_chart({percentile_series(run.tally)}, axes));
  return out;
}

std::string tables(const Report& report) {
  const auto& [options, run, figures, verdict] = report;
  std::string outcomes;
  for (std::size_t i = 0; i < kOutcomes; ++i) {
    if (run.tally.outcomes[i] != 0) {
      outcomes += row(to_text(static_cast<Outcome>(i)), std::to_string(run.tally.outcomes[i]));
    }
  }
  for (std::size_t i = 0; i < kErrorKinds; ++i) {
    if (run.tally.errors[i] != 0) {
      outcomes += row(fmt::format("error: {}", to_text(static_cast<ErrorKind>(i))),
                      std::to_string(run.tally.errors[i]));
    }
  }
  std::string rest =
      row("p50 / p90", fmt::format("{:.2f} / {:.2f} ms", figures.p50_ms, figures.p90_ms)) +
      row("p99 / p99.9", fmt::format("{:.2f} / {:.2f} ms", figures.p99_ms, figures.p999_ms)) +
      row("max", fmt::format("{:.2f} ms", figures.max_ms)) +
      row("order inversions", std::to_string(verdict.order_inversions)) +
      row("generator CPU per request", fmt::format("{:.2f} us", figures.generator_cpu_us_per_request)) +
      row("busiest generator thread", fmt::format("{:.0f} %", 100 * figures.generator_core_share));
  for (const auto& threshold : figures.thresholds) {
    rest += fmt::format("<tr><th>{}</th><td class=\"{}\">{} ({:.2f})</td></tr>", escaped(threshold.text),
                        threshold.met ? "good" : "bad", threshold.met ? "met" : "missed", threshold.value);
  }
  return fmt::format("<div class=\"pair\">{}{}</div>", card("Outcomes", "<table>" + outcomes + "</table>"),
                     card("Figures", "<table>" + rest + "</table>"));
}

std::string notices(const Report& report) {
  std::string out;
  const auto line = [&](const char* kind, const std::string& text) {
    out += fmt::format("<p class=\"{}\">{}</p>", kind, escaped(text));
  };
  if (report.verdict.broken()) line("bad", "An invariant is broken:");
  for (const auto& example : report.verdict.examples) line("bad", example);
  if (!report.figures.invalid.empty()) line("bad", "Run invalid: " + report.figures.invalid);
  if (report.run.interrupted) line("bad", "Interrupted: the figures are of the time until then.");
  for (const auto& warning : report.figures.warnings) line("soft", "Warning: " + warning);
  return out;
}

}  // namespace

std::string html_report(const Report& report) {
  const auto& [options, run, figures, verdict] = report;
  std::string targets;
  for (const auto& target : options.targets) targets += (targets.empty() ? "" : ", ") + target.authority;
  std::string out =
      "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">"
      "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">"
      "<meta name=\"color-scheme\" content=\"light dark\"><title>Load test</title><style>";
  out += kStyle;
  fmt::format_to(
      std::back_inserter(out),
      "</style></head><body><main><h1>Load test of campaign {}</h1><p class=\"soft\">{} virtual users, {}, "
      "{} "
      "&middot; {} &middot; {:.1f} s measured</p>{}",
      escaped(options.campaign), options.vusers,
      options.rate > 0 ? fmt::format("open loop at {:.0f}/s", options.rate) : std::string("closed loop"),
      escaped(targets), doorbuster::to_text(run.started_at), figures.duration_s, notices(report));
  out += "<div class=\"tiles\">" + tile("TPS", fmt::format("{:.0f}", figures.tps)) +
         tile("Peak TPS (one second)", fmt::format("{:.0f}", figures.peak_tps)) +
         tile("Mean Test Time", fmt::format("{:.2f} ms", figures.mean_ms)) +
         tile("Executed Tests", std::to_string(figures.executed)) +
         tile("Errors", std::to_string(figures.errors)) + "</div>";
  out += charts(report) + tables(report);
  out +=
      "<p class=\"soft\">Mean Test Time is over successes. Percentiles include timeouts at the time waited. "
      "An order "
      "inversion is a pair of coupons where one was answered before the other was asked for, and has the "
      "higher "
      "number.</p></main></body></html>\n";
  return out;
}

}  // namespace doorbuster::loadlab
