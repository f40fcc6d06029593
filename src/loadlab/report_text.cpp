#include <fmt/format.h>

#include <iterator>

#include "loadlab/report.hpp"

namespace doorbuster::loadlab {
namespace {

/// 1234567 as 1,234,567.
std::string grouped(std::uint64_t number) {
  const auto digits = std::to_string(number);
  std::string text;
  for (std::size_t i = 0; i < digits.size(); ++i) {
    if (i != 0 && (digits.size() - i) % 3 == 0) text += ',';
    text += digits[i];
  }
  return text;
}

std::string grouped(double number) {
  if (number >= 1000) return grouped(static_cast<std::uint64_t>(number + 0.5));
  return fmt::format("{:.1f}", number);
}

std::string load_text(const Options& options) {
  std::string text = fmt::format("{} virtual user{}, ", options.vusers, options.vusers == 1 ? "" : "s");
  if (options.rate > 0) {
    text += fmt::format("open loop at {} requests/s", grouped(options.rate));
  } else {
    text += "closed loop";
  }
  text += options.connections == Connections::keep_alive ? ", keep-alive" : ", a connection per request";
  if (options.asks_per_user > 1) text += fmt::format(", every user asks {} times", options.asks_per_user);
  return text;
}

std::string share(std::uint64_t part, std::uint64_t whole) {
  return whole == 0
             ? ""
             : fmt::format("{:6.2f} %", 100.0 * static_cast<double>(part) / static_cast<double>(whole));
}

void append_invariants(const Verdict& verdict, std::string& out) {
  auto at = std::back_inserter(out);
  if (!verdict.broken()) {
    out += "\n  Invariants          all held, as far as a client can see\n";
  } else {
    out += "\n  INVARIANT BROKEN\n";
    const auto row = [&](const char* what, std::uint64_t count) {
      if (count != 0) fmt::format_to(at, "    {:<34}{:>12}\n", what, grouped(count));
    };
    row("users with two codes", verdict.users_with_two_codes);
    row("codes with two users", verdict.codes_with_two_users);
    row("numbers given to two coupons", verdict.sequences_used_twice);
    row("coupons of somebody else", verdict.wrong_users);
    row("replies with a number over the limit", verdict.above_limit);
    for (const auto& example : verdict.examples) fmt::format_to(at, "      {}\n", example);
  }
  fmt::format_to(
      at, "  Order inversions {:>14}   pairs: answered before the other was sent, yet the higher number\n",
      grouped(verdict.order_inversions));
}

}  // namespace

std::string text_report(const Report& report) {
  const auto& [options, run, figures, verdict] = report;
  const auto& tally = run.tally;
  std::string out;
  auto at = std::back_inserter(out);
  fmt::format_to(at, "\n  {} -> {}{}, campaign {}\n\n", load_text(options), options.targets.front().authority,
                 options.targets.size() > 1 ? fmt::format(" and {} more", options.targets.size() - 1) : "",
                 options.campaign);
  const auto row = [&](const char* name, const std::string& value, const char* meaning) {
    fmt::format_to(at, "  {:<17}{:>14}   {}\n", name, value, meaning);
  };
  row("TPS", grouped(figures.tps), "successes a second of the measured time");
  row("Peak TPS", grouped(figures.peak_tps), "most successes in one second");
  row("Mean Test Time", fmt::format("{:.2f} ms", figures.mean_ms), "of the successes");
  row("Executed Tests", grouped(figures.executed), "successes and errors");
  row("Errors", grouped(figures.errors), "no reply, or no answer of the campaign");
  row("Run time", fmt::format("{:.2f} s", figures.duration_s), "measured; warm-up not counted");

  fmt::format_to(at, "\n  Latency (ms){:>12}{:>11}{:>11}{:>11}{:>11}\n", "p50", "p90", "p99", "p99.9", "max");
  fmt::format_to(at, "              {:>10.2f}{:>11.2f}{:>11.2f}{:>11.2f}{:>11.2f}\n", figures.p50_ms,
                 figures.p90_ms, figures.p99_ms, figures.p999_ms, figures.max_ms);

  out += "\n  Outcomes\n";
  for (std::size_t i = 0; i < kOutcomes; ++i) {
    if (tally.outcomes[i] == 0) continue;
    fmt::format_to(at, "    {:<15}{:>14}   {}\n", to_text(static_cast<Outcome>(i)),
                   grouped(tally.outcomes[i]), share(tally.outcomes[i], figures.executed));
  }
  if (figures.errors != 0) out += "\n  Errors by kind\n";
  for (std::size_t i = 0; i < kErrorKinds; ++i) {
    if (tally.errors[i] == 0) continue;
    fmt::format_to(at, "    {:<15}{:>14}   {}\n", to_text(static_cast<ErrorKind>(i)),
                   grouped(tally.errors[i]), share(tally.errors[i], figures.executed));
  }
  append_invariants(verdict, out);
  fmt::format_to(
      at, "\n  Generator         {:>10.2f} us  CPU per request sent; busiest thread {:.0f} % of its core\n",
      figures.generator_cpu_us_per_request, 100 * figures.generator_core_share);
  if (tally.warm_up_requests != 0) {
    fmt::format_to(at, "  Warm-up          {:>14}   requests, not counted above\n",
                   grouped(tally.warm_up_requests));
  }
  if (!figures.thresholds.empty()) out += "\n  Thresholds\n";
  for (const auto& threshold : figures.thresholds) {
    fmt::format_to(at, "    {:<6} {:<20} {:.2f}\n", threshold.met ? "met" : "MISSED", threshold.text,
                   threshold.value);
  }
  for (const auto& warning : figures.warnings) fmt::format_to(at, "\n  Warning: {}\n", warning);
  if (!figures.invalid.empty()) fmt::format_to(at, "\n  RUN INVALID: {}\n", figures.invalid);
  if (run.interrupted) out += "\n  Interrupted: the figures are of the time until then.\n";
  return out;
}

std::string progress_line(const Options& options, const LiveCounts& counts, const LiveCounts& since) {
  const auto passed = std::max(counts.elapsed - since.elapsed, Duration(1));
  const auto rate =
      static_cast<double>(counts.successes - since.successes) * 1e6 / static_cast<double>(passed.count());
  std::string length;
  if (options.duration) {
    length = fmt::format("/{:.0f}", static_cast<double>((options.warm_up + *options.duration).count()) / 1e6);
  }
  return fmt::format("  {:.0f}{} s   {} TPS   {} issued   {} errors",
                     static_cast<double>(counts.elapsed.count()) / 1e6, length, grouped(rate),
                     grouped(counts.issued), grouped(counts.errors));
}

}  // namespace doorbuster::loadlab
