#pragma once
// SIGINT and SIGTERM as something to wait for, instead of handlers that interrupt.

#include <chrono>
#include <csignal>
#include <ctime>

namespace doorbuster {

/// Blocks both (and ignores SIGPIPE) in this thread and in every thread that it starts from now on.
class StopSignals {
 public:
  StopSignals() {
    sigemptyset(&signals_);
    sigaddset(&signals_, SIGINT);
    sigaddset(&signals_, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &signals_, nullptr);
    std::signal(SIGPIPE, SIG_IGN);
  }
  /// \returns the signal, or 0 when none came in time
  int wait(std::chrono::milliseconds patience) const {
    timespec time{patience.count() / 1000, patience.count() % 1000 * 1'000'000};
    const int signal = sigtimedwait(&signals_, nullptr, &time);
    return signal > 0 ? signal : 0;
  }

 private:
  sigset_t signals_{};
};

}  // namespace doorbuster
