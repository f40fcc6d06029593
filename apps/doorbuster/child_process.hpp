#pragma once
// This same program as a child, in another role.

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

#include "base/error.hpp"

namespace doorbuster {

/// Ends (by SIGTERM) when the thread that started it ends, however that ends. One thread.
class ChildProcess {
 public:
  /// Runs `doorbuster ARGUMENTS...`; output and environment are the parent's. Only before the first thread is
  /// made. \returns unavailable
  static Result<ChildProcess> start(const std::vector<std::string>& arguments);

  /// How it has ended, once it has; from then on always.
  struct End {
    int status = 0;  ///< of exit(); 0 when a signal ended it
    int signal = 0;  ///< 0 when it ended by itself
  };
  std::optional<End> poll();
  void send(int signal) const;
  pid_t pid() const { return pid_; }

 private:
  explicit ChildProcess(pid_t pid) : pid_(pid) {}

  pid_t pid_;
  std::optional<End> end_;
};

}  // namespace doorbuster
