#pragma once
// A child of `up`: this program again, in another role, as a process of its own.

#include <sys/types.h>

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "base/error.hpp"

namespace doorbuster {

/// One thread. The child gets SIGTERM from the kernel when its parent ends, however that ends.
class ChildProcess {
 public:
  /// \param arguments `api --port 8080 ...`. \returns unavailable
  Result<void> start(const std::vector<std::string>& arguments);
  pid_t pid() const { return pid_; }
  bool running() const { return pid_ > 0; }
  /// \returns how it ended, as a shell shows it (128 + signal), once; nullopt while it runs
  std::optional<int> poll();
  /// SIGTERM, then SIGKILL after `patience`.
  void stop(std::chrono::milliseconds patience);

 private:
  pid_t pid_ = 0;
};

}  // namespace doorbuster
