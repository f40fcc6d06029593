#include "loadlab/generator.hpp"

#include <sys/resource.h>
#include <sys/socket.h>

#include <algorithm>
#include <boost/asio/buffer.hpp>
#include <boost/asio/error.hpp>
#include <cctype>
#include <cerrno>
#include <charconv>
#include <cmath>

namespace doorbuster::loadlab {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;

constexpr Duration kTick = std::chrono::milliseconds(10);
constexpr unsigned kTicksBetweenFlushes = 20;
constexpr std::size_t kAcksInBlock = 4096;
/// So many connections are begun at once before the start: more would overflow a listener's queue and wait
/// a second for the repeated SYN.
constexpr std::size_t kConnectsAtOnce = 64;
constexpr Duration kPauseAfterFailedConnect = std::chrono::milliseconds(50);
constexpr Duration kPauseBeforeRetry = std::chrono::seconds(1);
constexpr Duration kLongestDrain = std::chrono::seconds(1);
constexpr Duration kGraceAfterInterrupt = std::chrono::seconds(1);
/// The open loop wakes no more often than this; what is due by then is sent together.
constexpr Duration kScheduleStep = std::chrono::microseconds(100);

ErrorKind kind_of_connect_error(const error_code& error) {
  if (error == asio::error::connection_refused) return ErrorKind::connect_refused;
  if (error == asio::error::timed_out) return ErrorKind::connect_timeout;
  if (error == error_code(EADDRNOTAVAIL, boost::system::system_category())) return ErrorKind::no_local_port;
  return ErrorKind::connect_failed;
}

bool plausible(std::string_view code) {
  return code.size() <= 23 && std::all_of(code.begin(), code.end(), [](unsigned char c) {
           return std::isalnum(c) != 0 || c == '-' || c == '_';
         });
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
  send(vuser, now());
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

// --- the life of a request -----------------------------------------------------------------------------

bool Generator::sending_is_over(Moment at) {
  if (!over_ && at >= shared_.window.until) stop_sending(at);
  return over_;
}

/// Takes one of the requests that may still be sent. Warm-up requests are not limited in number.
bool Generator::claim(Moment meant) {
  if (!shared_.options.requests || meant < shared_.window.from) return true;
  auto left = shared_.requests_left.load(std::memory_order_relaxed);
  while (left != 0) {
    if (shared_.requests_left.compare_exchange_weak(left, left - 1, std::memory_order_relaxed)) return true;
  }
  return false;
}

/// The virtual user has nothing to do: gives it its next request, if there is one.
void Generator::next(VirtualUser& vuser, Moment at) {
  if (sending_is_over(at)) {
    vuser.state = State::finished;
    end_if_quiet();
    return;
  }
  if (open_loop() && !vuser.asks_again) {
    vuser.state = State::idle;
    idle_.push_back(&vuser);
    follow_schedule(at);
    return;
  }
  if (!claim(at)) {
    vuser.state = State::finished;
    stop_sending(at);
    return;
  }
  begin(vuser, at, at);
}

void Generator::begin(VirtualUser& vuser, Moment meant, Moment at) {
  vuser.meant = meant;
  vuser.sent_anything = false;
  if (vuser.asks_again) {
    ++tally_.retries;
    vuser.asks_again = false;
  } else {
    const auto ask = shared_.next_ask.fetch_add(1, std::memory_order_relaxed);
    vuser.user = shared_.options.first_user + ask / shared_.options.asks_per_user;
  }
  if (!vuser.connected) {
    open(vuser);
    return;
  }
  ++busy_;
  send(vuser, at);
}

void Generator::send(VirtualUser& vuser, Moment at) {
  if (vuser.state == State::connecting) ++busy_;
  vuser.state = State::waiting;
  vuser.sent = at;
  wake_[vuser.index] = at + shared_.options.timeout;
  const auto bytes = requests_[vuser.target].for_user(vuser.user);
  const auto taken = ::send(vuser.socket.native_handle(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
  if (taken < 0 && errno != EAGAIN && errno != EWOULDBLOCK) {
    failed(vuser, errno == EPIPE ? ErrorKind::closed : ErrorKind::reset);
    return;
  }
  vuser.sent_anything = true;
  ++tally_.requests_sent;
  const auto size = static_cast<std::size_t>(std::max<ssize_t>(taken, 0));
  if (size < bytes.size()) {
    vuser.unsent = bytes.substr(size);
    send_rest(vuser);
  }
}

void Generator::send_rest(VirtualUser& vuser) {
  vuser.socket.async_write_some(asio::buffer(vuser.unsent), [this, &vuser, generation = vuser.generation](
                                                                const error_code& error, std::size_t size) {
    if (generation != vuser.generation || error) return;  // the pending read reports what is wrong
    vuser.unsent.erase(0, size);
    if (!vuser.unsent.empty()) send_rest(vuser);
  });
}

/// There is always a read under way on an open connection, so that the end of an idle one is seen as well.
void Generator::read(VirtualUser& vuser) {
  vuser.socket.async_read_some(asio::buffer(vuser.input), [this, &vuser, generation = vuser.generation](
                                                              const error_code& error, std::size_t size) {
    if (generation == vuser.generation) received(vuser, error, size);
  });
}

void Generator::received(VirtualUser& vuser, const error_code& error, std::size_t size) {
  if (error) {
    ended(vuser, error);
    return;
  }
  if (vuser.state != State::waiting) {  // bytes that nobody asked for
    if (vuser.state == State::draining) {
      close(vuser);
      --busy_;
      wake_[vuser.index] = Moment::max();
      next(vuser, now());
    } else {
      close(vuser);
    }
    return;
  }
  const auto taken = vuser.parser.put({vuser.input.data(), size});
  if (!taken || *taken != size) {
    failed(vuser, ErrorKind::bad_reply);
    return;
  }
  const auto generation = vuser.generation;
  if (vuser.parser.done()) replied(vuser);
  // Unless the request that replied() has just begun, or its end, replaced the connection.
  if (vuser.connected && generation == vuser.generation) read(vuser);
}

/// The connection ended, in whatever state.
void Generator::ended(VirtualUser& vuser, const error_code& error) {
  if (vuser.state == State::draining) {
    close(vuser);
    --busy_;
    wake_[vuser.index] = Moment::max();
    next(vuser, now());
    return;
  }
  if (vuser.state != State::waiting) {
    close(vuser);
    return;
  }
  if (error == asio::error::eof && !vuser.parser.untouched() && vuser.parser.put_end()) {
    replied(vuser);
    if (vuser.state == State::draining) ended(vuser, error);
    return;
  }
  failed(vuser, error == asio::error::eof ? ErrorKind::closed : ErrorKind::reset);
}

void Generator::replied(VirtualUser& vuser) {
  const auto at = now();
  const int status = vuser.parser.status();
  auto facts = read_reply(status, vuser.parser.body());
  if (!plausible(facts.code)) {
    failed(vuser, ErrorKind::bad_reply);
    return;
  }
  note(vuser, at, status, &facts);
  tally_.reply(shared_.window, vuser.meant, at, facts);
  if (!facts.code.empty()) {
    Sighting sighting;
    sighting.user = vuser.user;
    sighting.sequence = facts.sequence;
    sighting.sent = vuser.sent;
    sighting.received = at;
    sighting.code = CodeText(facts.code);
    sighting.created = status == 201;
    sighting.measured = vuser.meant >= shared_.window.from;
    tally_.sightings.push_back(sighting);
    char digits[20];
    const auto end = std::to_chars(digits, digits + sizeof digits, vuser.user).ptr;
    if (!facts.user.empty() &&
        facts.user != std::string_view(digits, static_cast<std::size_t>(end - digits))) {
      ++tally_.wrong_users;
    }
  }
  const auto add = [](auto& counter, auto value) {
    counter.store(counter.load(std::memory_order_relaxed) + value, std::memory_order_relaxed);
  };
  if (facts.error) {
    add(live.errors, 1U);
  } else {
    add(live.successes, 1U);
    add(live.success_us, (at - vuser.meant).count());
    if (facts.outcome == Outcome::issued) add(live.issued, 1U);
  }
  std::optional<Duration> again;
  if (shared_.options.retry && (status == 503 || status == 429)) {
    const auto seconds = retry_after_seconds(vuser.parser.header("retry-after"));
    again = seconds ? Duration(std::chrono::seconds(*seconds)) : kPauseBeforeRetry;
  }
  const bool ends = !vuser.parser.keep_alive() || shared_.options.connections == Connections::per_request;
  vuser.parser.reset();
  if (!ends) {
    --busy_;
    wake_[vuser.index] = Moment::max();
    after_request(vuser, at, again);
    return;
  }
  if (again || over_) {
    close(vuser);
    --busy_;
    after_request(vuser, at, again);
    return;
  }
  // The side that closes first keeps the port busy for a minute: that is left to the server.
  vuser.state = State::draining;
  wake_[vuser.index] = at + std::min(kLongestDrain, shared_.options.timeout);
}

void Generator::failed(VirtualUser& vuser, ErrorKind kind) {
  const auto at = now();
  if (vuser.sent_anything) note(vuser, at, 0, nullptr);
  tally_.failure(shared_.window, vuser.meant, at, kind);
  live.errors.store(live.errors.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  const bool never_connected = !vuser.connected;
  close(vuser);
  --busy_;
  std::optional<Duration> again;
  if (shared_.options.retry) again = kPauseBeforeRetry;
  if (never_connected && !again) {
    pause(vuser, at + kPauseAfterFailedConnect);
    end_if_quiet();
    return;
  }
  after_request(vuser, at, again);
}

void Generator::after_request(VirtualUser& vuser, Moment at, std::optional<Duration> ask_again_after) {
  wake_[vuser.index] = Moment::max();
  if (!ask_again_after) {
    next(vuser, at);
    return;
  }
  vuser.asks_again = true;
  pause(vuser, at + *ask_again_after);
  end_if_quiet();
}

void Generator::pause(VirtualUser& vuser, Moment until) {
  vuser.state = State::pausing;
  wake_[vuser.index] = until;
}

void Generator::note(const VirtualUser& vuser, Moment received, int status, const ReplyFacts* facts) {
  if (shared_.acks == nullptr) return;
  Ack ack;
  ack.user = vuser.user;
  ack.status = static_cast<std::uint16_t>(status);
  ack.sent_us = (vuser.sent.time_since_epoch() + shared_.epoch_offset).count();
  if (facts != nullptr) {
    ack.received_us = (received.time_since_epoch() + shared_.epoch_offset).count();
    ack.code = CodeText(facts->code);
    ack.sequence = facts->sequence;
  }
  acks_.push_back(ack);
  if (acks_.size() >= kAcksInBlock) flush_acks();
}

void Generator::flush_acks() {
  if (shared_.acks == nullptr || acks_.empty()) return;
  AcksFile::Block block;
  block.reserve(kAcksInBlock);
  block.swap(acks_);
  shared_.acks->put(std::move(block));
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
