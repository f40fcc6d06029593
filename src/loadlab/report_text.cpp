#include <fmt/format.h>

#include <iterator>

#include "loadlab/report.hpp"

namespace doorbuster::loadlab {
namespace {

/// 1234567 as "1,234,567".
std::string grouped(std::uint64_t number) {
  auto text = std::to_string(number);
  for (auto at = static_cast<std::ptrdiff_t>(text.size()) - 3; at > 0; at -= 3) {
    text.insert(static_cast<std::size_t>(at), 1, ',');
  }
  return text;
}

std::string rate(double value) {
  return value >= 100 ? grouped(static_cast<std::uint64_t>(value + 0.5)) : fmt::format("{:.1f}", value);
}

std::string ms(double value) {
  if (value >= 1000) return fmt::format("{:.2f} s", value / 1000);
  return value >= 100 ? fmt::format("{:.1f} ms", value) : fmt::format("{:.3f} ms", value);
}

class Lines {
 public:
  void row(std::string_view name, std::string_view value, std::string_view note = {}) {
    fmt::format_to(std::back_inserter(text_), "  {:<18}{:>14}", name, value);
    if (!note.empty()) fmt::format_to(std::back_inserter(text_), "   {}", note);
    text_ += '\n';
  }
  void label(std::string_view name, std::string_view value) {
    fmt::format_to(std::back_inserter(text_), "  {:<10}{}\n", name, value);
  }
  void head(std::string_view title) { fmt::format_to(std::back_inserter(text_), "\n{}\n", title); }
  void line(std::string_view text) { fmt::format_to(std::back_inserter(text_), "  {}\n", text); }
  std::string take() { return std::move(text_); }

 private:
  std::string text_;
};

std::string share(std::uint64_t part, std::uint64_t whole) {
  if (whole == 0) return {};
  return fmt::format("{:5.1f} %", 100.0 * static_cast<double>(part) / static_cast<double>(whole));
}

void write_promises(const Report& report, Lines& out) {
  const auto& verdict = report.verdict;
  out.head("Promises, as far as a client can see them");
  out.row("two codes, one user", grouped(verdict.users_with_two_codes));
  out.row("one code, two users", grouped(verdict.codes_with_two_users));
  out.row("number used twice", grouped(verdict.sequences_used_twice));
  out.row("another's coupon", grouped(verdict.wrong_users));
  out.row("over the limit", grouped(verdict.above_limit));
  out.row("out of order", grouped(verdict.order_inversions),
          "pairs: answered before the other was sent, yet the higher number");
  for (const auto& example : verdict.examples) out.line("! " + example);
}

}  // namespace

std::string to_text(const Report& report) {
  Lines out;
  out.label("target", report.targets);
  out.label("campaign", report.campaign);
  out.label("load", report.load);
  out.label("users", report.users);
  out.head(fmt::format("Measured {:.4g} s{}", report.duration_s, report.interrupted ? ", interrupted" : ""));
  out.row("TPS", rate(report.tps), "successful tests a second");
  out.row("Peak TPS", rate(report.peak_tps), "most in one whole second");
  out.row("Mean Test Time", ms(report.mean_ms), "of successful tests");
  out.row("Executed Tests", grouped(report.executed));
  out.row("Errors", grouped(report.errors), share(report.errors, report.executed));
  out.head(report.open_loop ? "Latency, from the intended send" : "Latency");
  out.row("p50", ms(report.p50_ms));
  out.row("p90", ms(report.p90_ms));
  out.row("p99", ms(report.p99_ms));
  out.row("p99.9", ms(report.p999_ms));
  out.row("max", ms(report.max_ms));
  out.head("Outcomes");
  for (std::size_t i = 0; i < kOutcomes; ++i) {
    if (report.outcomes[i] == 0) continue;
    out.row(to_text(static_cast<Outcome>(i)), grouped(report.outcomes[i]),
            share(report.outcomes[i], report.executed));
  }
  if (report.latency_by_outcome.size() > 1) {
    out.head(
        fmt::format("{:<20}{:>14} {:>14} {:>14} {:>14}", "Latency by outcome", "p50", "p90", "p99", "max"));
    for (const auto& latency : report.latency_by_outcome) {
      out.line(fmt::format("{:<18}{:>14} {:>14} {:>14} {:>14}", to_text(latency.outcome), ms(latency.p50_ms),
                           ms(latency.p90_ms), ms(latency.p99_ms), ms(latency.max_ms)));
    }
  }
  if (report.errors != 0) {
    out.head("Errors by kind");
    for (std::size_t i = 0; i < kErrorKinds; ++i) {
      if (report.errors_by_kind[i] == 0) continue;
      out.row(to_text(static_cast<ErrorKind>(i)), grouped(report.errors_by_kind[i]),
              share(report.errors_by_kind[i], report.executed));
    }
  }
  write_promises(report, out);
  out.head("Generator");
  out.row("CPU per request", fmt::format("{:.2f} us", report.generator_cpu_us_per_request));
  out.row("busiest thread", fmt::format("{:.0f} %", 100 * report.busiest_thread), "of a core");
  if (report.warm_up_requests != 0)
    out.row("warm-up requests", grouped(report.warm_up_requests), "not counted");
  if (report.retries != 0) out.row("asked again", grouped(report.retries));
  if (report.outcome_asks != 0) out.row("asked for outcomes", grouped(report.outcome_asks));
  if (report.open_loop) {
    out.row("late sends", grouped(report.late_sends),
            fmt::format("more than {} ms after the intended time", kLateAfter.count() / 1000));
    out.row("missed sends", grouped(report.missed_sends));
  }
  if (!report.thresholds.empty()) {
    out.head("Thresholds");
    for (const auto& threshold : report.thresholds) {
      out.row(threshold.text, fmt::format("{:.3f}", threshold.value), threshold.met ? "met" : "MISSED");
    }
  }
  if (!report.warnings.empty() || !report.invalid.empty()) out.line("");
  for (const auto& warning : report.warnings) out.line("warning: " + warning);
  if (!report.invalid.empty()) out.line("this run is not valid: " + report.invalid);
  return out.take();
}

std::string progress_line(const LiveCounts& before, const LiveCounts& counts) {
  const auto seconds = static_cast<double>((counts.elapsed - before.elapsed).count()) / 1e6;
  const auto done = counts.successes - before.successes;
  const double mean = done == 0 ? 0
                                : static_cast<double>((counts.success_time - before.success_time).count()) /
                                      1000.0 / static_cast<double>(done);
  return fmt::format("{:>6.0f} s   {:>9} TPS   mean {:>10}   issued {:>11}   errors {:>9}",
                     static_cast<double>(counts.elapsed.count()) / 1e6,
                     rate(seconds <= 0 ? 0 : static_cast<double>(done) / seconds), ms(mean),
                     grouped(counts.issued), grouped(counts.errors));
}

}  // namespace doorbuster::loadlab
