#pragma once
// Runs the children of `up`: starts them in order, starts again what dies, shows how they are, stops them in
// order.
//
// Invariants:
// 1. A child that ends by itself before it was ever ready has said why: nothing that a restart mends. All are
//    stopped then. Any other end is followed by a restart, later each time.
// 2. Children are started by the thread that runs run(), and that thread outlives them (see ChildProcess).

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "apps/doorbuster/child_process.hpp"
#include "apps/doorbuster/console.hpp"
#include "apps/doorbuster/signals.hpp"
#include "apps/doorbuster/status_poller.hpp"

namespace doorbuster {

struct ChildPlan {
  std::string name;                    ///< `api-1`
  std::vector<std::string> arguments;  ///< `api --port 8081 ...`
  StatusPoller::Target target;
  bool first = false;     ///< the others are started when this one is ready
  int stop_order = 0;     ///< lower ones are stopped before higher ones
  bool is_entry = false;  ///< the system can be used when this one is ready
};

class Supervisor {
 public:
  /// \param greeting printed when the entry is ready
  Supervisor(std::vector<ChildPlan> plans, std::string greeting);

  /// Until a signal comes, or a start fails. \returns the exit status
  int run(const StopSignals& signals);

 private:
  using Time = std::chrono::steady_clock::time_point;

  struct Child {
    ChildPlan plan;
    ChildProcess process;
    bool started = false;  // for the first time
    bool ever_ready = false;
    bool ready = false;
    bool stopping = false;
    std::uint64_t restarts = 0;
    std::chrono::milliseconds back_off{};
    Time restart_at;
    Time ready_since;
    // For the table: the samples before.
    StatusPoller::Status polled;
    std::optional<double> requests_per_second;
    std::optional<double> cpu_percent;
    double cpu_seconds = 0;
    Time cpu_taken;
  };

  void start(Child& child);
  void start_due();
  /// \returns an exit status when all is over
  std::optional<int> reap();
  void on_end(Child& child, int status);
  void check_ready();
  void relay_output();
  void wait(std::chrono::milliseconds patience);
  void show();
  ProcessStatus status_of(std::size_t index);
  int stop_all(const StopSignals& signals);

  std::vector<std::unique_ptr<Child>> children_;
  std::string greeting_;
  bool greeted_ = false;
  Console console_;
  std::unique_ptr<StatusPoller> poller_;
  Time shown_;
};

}  // namespace doorbuster
