#pragma once
// What an audit found: one verdict a promise (contract.md section 5), with counts and the first examples.

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.hpp"
#include "core/issuing/campaign.hpp"
#include "core/issuing/coupon.hpp"

namespace doorbuster::audit {

/// Numbered as in the contract, from 1.
enum class Promise : std::uint8_t {
  limit = 1,
  one_per_user,
  nothing_lost,
  numbers,
  sold_out,
  agreement,
  order,
};
inline constexpr std::size_t kPromises = 7;
inline constexpr std::size_t kMostExamples = 5;

// The overloads below would hide those of the domain.
using doorbuster::to_text;
std::string_view to_text(Promise promise);

struct Verdict {
  std::uint64_t checked = 0;  ///< things looked at; what they are differs from promise to promise
  std::uint64_t broken = 0;
  std::vector<std::string> examples;  ///< the first kMostExamples
  std::string remark;                 ///< what could not be looked at, or where the figures come from
  bool ok() const { return broken == 0; }
};

/// How far numbers are from the order of arrival, as clients saw it. Measured, not promised.
struct FairnessFigures {
  bool measured = false;
  std::uint64_t coupons = 0;     ///< first answers (201) with send time and number
  std::uint64_t inversions = 0;  ///< pairs whose numbers are not in the order in which they were sent
  double inverted_share = 0;     ///< of all pairs
  std::uint64_t largest_displacement = 0;  ///< places between the rank by send time and the rank by number
};

struct AuditReport {
  CampaignId campaign;
  LogPosition cut = 0;
  bool quiet = true;  ///< nothing was decided while the audit ran, and nothing was pending
  bool ledger_from_log = false;
  std::uint64_t limit = 0;   ///< in force at the end
  std::uint64_t events = 0;  ///< different coupons in the log up to the cut
  std::uint64_t repeated_events = 0;
  std::uint64_t holders = 0;
  std::uint64_t pending = 0;
  std::uint64_t rows = 0;
  std::uint64_t acknowledgements = 0;
  std::uint64_t acknowledged_coupons = 0;
  std::array<Verdict, kPromises> verdicts;
  std::vector<NumberRange> refill_pending;  ///< missing after a loss, ascending; no fault
  FairnessFigures fairness;

  Verdict& of(Promise promise) { return verdicts[static_cast<std::size_t>(promise) - 1]; }
  const Verdict& of(Promise promise) const { return verdicts[static_cast<std::size_t>(promise) - 1]; }
  void breaks(Promise promise, std::string example);
  bool good() const;
};

/// One line a promise, `ok` or `BROKEN`, with examples below.
std::string to_text(const AuditReport& report);
/// One JSON object, one line.
std::string to_json(const AuditReport& report);

}  // namespace doorbuster::audit
