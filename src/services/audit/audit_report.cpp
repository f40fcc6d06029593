#include "services/audit/audit_report.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>

namespace doorbuster::audit {

std::string_view to_text(Promise promise) {
  switch (promise) {
    case Promise::limit:
      return "never more than the limit";
    case Promise::one_per_user:
      return "one coupon a user, the same code for ever";
    case Promise::nothing_lost:
      return "every acknowledged coupon is stored";
    case Promise::numbers:
      return "rows come from requests, numbers are unique and without gaps";
    case Promise::sold_out:
      return "sold out is said only when it is";
    case Promise::agreement:
      return "ledger, log and repository agree";
    case Promise::order:
      return "numbers follow the order of decision";
  }
  return "unknown";
}

void AuditReport::breaks(Promise promise, std::string example) {
  auto& verdict = of(promise);
  ++verdict.broken;
  if (verdict.examples.size() < kMostExamples) verdict.examples.push_back(std::move(example));
}

bool AuditReport::good() const {
  return std::all_of(verdicts.begin(), verdicts.end(), [](const Verdict& verdict) { return verdict.ok(); });
}

std::string to_text(const AuditReport& report) {
  std::string out = fmt::format(
      "campaign {}: limit {}, {} coupons in the log (cut at position {}), {} in the ledger{}, {} in the "
      "repository, "
      "{} acknowledged in {} requests\n",
      report.campaign.text(), report.limit, report.events, report.cut, report.holders,
      report.ledger_from_log ? " (rebuilt from the log: no api was asked)" : "", report.rows,
      report.acknowledged_coupons, report.acknowledgements);
  if (!report.quiet) out += "not quiet: coupons were being decided, so missing numbers are not judged\n";
  for (std::size_t i = 0; i < kPromises; ++i) {
    const auto& verdict = report.verdicts[i];
    out += fmt::format("{} {:<6} {} ({} checked", i + 1, verdict.ok() ? "ok" : "BROKEN",
                       to_text(static_cast<Promise>(i + 1)), verdict.checked);
    if (!verdict.ok()) out += fmt::format(", {} broken", verdict.broken);
    out += ")";
    if (!verdict.remark.empty()) out += "; " + verdict.remark;
    out += "\n";
    for (const auto& example : verdict.examples) out += "    " + example + "\n";
    if (verdict.broken > verdict.examples.size()) {
      out += fmt::format("    and {} more\n", verdict.broken - verdict.examples.size());
    }
  }
  if (report.fairness.measured) {
    out += fmt::format(
        "fairness: {} pairs of {} coupons out of the order of sending ({:.4f} % of all pairs), "
        "largest displacement {} places\n",
        report.fairness.inversions, report.fairness.coupons, report.fairness.inverted_share * 100.0,
        report.fairness.largest_displacement);
  }
  out += report.good() ? "good: every promise is kept\n" : "BROKEN\n";
  return out;
}

std::string to_json(const AuditReport& report) {
  boost::json::array promises;
  for (std::size_t i = 0; i < kPromises; ++i) {
    const auto& verdict = report.verdicts[i];
    promises.push_back({{"promise", i + 1},
                        {"name", to_text(static_cast<Promise>(i + 1))},
                        {"ok", verdict.ok()},
                        {"checked", verdict.checked},
                        {"broken", verdict.broken},
                        {"examples", boost::json::array(verdict.examples.begin(), verdict.examples.end())},
                        {"remark", verdict.remark}});
  }
  boost::json::array refill_pending;
  for (const auto& range : report.refill_pending) {
    refill_pending.push_back({{"first", range.first}, {"last", range.last}});
  }
  boost::json::object out{{"campaign_id", report.campaign.text()},
                          {"good", report.good()},
                          {"quiet", report.quiet},
                          {"cut", report.cut},
                          {"limit", report.limit},
                          {"log_coupons", report.events},
                          {"repeated_events", report.repeated_events},
                          {"ledger", report.ledger_from_log ? "rebuilt from the log" : "api"},
                          {"ledger_coupons", report.holders},
                          {"ledger_pending", report.pending},
                          {"repository_coupons", report.rows},
                          {"acknowledgements", report.acknowledgements},
                          {"acknowledged_coupons", report.acknowledged_coupons},
                          {"refill_pending", std::move(refill_pending)},
                          {"promises", std::move(promises)}};
  if (report.fairness.measured) {
    out["fairness"] = {{"coupons", report.fairness.coupons},
                       {"order_inversions", report.fairness.inversions},
                       {"inverted_share", report.fairness.inverted_share},
                       {"largest_displacement", report.fairness.largest_displacement}};
  }
  return boost::json::serialize(out);
}

}  // namespace doorbuster::audit
