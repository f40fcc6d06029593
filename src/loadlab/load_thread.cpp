#include "loadlab/load_thread.hpp"

#include <sys/resource.h>

#include <cmath>

namespace doorbuster::loadlab {
namespace {

constexpr Duration kTick = std::chrono::milliseconds(5);
/// Connections being made at once: more would overrun the listen queue of a server, and lost SYNs wait a
/// second.
constexpr std::size_t kMostConnecting = 64;
constexpr Duration kGrace = std::chrono::seconds(1);

Duration thread_cpu() {
  rusage usage{};
  getrusage(RUSAGE_THREAD, &usage);
  const auto micros = [](const timeval& time) { return Duration(time.tv_sec * 1'000'000 + time.tv_usec); };
  return micros(usage.ru_utime) + micros(usage.ru_stime);
}

}  // namespace

Duration scheduled_after(std::uint64_t number, double rate, Duration ramp_up) {
  const auto k = static_cast<double>(number);
  const auto ramp = static_cast<double>(ramp_up.count()) / 1e6;
  // While the rate grows, rate * t^2 / (2 * ramp) requests have been due by t: half of the full rate's.
  const auto in_ramp = rate * ramp / 2;
  const auto seconds = k < in_ramp ? std::sqrt(2 * k * ramp / rate) : ramp + (k - in_ramp) / rate;
  return Duration(std::llround(seconds * 1e6));
}

// Only its own thread touches the context, so it needs no locks.
LoadThread::LoadThread(Shared& shared, std::uint32_t index)
    : shared_(shared), index_(index), context_(BOOST_ASIO_CONCURRENCY_HINT_UNSAFE), next_scheduled_(index) {
  const auto& options = shared_.options;
  for (const auto& target : options.targets) requests_.emplace_back(options, target);
  for (auto number = index; number < options.vusers; number += options.threads) {
    vusers_.push_back(std::make_unique<VirtualUser>(context_, static_cast<std::uint32_t>(vusers_.size()),
                                                    number % options.targets.size()));
  }
  expiry_.assign(vusers_.size(), Moment::max());
  to_connect_ = vusers_.size();
  if (options.connections == Connections::per_request) {
    to_connect_ = index == 0 ? std::min(options.targets.size(), vusers_.size()) : 0;
  }
}

void LoadThread::connect() {
  if (to_connect_ == 0) return;
  arm_tick();
  connect_more();
  context_.run();
  context_.restart();
}

void LoadThread::connect_more() {
  const auto interrupted = shared_.interrupts != nullptr && shared_.interrupts->load() != 0;
  if (interrupted) to_connect_ = next_to_connect_;
  while (next_to_connect_ < to_connect_ && next_to_connect_ - attempts_ended_ < kMostConnecting) {
    auto& vuser = *vusers_[next_to_connect_++];
    open(vuser, now() + shared_.options.timeout);
  }
  if (attempts_ended_ == to_connect_) tick_timer_.cancel();
}

void LoadThread::barrier_result(VirtualUser& vuser, const std::string& error) {
  ++attempts_ended_;
  vuser.state = State::idle;
  expiry_[vuser.number] = Moment::max();
  if (error.empty()) {
    ++connected_;
    if (shared_.options.connections == Connections::per_request) close(vuser, true);
  } else {
    close(vuser, true);
    connect_error_ = error;
  }
  connect_more();
}

void LoadThread::run() {
  const auto before = thread_cpu();
  const auto& options = shared_.options;
  started_ = true;
  remaining_ = vusers_.size();
  tally_.unequal_starts = to_connect_ - connected_;
  const auto at = now();
  arm_tick();
  for (auto& vuser : vusers_) {
    auto begins = shared_.start;
    // In the open loop the schedule does the ramp, and every virtual user is at its disposal from the start.
    if (!open_loop() && options.ramp_up > Duration::zero()) {
      const auto global_number = std::uint64_t{vuser->number} * options.threads + index_;
      begins += options.ramp_up * static_cast<Duration::rep>(global_number) / options.vusers;
    }
    if (begins > at) {
      pause(*vuser, begins);
    } else {
      next(*vuser, at);
    }
  }
  context_.run();
  flush_acks();
  live.successes.store(tally_.successes, std::memory_order_relaxed);
  live.errors.store(tally_.error_count(), std::memory_order_relaxed);
  cpu_time_ = thread_cpu() - before;
}

bool LoadThread::over(Moment at) {
  if (!over_ && shared_.options.duration && at >= shared_.window.until) over_ = true;
  return over_;
}

/// Takes one of the fixed number of measured requests; false when none is left.
bool LoadThread::claim(Moment meant) {
  if (!shared_.options.requests || meant < shared_.window.from) return true;
  auto left = shared_.requests_left.load(std::memory_order_relaxed);
  while (left != 0) {
    if (shared_.requests_left.compare_exchange_weak(left, left - 1, std::memory_order_relaxed)) return true;
  }
  over_ = true;
  return false;
}

void LoadThread::next(VirtualUser& vuser, Moment at) {
  if (over(at)) return finish(vuser);
  if (!open_loop()) {
    begin(vuser, at, at);
    return;
  }
  vuser.state = State::idle;
  idle_.push_back(&vuser);
  follow_schedule(at);
}

/// False when no request is left: then the virtual user is finished.
bool LoadThread::begin(VirtualUser& vuser, Moment meant, Moment at) {
  if (!claim(meant)) {
    finish(vuser);
    return false;
  }
  if (open_loop() && meant >= shared_.window.from && at - meant > kLateAfter) ++tally_.late_sends;
  if (vuser.asks_again) {
    ++tally_.retries;
  } else {
    const auto ask = shared_.next_ask.fetch_add(1, std::memory_order_relaxed);
    vuser.user = shared_.options.first_user + ask / shared_.options.asks_per_user;
  }
  vuser.asks_again = false;
  vuser.sent_anything = false;
  vuser.meant = meant;
  vuser.sent = at;
  if (vuser.connected) {
    send(vuser);
  } else {
    open(vuser, at + shared_.options.timeout);
  }
  return true;
}

void LoadThread::pause(VirtualUser& vuser, Moment until) {
  vuser.state = State::pausing;
  expiry_[vuser.number] = until;
}

void LoadThread::finish(VirtualUser& vuser) {
  if (vuser.state == State::finished) return;
  vuser.state = State::finished;
  expiry_[vuser.number] = Moment::max();
  close(vuser, false);
  --remaining_;
}

/// Ends those who have nothing in the air, once no more requests begin.
void LoadThread::finish_waiting() {
  idle_.clear();
  for (auto& vuser : vusers_) {
    if (vuser->state == State::idle || vuser->state == State::pausing) finish(*vuser);
  }
}

void LoadThread::arm_tick() {
  tick_timer_.expires_after(kTick);
  tick_timer_.async_wait([this](const ErrorCodeOfAsio& error) {
    if (!error) tick();
  });
}

void LoadThread::tick() {
  const auto at = now();
  if (started_) {
    watch_interrupts(at);
    if (over(at)) {
      count_missed();
      finish_waiting();
    }
  }
  for (std::size_t i = 0; i < expiry_.size(); ++i) {
    if (expiry_[i] <= at) expired(*vusers_[i], at);
  }
  if (!started_) {
    connect_more();
    if (attempts_ended_ != to_connect_) arm_tick();
    return;
  }
  live.successes.store(tally_.successes, std::memory_order_relaxed);
  live.issued.store(tally_.outcomes[static_cast<std::size_t>(Outcome::issued)], std::memory_order_relaxed);
  live.errors.store(tally_.error_count(), std::memory_order_relaxed);
  if (remaining_ != 0) return arm_tick();
  schedule_timer_.cancel();
}

void LoadThread::expired(VirtualUser& vuser, Moment at) {
  expiry_[vuser.number] = Moment::max();
  switch (vuser.state) {
    case State::pausing:
      return next(vuser, at);
    case State::connecting:
      if (!started_) return barrier_result(vuser, "no connection within the time-out");
      return failed(vuser, ErrorKind::connect_timeout);
    case State::waiting:
      return failed(vuser, ErrorKind::timeout);
    case State::idle:
    case State::finished:
      break;
  }
}

void LoadThread::watch_interrupts(Moment at) {
  const auto count = shared_.interrupts == nullptr ? 0 : shared_.interrupts->load(std::memory_order_relaxed);
  if (count == 0) return;
  if (!interrupted_) {
    interrupted_ = over_ = true;
    grace_end_ = at + kGrace;
  }
  if (count < 2 && at < grace_end_) return;
  for (auto& vuser : vusers_) {
    if (vuser->state == State::waiting || vuser->state == State::connecting) {
      failed(*vuser, ErrorKind::interrupted);
    }
  }
}

Moment LoadThread::scheduled(std::uint64_t number) const {
  return shared_.start + scheduled_after(number, shared_.options.rate, shared_.options.ramp_up);
}

void LoadThread::follow_schedule(Moment at) {
  // begin() may end a request at once and come back here: the loop below goes on with it.
  if (following_) return;
  following_ = true;
  while (!idle_.empty() && !over(at)) {
    const auto due = scheduled(next_scheduled_);
    if (due > at) break;
    if (shared_.options.duration && due >= shared_.window.until) break;
    auto& vuser = *idle_.back();
    idle_.pop_back();
    if (!begin(vuser, due, at)) break;
    next_scheduled_ += shared_.options.threads;
  }
  following_ = false;
  if (schedule_armed_ || idle_.empty() || over_) return;
  schedule_armed_ = true;
  schedule_timer_.expires_at(scheduled(next_scheduled_));
  schedule_timer_.async_wait([this](const ErrorCodeOfAsio& error) {
    schedule_armed_ = false;
    if (!error) follow_schedule(now());
  });
}

/// Open loop: what was due before the time was over, and found every virtual user busy until then.
void LoadThread::count_missed() {
  if (!open_loop() || !shared_.options.duration || interrupted_) return;
  for (; scheduled(next_scheduled_) < shared_.window.until; next_scheduled_ += shared_.options.threads) {
    if (scheduled(next_scheduled_) >= shared_.window.from) ++tally_.missed_sends;
  }
}

}  // namespace doorbuster::loadlab
