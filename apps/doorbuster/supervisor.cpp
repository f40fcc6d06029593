#include "apps/doorbuster/supervisor.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>

#include "base/log.hpp"

namespace doorbuster {
namespace {

using Steady = std::chrono::steady_clock;

constexpr Duration kProbeEvery = std::chrono::milliseconds(50);
constexpr Duration kWatchEvery = std::chrono::seconds(60);  // SIGCHLD comes at once; this is for nothing lost
constexpr Duration kFirstBackOff = std::chrono::milliseconds(100);
constexpr Duration kLongestBackOff = std::chrono::seconds(5);
constexpr Duration kHealthyAfter = std::chrono::seconds(10);  // back-off begins anew
constexpr Duration kStopPatience = std::chrono::seconds(12);  // the child takes ten at most

std::string describe(const ChildProcess::End& end) {
  return end.signal != 0 ? fmt::format("was ended by signal {}", end.signal)
                         : fmt::format("has ended with status {}", end.status);
}

}  // namespace

Supervisor::Supervisor(SupervisorOptions options) : options_(std::move(options)) {
  sigemptyset(&signals_);
  for (const int number : {SIGTERM, SIGINT, SIGHUP, SIGCHLD}) sigaddset(&signals_, number);
  ::pthread_sigmask(SIG_BLOCK, &signals_, nullptr);
}

Supervisor::Woken Supervisor::wait(Duration time) {
  const auto until = Steady::now() + time;
  for (;;) {
    const auto left = std::max<std::int64_t>(0, std::chrono::nanoseconds(until - Steady::now()).count());
    const timespec timeout{left / 1'000'000'000, left % 1'000'000'000};
    const int number = ::sigtimedwait(&signals_, nullptr, &timeout);
    if (number == SIGCHLD) return Woken::child_ended;
    if (number > 0) return Woken::stop;
    if (errno != EINTR) return Woken::time_is_up;
  }
}

Supervisor::Woken Supervisor::watch(ChildProcess& child) {
  for (;;) {
    const auto woken = wait(is_ready_ ? kWatchEvery : kProbeEvery);
    if (woken == Woken::stop) return woken;
    if (child.poll()) return Woken::child_ended;
    if (is_ready_ || !options_.ready()) continue;
    is_ready_ = true;
    if (std::exchange(was_ready_, true)) {
      log().info("up: {} is ready again", options_.name);
    } else {
      options_.announce();
    }
  }
}

int Supervisor::stop(ChildProcess& child) {
  child.send(SIGTERM);
  const auto until = Steady::now() + kStopPatience;
  while (!child.poll()) {
    if (Steady::now() >= until) {
      log().error("up: {} does not stop and is killed", options_.name);
      child.send(SIGKILL);
    }
    wait(kProbeEvery);
  }
  const auto end = *child.poll();
  return end.signal == 0 && end.status == 0 ? 0 : 1;
}

int Supervisor::run() {
  auto back_off = kFirstBackOff;
  for (;;) {
    auto child = ChildProcess::start(options_.arguments);
    if (!child) {
      fmt::print(stderr, "doorbuster up: {}\n", child.error().detail);
      return 1;
    }
    const auto started = Steady::now();
    is_ready_ = false;
    if (watch(*child) == Woken::stop) return stop(*child);
    const auto end = *child->poll();
    if (!was_ready_) return 1;  // it has said why
    if (!options_.restart) {
      log().error("up: {} {}", options_.name, describe(end));
      return 1;
    }
    if (is_ready_ && Steady::now() - started > kHealthyAfter) back_off = kFirstBackOff;
    log().warn("up: {} {}; it is started again in {} ms", options_.name, describe(end),
               back_off.count() / 1000);
    const auto until = Steady::now() + back_off;
    while (Steady::now() < until) {
      const auto left = std::chrono::duration_cast<Duration>(until - Steady::now());
      if (wait(std::max(left, Duration(1))) == Woken::stop) return 0;
    }
    back_off = std::min(back_off * 2, kLongestBackOff);
  }
}

}  // namespace doorbuster
