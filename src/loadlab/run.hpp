#pragma once
// One load run from the first connection to the last reply.

#include <atomic>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "base/error.hpp"
#include "loadlab/acks.hpp"
#include "loadlab/options.hpp"
#include "loadlab/tally.hpp"

namespace doorbuster::loadlab {

/// What is known while the run goes on; sums since the start, warm-up included.
struct LiveCounts {
  Duration elapsed{0};  ///< since the start barrier
  std::uint64_t successes = 0;
  std::uint64_t issued = 0;  ///< replies 201
  std::uint64_t errors = 0;
  Duration success_time{0};
};

struct RunResult {
  std::optional<std::uint64_t> limit;  ///< highest that the campaign had during the run, when it was asked
  Tally tally;
  Window window;  ///< `until` is set in any case: the intended end, the last reply, or the interruption
  Timestamp started_at;  ///< of the measured time
  bool interrupted = false;
  double cpu_us = 0;            ///< of the whole process, from the start barrier to the end
  double busiest_thread = 0;    ///< CPU time of the busiest generator thread, as a share of the run
  std::string never_connected;  ///< set when no target could be connected to: why. Nothing was sent then
};

/// What the caller lends to a run.
struct RunHooks {
  /// Counts Ctrl-C: the first stops sending and waits a second for replies, the second does not wait.
  const std::atomic<int>* interrupts = nullptr;
  AcksFile* acks = nullptr;
  /// Called once a second on the calling thread.
  std::function<void(const LiveCounts&)> progress;
};

/// Runs the load on threads of its own and returns when it is over. Raises the limit of open files to what
/// is needed. \returns invalid (name not found, not enough files), with the flag at fault
Result<RunResult> run_load(const Options& options, const RunHooks& hooks);

}  // namespace doorbuster::loadlab
