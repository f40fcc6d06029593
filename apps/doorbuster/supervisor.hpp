#pragma once
// Keeps one child process running until it is told to stop.

#include <csignal>
#include <string>
#include <vector>

#include "apps/doorbuster/child_process.hpp"
#include "base/clock.hpp"
#include "base/unique_function.hpp"

namespace doorbuster {

struct SupervisorOptions {
  std::string name;                    ///< for messages: "api"
  std::vector<std::string> arguments;  ///< of the child
  bool restart = true;
  UniqueFunction<bool()> ready;     ///< asked until it says so, each time the child was started
  UniqueFunction<void()> announce;  ///< told when the child is ready for the first time
};

/// Main thread alone, in a process without other threads.
class Supervisor {
 public:
  explicit Supervisor(SupervisorOptions options);

  /// Returns when SIGTERM, SIGINT or SIGHUP has come and the child has ended, or when it cannot go on: a
  /// child that ends before it was ever ready is not started again, because what keeps it from starting will
  /// stay. \returns the exit status
  int run();

 private:
  enum class Woken { time_is_up, child_ended, stop };

  Woken wait(Duration time);
  Woken watch(ChildProcess& child);
  int stop(ChildProcess& child);

  SupervisorOptions options_;
  sigset_t signals_{};
  bool was_ready_ = false;  // ever
  bool is_ready_ = false;   // the child that runs now
};

}  // namespace doorbuster
