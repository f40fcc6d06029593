#pragma once
// Checks the promises of the contract (section 5) over what ledger, log, repository and clients say.
//
// Order of reading, so that a living system is judged fairly:
//   1. the end of the log is the cut; wait until the worker has stored everything up to it;
//   2. log up to the cut; 3. ledger; 4. repository; 5. acknowledgements.
// An event is in the log before a ledger confirms it, before a row is written and before a client is told. So
// everything found in 3 to 5 must be in the log as it is now: where something is not known yet, the log is
// read on. What stands behind the cut need not be in the ledger or the repository.
//
// A fault is counted under one promise only, the one that names its cause; see the table in audit.cpp.

#include "base/clock.hpp"
#include "base/unique_function.hpp"
#include "services/audit/audit_input.hpp"
#include "services/audit/audit_report.hpp"

namespace doorbuster::audit {

struct AuditOptions {
  CampaignId campaign;
  Duration wait = std::chrono::seconds(10);  ///< for the worker
  bool fairness = false;
  std::size_t page = 4096;  ///< values asked of a source at a time
  /// Lets time pass while the worker is waited for.
  UniqueFunction<void(Duration)> pause;
};

/// Blocking. \returns not_found (the log has no such campaign), not_ready (the worker did not reach the cut
/// in
///          `wait`), or the failure of a source
Result<AuditReport> run_audit(const AuditInput& input, AuditOptions options);

}  // namespace doorbuster::audit
