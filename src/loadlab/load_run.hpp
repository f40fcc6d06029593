#pragma once
// One load run from the first connection to the last reply.

#include <atomic>
#include <cstdint>
#include <functional>
#include <string>

#include "base/clock.hpp"
#include "base/error.hpp"
#include "loadlab/acks.hpp"
#include "loadlab/options.hpp"
#include "loadlab/tally.hpp"

namespace doorbuster::loadlab {

/// What is known while the run goes on; sums of the measured time so far.
struct LiveCounts {
  Duration elapsed{0};  ///< since the start barrier
  std::uint64_t successes = 0;
  std::uint64_t issued = 0;
  std::uint64_t errors = 0;
};

struct RunResult {
  Tally tally;
  Window window;         ///< `until` is set in any case: the intended end, or the last reply
  Timestamp started_at;  ///< of the measured time
  bool interrupted = false;
  Duration cpu{0};              ///< of the whole process, from the start barrier to the last reply
  double busiest_thread = 0;    ///< share of its core that the busiest generator thread used in that time
  std::string never_connected;  ///< why, when not one connection could be made; nothing was sent then
};

/// What the caller lends to a run.
struct RunHooks {
  /// Counts Ctrl-C: the first stops sending and waits a second for replies, the second does not wait.
  const std::atomic<int>* interrupts = nullptr;
  AcksFile* acks = nullptr;
  /// Called about once a second on the calling thread.
  std::function<void(const LiveCounts&)> progress;
};

/// Runs the load on threads of its own and returns when it is over. Raises the soft limit of open files to
/// what is needed. \returns invalid (name not found, too few files allowed), with the flag at fault
Result<RunResult> run_load(const Options& options, const RunHooks& hooks);

}  // namespace doorbuster::loadlab
