#pragma once
// A child of `up`: this program again, in another role, as a process of its own.

#include <sys/types.h>

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "base/error.hpp"

namespace doorbuster {

/// One thread, the one that lives longest: the kernel sends the child SIGTERM when the *thread* that started
/// it ends, however that ends. The child is in a process group of its own, so that Ctrl-C reaches `up` alone,
/// which then stops its children in order.
class ChildProcess {
 public:
  ChildProcess() = default;
  ChildProcess(const ChildProcess&) = delete;
  ChildProcess& operator=(const ChildProcess&) = delete;
  ~ChildProcess();

  /// \param arguments `api --port 8080 ...`. \returns unavailable
  Result<void> start(const std::vector<std::string>& arguments);
  pid_t pid() const { return pid_; }
  bool running() const { return pid_ > 0; }
  /// \returns how it ended, as a shell shows it (128 + signal), once; nullopt while it runs
  std::optional<int> poll();
  void signal(int number) const;

  /// What it writes to stdout and stderr, to wait for with poll(2); -1 when there is nothing more to come.
  int output() const { return output_; }
  /// Appends the complete lines that are there; at the end also what has no line's end.
  void read_lines(std::vector<std::string>& lines);

 private:
  void close_output();

  pid_t pid_ = 0;
  int output_ = -1;
  std::string partial_;
};

}  // namespace doorbuster
