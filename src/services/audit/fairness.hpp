#pragma once
// How far are the numbers from the order of arrival? And do they ever contradict an order that is certain: A
// was answered before B was sent, yet B has the lower number.

#include <cstdint>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "services/audit/audit_report.hpp"

namespace doorbuster::audit {

/// One first answer (201). 24 bytes, so that ten million fit.
struct Arrival {
  Timestamp sent{};
  Timestamp received{};
  std::uint64_t sequence = 0;
};

/// Adds the figures to the report, and a broken promise 7 for each certain contradiction. Orders `arrivals`
/// anew. Inversions are counted by merging: O(n log n) (Knuth, The Art of Computer Programming 3, 5.1.1,
/// exercise 6).
void measure_fairness(std::vector<Arrival>& arrivals, AuditReport& report);

}  // namespace doorbuster::audit
