// The life of a request: claimed, sent, answered or not.

#include <sys/socket.h>

#include <algorithm>
#include <boost/asio/buffer.hpp>
#include <boost/asio/error.hpp>
#include <cctype>
#include <cerrno>
#include <charconv>

#include "loadlab/generator.hpp"

namespace doorbuster::loadlab {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;

constexpr std::size_t kAcksInBlock = 4096;
constexpr Duration kPauseAfterFailedConnect = std::chrono::milliseconds(50);
/// After a 503 or 429 that does not say when to come back, and after no reply.
constexpr Duration kPauseBeforeRetry = std::chrono::seconds(1);
/// Between two questions for the outcome of a request that was answered 202: doubles.
constexpr Duration kFirstOutcomePause = std::chrono::milliseconds(10);
constexpr Duration kLongestOutcomePause = std::chrono::milliseconds(100);
constexpr std::size_t kLongestOutcomePath = 512;
constexpr Duration kLongestDrain = std::chrono::seconds(1);

bool plausible(std::string_view code) {
  return code.size() <= 23 && std::all_of(code.begin(), code.end(), [](unsigned char c) {
           return std::isalnum(c) != 0 || c == '-' || c == '_';
         });
}

/// Only the owner writes: no locked addition is needed.
template <class Number>
void add(std::atomic<Number>& counter, Number value) {
  counter.store(counter.load(std::memory_order_relaxed) + value, std::memory_order_relaxed);
}

}  // namespace

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
  if (!transmit(vuser, requests_[vuser.target].for_user(vuser.user))) return;
  vuser.sent_anything = true;
  ++tally_.requests_sent;
}

/// \returns whether the connection took the bytes, now or later; otherwise the request has failed
bool Generator::transmit(VirtualUser& vuser, std::string_view bytes) {
  const auto taken = ::send(vuser.socket.native_handle(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
  if (taken < 0 && errno != EAGAIN && errno != EWOULDBLOCK) {
    failed(vuser, errno == EPIPE ? ErrorKind::closed : ErrorKind::reset);
    return false;
  }
  const auto size = static_cast<std::size_t>(std::max<ssize_t>(taken, 0));
  if (size < bytes.size()) {
    vuser.unsent = bytes.substr(size);
    send_rest(vuser);
  }
  return true;
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
  if (!vuser.outcome_path.empty() && vuser.parser.untouched()) {
    // Only the question is lost; the next one goes over a new connection.
    close(vuser);
    return ask_for_outcome_later(vuser, now());
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
  if (!vuser.outcome_path.empty()) return outcome_replied(vuser, at);
  if (status == 202) {
    const auto path = vuser.parser.header("location");
    if (path.starts_with('/') && path.size() <= kLongestOutcomePath) return follow(vuser, path, at);
  }
  const auto facts = read_reply(status, vuser.parser.body());
  if (!plausible(facts.code)) {
    failed(vuser, ErrorKind::bad_reply);
    return;
  }
  finish(vuser, at, status, facts);
}

void Generator::follow(VirtualUser& vuser, std::string_view path, Moment at) {
  vuser.outcome_path = path;
  vuser.outcome_pause = kFirstOutcomePause;
  ask_for_outcome_later(vuser, at);
}

void Generator::ask_for_outcome_later(VirtualUser& vuser, Moment at) {
  const bool ends = !vuser.parser.keep_alive() || shared_.options.connections == Connections::per_request;
  vuser.parser.reset();
  if (ends) close(vuser);
  vuser.state = State::following;
  wake_[vuser.index] = std::min(at + vuser.outcome_pause, vuser.sent + shared_.options.timeout);
  vuser.outcome_pause = std::min(2 * vuser.outcome_pause, kLongestOutcomePause);
}

void Generator::ask_for_outcome(VirtualUser& vuser, Moment at) {
  if (!vuser.connected) {
    --busy_;  // open() counts it
    return open(vuser);
  }
  if (vuser.state == State::connecting) ++busy_;
  vuser.state = State::waiting;
  wake_[vuser.index] = std::max(at, vuser.sent + shared_.options.timeout);
  if (transmit(vuser, requests_[vuser.target].for_outcome(vuser.outcome_path))) ++tally_.outcome_asks;
}

void Generator::outcome_replied(VirtualUser& vuser, Moment at) {
  const int status = vuser.parser.status();
  if (status == 503 || status == 429) {
    vuser.outcome_pause = kPauseBeforeRetry;
    return ask_for_outcome_later(vuser, at);
  }
  if (status != 200) return failed(vuser, read_reply(status, {}).error.value_or(ErrorKind::bad_reply));
  const auto outcome = read_outcome(vuser.parser.body());
  if (!outcome || !plausible(outcome->facts.code)) return failed(vuser, ErrorKind::bad_reply);
  if (outcome->pending) return ask_for_outcome_later(vuser, at);
  finish(vuser, at, outcome->status, outcome->facts);
}

/// The campaign has answered, or somebody in its place.
void Generator::finish(VirtualUser& vuser, Moment at, int status, const ReplyFacts& facts) {
  vuser.outcome_path.clear();
  note(vuser, at, status, &facts);
  tally_.reply(shared_.window, vuser.meant, at, facts);
  if (!facts.code.empty()) keep_sighting(vuser, at, status, facts);
  if (facts.error) {
    add(live.errors, std::uint64_t{1});
  } else {
    add(live.successes, std::uint64_t{1});
    add(live.success_us, std::int64_t{(at - vuser.meant).count()});
    if (facts.outcome == Outcome::issued) add(live.issued, std::uint64_t{1});
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

void Generator::keep_sighting(const VirtualUser& vuser, Moment at, int status, const ReplyFacts& facts) {
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
  const auto* end = std::to_chars(digits, digits + sizeof digits, vuser.user).ptr;
  const std::string_view own(digits, static_cast<std::size_t>(end - digits));
  if (!facts.user.empty() && facts.user != own) ++tally_.wrong_users;
}

void Generator::failed(VirtualUser& vuser, ErrorKind kind) {
  const auto at = now();
  // What was accepted and whose outcome never came promises nothing, and is no silence either.
  if (vuser.sent_anything) note(vuser, at, vuser.outcome_path.empty() ? 0 : 202, nullptr);
  vuser.outcome_path.clear();
  tally_.failure(shared_.window, vuser.meant, at, kind);
  add(live.errors, std::uint64_t{1});
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
    ack.problem = problem_slug(facts->outcome);
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

}  // namespace doorbuster::loadlab
