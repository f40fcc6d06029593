#include "loadlab/generator.hpp"

#include <sys/resource.h>

#include <algorithm>
#include <boost/asio/error.hpp>
#include <cerrno>
#include <cmath>

namespace doorbuster::loadlab {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;

constexpr Duration kTick = std::chrono::milliseconds(10);
constexpr unsigned kTicksBetweenFlushes = 20;
/// So many connections are begun at once before the start: more would overflow a listener's queue and wait
/// a second for the repeated SYN.
constexpr std::size_t kConnectsAtOnce = 64;
constexpr Duration kGraceAfterInterrupt = std::chrono::seconds(1);
/// The open loop wakes no more often than this; what is due by then is sent together.
constexpr Duration kScheduleStep = std::chrono::microseconds(100);

ErrorKind kind_of_connect_error(const error_code& error) {
  if (error == asio::error::connection_refused) return ErrorKind::connect_refused;
  if (error == asio::error::timed_out) return ErrorKind::connect_timeout;
  if (error == error_code(EADDRNOTAVAIL, boost::system::system_category())) return ErrorKind::no_local_port;
  return ErrorKind::connect_failed;
}

/// Room that is asked for before the run, so that nothing is copied during it. Untouched pages cost nothing.
std::size_t expected_requests(const Options& options) {
  constexpr std::size_t kMost = 4'000'000;
  if (options.requests) return std::min<std::size_t>(kMost, *options.requests);
  const double seconds = static_cast<double>((*options.duration + options.warm_up).count()) / 1e6;
  const double rate = options.rate > 0 ? options.rate : 100'000;
  return static_cast<std::size_t>(std::min(seconds * rate, static_cast<double>(kMost)));
}

Duration thread_cpu_time() {
  rusage usage{};
  getrusage(RUSAGE_THREAD, &usage);
  const auto micros = [](const timeval& time) { return Duration(time.tv_sec * 1'000'000 + time.tv_usec); };
  return micros(usage.ru_utime) + micros(usage.ru_stime);
}

}  // namespace

// No other thread touches the loop, hence no locks in it.
Generator::Generator(Shared& shared, std::uint32_t index)
    : shared_(shared), index_(index), context_(BOOST_ASIO_CONCURRENCY_HINT_UNSAFE), next_scheduled_(index) {
  const auto& options = shared.options;
  for (const auto& target : options.targets) requests_.emplace_back(options, target);
  for (std::uint32_t number = index; number < options.vusers; number += options.threads) {
    const auto local = static_cast<std::uint32_t>(vusers_.size());
    vusers_.push_back(std::make_unique<VirtualUser>(context_, local, number % options.targets.size()));
  }
  wake_.assign(vusers_.size(), Moment::max());
  tally_.sightings.reserve(expected_requests(options) / options.threads);
}

// --- connections ---------------------------------------------------------------------------------------

void Generator::connect() {
  to_connect_ = vusers_.size();
  if (shared_.options.connections == Connections::per_request) {
    to_connect_ = std::min(to_connect_, shared_.options.targets.size());
  }
  arm_tick();
  connect_more();
  context_.run();
  if (shared_.options.connections == Connections::per_request) {
    for (const auto& vuser : vusers_) close(*vuser);
  } else {
    tally_.unequal_starts = vusers_.size() - connected_;
  }
  context_.restart();
}

void Generator::connect_more() {
  while (next_to_connect_ < to_connect_ && busy_ < kConnectsAtOnce) {
    open(*vusers_[next_to_connect_++]);
  }
  if (busy_ == 0) tick_timer_.cancel();
}

void Generator::open(VirtualUser& vuser) {
  vuser.state = State::connecting;
  ++busy_;
  wake_[vuser.index] = now() + shared_.options.timeout;
  const auto generation = ++vuser.generation;
  vuser.socket.async_connect(shared_.endpoints[vuser.target],
                             [this, &vuser, generation](const error_code& error) {
                               if (generation == vuser.generation) opened(vuser, error);
                             });
}

void Generator::opened(VirtualUser& vuser, const error_code& error) {
  --busy_;
  wake_[vuser.index] = Moment::max();
  if (!error) {
    vuser.connected = true;
    error_code ignored;
    vuser.socket.set_option(Tcp::no_delay(true), ignored);
  }
  if (!started_) {
    vuser.state = State::idle;
    if (error) {
      connect_error_ = error.message();
      close(vuser);
    } else {
      ++connected_;
    }
    connect_more();
    return;
  }
  if (error) {
    ++busy_;  // failed() gives it back
    failed(vuser, kind_of_connect_error(error));
    return;
  }
  if (vuser.outcome_path.empty()) {
    send(vuser, now());
  } else {
    ask_for_outcome(vuser, now());
  }
  if (vuser.connected) read(vuser);
}

void Generator::close(VirtualUser& vuser) {
  error_code ignored;
  vuser.socket.close(ignored);
  ++vuser.generation;
  vuser.connected = false;
  vuser.unsent.clear();
  vuser.parser.reset();
}

// --- time ----------------------------------------------------------------------------------------------

void Generator::run() {
  started_ = true;
  const auto cpu_before = thread_cpu_time();
  const auto& options = shared_.options;
  const auto at = now();
  arm_tick();
  if (open_loop()) {
    next_due_ = scheduled(next_scheduled_);
    for (auto vuser = vusers_.rbegin(); vuser != vusers_.rend(); ++vuser) idle_.push_back(vuser->get());
    for (const auto& vuser : vusers_) {
      if (vuser->connected) read(*vuser);
    }
    follow_schedule(at);
  } else {
    for (const auto& vuser : vusers_) {
      if (vuser->connected) read(*vuser);
      const auto share = static_cast<std::int64_t>(vuser->index) * options.threads + index_;
      pause(*vuser, shared_.start + options.ramp_up * share / options.vusers);
    }
    look_at_waits(at);
  }
  end_if_quiet();
  context_.run();
  flush_acks();
  cpu_time_ = thread_cpu_time() - cpu_before;
}

void Generator::arm_tick() {
  tick_timer_.expires_after(kTick);
  tick_timer_.async_wait([this](const error_code& error) {
    if (!error) tick();
  });
}

void Generator::tick() {
  const auto at = now();
  const int interrupts = shared_.interrupts == nullptr ? 0 : shared_.interrupts->load();
  if (!started_) {
    if (interrupts != 0) {
      to_connect_ = next_to_connect_;
      grace_end_ = at;
    }
    look_at_waits(at);
    if (busy_ != 0) arm_tick();
    return;
  }
  if (interrupts != 0 && !interrupted_) {
    interrupted_ = true;
    grace_end_ = at + std::min(kGraceAfterInterrupt, shared_.options.timeout);
    stop_sending(at);
  }
  if (interrupts > 1) grace_end_ = at;
  (void)sending_is_over(at);
  look_at_waits(at);
  if (++ticks_ % kTicksBetweenFlushes == 0) flush_acks();
  if (!closed_) arm_tick();
}

void Generator::look_at_waits(Moment at) {
  const bool give_up = at >= grace_end_;
  for (std::size_t i = 0; i < wake_.size(); ++i) {
    if (wake_[i] <= at || (give_up && wake_[i] != Moment::max())) wake(*vusers_[i], at);
  }
}

void Generator::wake(VirtualUser& vuser, Moment at) {
  wake_[vuser.index] = Moment::max();
  const bool given_up = at >= grace_end_;
  switch (vuser.state) {
    case State::connecting:
      if (!started_) {
        connect_error_ = "no answer to the attempt to connect";
        close(vuser);
        vuser.state = State::idle;
        --busy_;
        connect_more();
      } else {
        failed(vuser, given_up ? ErrorKind::interrupted : ErrorKind::connect_timeout);
      }
      return;
    case State::waiting:
      failed(vuser, given_up ? ErrorKind::interrupted : ErrorKind::timeout);
      return;
    case State::following:
      if (given_up || at >= vuser.sent + shared_.options.timeout) {
        failed(vuser, given_up ? ErrorKind::interrupted : ErrorKind::timeout);
      } else {
        ask_for_outcome(vuser, at);
      }
      return;
    case State::draining:
      close(vuser);
      --busy_;
      next(vuser, at);
      return;
    case State::pausing:
      next(vuser, at);
      return;
    case State::idle:
    case State::finished:
      return;
  }
}

void Generator::stop_sending(Moment at) {
  if (over_) return;
  over_ = true;
  schedule_timer_.cancel();
  if (open_loop() && !interrupted_ && !shared_.options.requests) {
    // Requests whose time came but that no virtual user was free to send.
    const auto end = std::min(at, shared_.window.until);
    while (scheduled(next_scheduled_) < end) {
      if (scheduled(next_scheduled_) >= shared_.window.from) ++tally_.missed_sends;
      next_scheduled_ += shared_.options.threads;
    }
  }
  end_if_quiet();
}

void Generator::end_if_quiet() {
  if (!started_ || !over_ || busy_ != 0 || closed_) return;
  closed_ = true;
  tick_timer_.cancel();
  schedule_timer_.cancel();
  for (const auto& vuser : vusers_) close(*vuser);
}

// --- open loop -----------------------------------------------------------------------------------------

/// When the n-th request of the whole run is meant to be sent. While the rate rises evenly to its full value,
/// n(t) = rate * t^2 / (2 * ramp_up).
Moment Generator::scheduled(std::uint64_t number) const {
  const auto n = static_cast<double>(number);
  const double rate = shared_.options.rate;
  const double ramp = static_cast<double>(shared_.options.ramp_up.count()) / 1e6;
  const double in_ramp = rate * ramp / 2;
  const double seconds = n < in_ramp ? std::sqrt(2 * ramp * n / rate) : ramp + (n - in_ramp) / rate;
  return shared_.start + Duration(std::llround(seconds * 1e6));
}

void Generator::follow_schedule(Moment at) {
  while (!idle_.empty() && !over_) {
    const auto due = next_due_;
    if (due > at) break;
    if (due >= shared_.window.until || !claim(due)) {
      stop_sending(at);
      return;
    }
    next_scheduled_ += shared_.options.threads;
    next_due_ = scheduled(next_scheduled_);
    if (at - due > kLateAfter && due >= shared_.window.from) ++tally_.late_sends;
    auto& vuser = *idle_.back();
    idle_.pop_back();
    begin(vuser, due, at);
  }
  if (!over_ && !idle_.empty()) arm_schedule(at);
}

void Generator::arm_schedule(Moment at) {
  if (schedule_armed_) return;  // fires in time: what is due next only moves on
  schedule_armed_ = true;
  schedule_timer_.expires_at(std::max(next_due_, at + kScheduleStep));
  schedule_timer_.async_wait([this](const error_code& error) {
    schedule_armed_ = false;
    if (!error) follow_schedule(now());
  });
}

}  // namespace doorbuster::loadlab
