#include "apps/doorbuster/supervisor.hpp"

#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <sstream>
#include <utility>

#include "apps/doorbuster/error_exit.hpp"

namespace doorbuster {
namespace {

using namespace std::chrono_literals;
using SteadyClock = std::chrono::steady_clock;

constexpr auto kStep = 50ms;
constexpr auto kStopPatience = 12s;  // a child has ten seconds for what is in the air
constexpr auto kFirstBackOff = 100ms;
constexpr std::chrono::milliseconds kLongestBackOff = 5s;
constexpr auto kProvenAfter = 5s;  // ready for so long: its next end is a new one
constexpr auto kRepaint = 1s;
constexpr auto kLeastSample = 500ms;  // the kernel counts in hundredths of a second
constexpr int kKilled = 128;

/// User and kernel time of a process so far.
double cpu_seconds_of(pid_t pid) {
  std::ifstream file(fmt::format("/proc/{}/stat", pid));
  std::string text((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  const auto name_end = text.rfind(')');  // the name may hold anything
  if (name_end == std::string::npos) return 0;
  std::istringstream fields(text.substr(name_end + 2));
  std::string skipped;
  for (int i = 0; i < 11; ++i) fields >> skipped;
  double user = 0;
  double system = 0;
  fields >> user >> system;
  return (user + system) / static_cast<double>(::sysconf(_SC_CLK_TCK));
}

std::optional<std::uint64_t> memory_of(pid_t pid) {
  std::ifstream file(fmt::format("/proc/{}/statm", pid));
  std::uint64_t total = 0;
  std::uint64_t resident = 0;
  if (!(file >> total >> resident)) return std::nullopt;
  return resident * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
}

std::string how_it_ended(int status) {
  return status >= kKilled ? fmt::format("was killed by signal {}", status - kKilled)
                           : fmt::format("has ended with status {}", status);
}

}  // namespace

Supervisor::Supervisor(std::vector<ChildPlan> plans, std::string greeting) : greeting_(std::move(greeting)) {
  std::vector<StatusPoller::Target> targets;
  for (auto& plan : plans) {
    targets.push_back(plan.target);
    children_.push_back(std::make_unique<Child>());
    children_.back()->plan = std::move(plan);
    children_.back()->back_off = kFirstBackOff;
  }
  poller_ = std::make_unique<StatusPoller>(std::move(targets), console_.has_table());
}

int Supervisor::run(const StopSignals& signals) {
  while (signals.wait(0ms) == 0) {
    start_due();
    wait(kStep);
    relay_output();
    if (const auto over = reap()) {
      stop_all(signals);
      return *over;
    }
    check_ready();
    if (SteadyClock::now() - shown_ >= kRepaint) show();
  }
  return stop_all(signals);
}

void Supervisor::start(Child& child) {
  child.started = true;
  child.ready = false;
  child.cpu_percent = std::nullopt;
  child.cpu_taken = {};
  child.polled = {};
  child.requests_per_second = std::nullopt;
  if (const auto started = child.process.start(child.plan.arguments); !started) {
    console_.line("up", started.error().detail);
    child.restart_at = SteadyClock::now() + child.back_off;
  }
}

void Supervisor::start_due() {
  const bool first_ones_ready = std::all_of(children_.begin(), children_.end(), [](const auto& child) {
    return !child->plan.first || child->ever_ready;
  });
  for (const auto& child : children_) {
    if (child->process.running() || SteadyClock::now() < child->restart_at) continue;
    if (child->started || child->plan.first || first_ones_ready) start(*child);
  }
}

void Supervisor::wait(std::chrono::milliseconds patience) {
  std::vector<pollfd> outputs;
  for (const auto& child : children_) {
    if (child->process.output() >= 0) outputs.push_back({child->process.output(), POLLIN, 0});
  }
  ::poll(outputs.data(), outputs.size(), static_cast<int>(patience.count()));
}

void Supervisor::relay_output() {
  bool any = false;
  for (const auto& child : children_) {
    std::vector<std::string> lines;
    child->process.read_lines(lines);
    for (const auto& line : lines) console_.line(child->plan.name, line);
    any = any || !lines.empty();
  }
  if (any) show();
}

std::optional<int> Supervisor::reap() {
  for (std::size_t i = 0; i < children_.size(); ++i) {
    auto& child = *children_[i];
    const auto status = child.process.poll();
    if (!status) continue;
    relay_output();  // its last words
    poller_->forget(i);
    if (!child.ever_ready && *status < kKilled) return *status == 0 ? kUsageExit : *status;
    on_end(child, *status);
  }
  return std::nullopt;
}

void Supervisor::on_end(Child& child, int status) {
  if (child.ready && SteadyClock::now() - child.ready_since >= kProvenAfter) child.back_off = kFirstBackOff;
  child.ready = false;
  console_.line("up", fmt::format("{} {}; starting it again in {} ms", child.plan.name, how_it_ended(status),
                                  child.back_off.count()));
  ++child.restarts;
  child.restart_at = SteadyClock::now() + child.back_off;
  child.back_off = std::min(child.back_off * 2, kLongestBackOff);
  show();
}

void Supervisor::check_ready() {
  for (std::size_t i = 0; i < children_.size(); ++i) {
    auto& child = *children_[i];
    const bool ready = child.process.running() && poller_->status(i).ready;
    if (ready && !child.ready) child.ready_since = SteadyClock::now();
    child.ready = ready;
    child.ever_ready = child.ever_ready || ready;
    if (ready && child.plan.is_entry && !std::exchange(greeted_, true)) {
      console_.print(greeting_);
      show();
    }
  }
}

ProcessStatus Supervisor::status_of(std::size_t index) {
  auto& child = *children_[index];
  ProcessStatus status;
  status.name = child.plan.name;
  status.pid = child.process.pid();
  status.port = std::stoi(child.plan.target.url.port);
  status.restarts = child.restarts;
  if (!child.process.running()) {
    status.state = child.stopping ? "stopped" : child.started ? "restarting" : "waiting";
    return status;
  }
  status.state = child.stopping     ? "stopping"
                 : child.ready      ? "ready"
                 : child.ever_ready ? "not ready"
                                    : "starting";
  const auto now = SteadyClock::now();
  if (const std::chrono::duration<double> passed = now - child.cpu_taken; passed >= kLeastSample) {
    const auto cpu = cpu_seconds_of(child.process.pid());
    if (child.cpu_taken != Time{})
      child.cpu_percent = std::max(0.0, cpu - child.cpu_seconds) / passed.count() * 100;
    child.cpu_seconds = cpu;
    child.cpu_taken = now;
  }
  status.cpu_percent = child.cpu_percent;
  status.memory_bytes = memory_of(child.process.pid());
  const auto polled = poller_->status(index);
  if (polled.requests && polled.taken != child.polled.taken) {
    const std::chrono::duration<double> passed = polled.taken - child.polled.taken;
    if (child.polled.requests && *polled.requests >= *child.polled.requests) {
      child.requests_per_second =
          static_cast<double>(*polled.requests - *child.polled.requests) / passed.count();
    }
    child.polled = polled;
  }
  status.requests_per_second = child.requests_per_second;
  return status;
}

void Supervisor::show() {
  if (!console_.has_table()) return;
  std::vector<ProcessStatus> statuses;
  for (std::size_t i = 0; i < children_.size(); ++i) statuses.push_back(status_of(i));
  console_.show(statuses);
  shown_ = SteadyClock::now();
}

int Supervisor::stop_all(const StopSignals& signals) {
  std::vector<int> orders;
  for (const auto& child : children_) orders.push_back(child->plan.stop_order);
  std::sort(orders.begin(), orders.end());
  orders.erase(std::unique(orders.begin(), orders.end()), orders.end());
  bool in_a_hurry = false;
  int exit_status = 0;
  for (const auto order : orders) {
    std::vector<Child*> stage;
    for (const auto& child : children_) {
      if (child->plan.stop_order != order) continue;
      child->stopping = true;
      child->process.signal(SIGTERM);
      stage.push_back(child.get());
    }
    show();
    const auto deadline = SteadyClock::now() + kStopPatience;
    while (std::any_of(stage.begin(), stage.end(), [](auto* child) { return child->process.running(); })) {
      in_a_hurry = in_a_hurry || signals.wait(0ms) != 0;  // asked a second time
      if (in_a_hurry || SteadyClock::now() > deadline) {
        for (auto* child : stage) child->process.signal(SIGKILL);
        exit_status = kUsageExit;
      }
      wait(10ms);
      relay_output();
      for (auto* child : stage) child->process.poll();
    }
    relay_output();
  }
  console_.clear();
  return exit_status;
}

}  // namespace doorbuster
