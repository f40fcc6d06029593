// The connection of one virtual user: open, send, read, close, and what came of it.

#include <boost/asio/buffer.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/write.hpp>
#include <cstring>

#include "loadlab/load_thread.hpp"

namespace doorbuster::loadlab {
namespace {

namespace asio = boost::asio;

/// Before a virtual user tries again when no connection could be made.
constexpr Duration kPauseAfterFailure = std::chrono::milliseconds(100);
constexpr std::size_t kAcksInBlock = 4096;

ErrorKind connect_kind(const boost::system::error_code& error) {
  if (error == asio::error::connection_refused) return ErrorKind::connect_refused;
  if (error == asio::error::timed_out) return ErrorKind::connect_timeout;
  if (error.value() == EADDRNOTAVAIL) return ErrorKind::no_local_port;
  return ErrorKind::connect_failed;
}

std::string_view problem_text(Outcome outcome) {
  switch (outcome) {
    case Outcome::sold_out:
      return "sold-out";
    case Outcome::not_started:
      return "not-started";
    case Outcome::ended:
      return "ended";
    case Outcome::paused:
      return "paused";
    default:
      return {};
  }
}

}  // namespace

void LoadThread::open(VirtualUser& vuser, Moment give_up_at) {
  vuser.state = State::connecting;
  expiry_[vuser.number] = give_up_at;
  const auto& endpoint = shared_.endpoints[vuser.target];
  ErrorCodeOfAsio error;
  vuser.socket.open(endpoint.protocol(), error);
  if (!error) vuser.socket.non_blocking(true, error);
  if (!error) vuser.socket.set_option(Tcp::no_delay(true), error);
  const auto generation = vuser.generation;
  if (error) {
    // Reported from the loop, as every other result, so that no caller is surprised by it.
    asio::post(context_, [this, &vuser, generation, error] {
      if (vuser.generation == generation) opened(vuser, error);
    });
    return;
  }
  vuser.socket.async_connect(endpoint, [this, &vuser, generation](const ErrorCodeOfAsio& result) {
    if (vuser.generation == generation) opened(vuser, result);
  });
}

void LoadThread::opened(VirtualUser& vuser, const ErrorCodeOfAsio& error) {
  vuser.connected = !error;
  if (!started_) return barrier_result(vuser, error ? error.message() : std::string());
  if (error) return failed(vuser, connect_kind(error));
  vuser.sent = now();
  send(vuser);
}

void LoadThread::close(VirtualUser& vuser, bool reset) {
  ++vuser.generation;
  vuser.connected = false;
  vuser.unsent.clear();
  if (!vuser.socket.is_open()) return;
  ErrorCodeOfAsio ignored;
  if (reset) vuser.socket.set_option(asio::socket_base::linger(true, 0), ignored);
  vuser.socket.close(ignored);
}

void LoadThread::send(VirtualUser& vuser) {
  vuser.state = State::waiting;
  expiry_[vuser.number] = vuser.sent + shared_.options.timeout;
  vuser.parser.reset();
  const auto bytes = requests_[vuser.target].for_user(vuser.user);
  ErrorCodeOfAsio error;
  auto size = vuser.socket.write_some(asio::buffer(bytes), error);
  if (error == asio::error::would_block) {
    error.clear();
    size = 0;
  }
  if (error) {
    // The server had closed the connection before: nothing of this request reached it.
    asio::post(context_, [this, &vuser, generation = vuser.generation] {
      if (vuser.generation == generation) failed(vuser, ErrorKind::reset);
    });
    return;
  }
  if (size != 0) {
    vuser.sent_anything = true;
    ++tally_.requests_sent;
  }
  if (size != bytes.size()) {
    vuser.unsent.assign(bytes.substr(size));
    send_rest(vuser);
  }
  read(vuser);
}

void LoadThread::send_rest(VirtualUser& vuser) {
  asio::async_write(vuser.socket, asio::buffer(vuser.unsent),
                    [this, &vuser, generation = vuser.generation](const ErrorCodeOfAsio& error, std::size_t) {
                      if (vuser.generation != generation || vuser.state != State::waiting) return;
                      // A failure shows on the reading side, too, with more to say.
                      if (error || vuser.sent_anything) return;
                      vuser.sent_anything = true;
                      ++tally_.requests_sent;
                    });
}

void LoadThread::read(VirtualUser& vuser) {
  vuser.socket.async_read_some(
      asio::buffer(vuser.input),
      [this, &vuser, generation = vuser.generation](const ErrorCodeOfAsio& error, std::size_t size) {
        if (vuser.generation == generation) received(vuser, error, size);
      });
}

void LoadThread::received(VirtualUser& vuser, const ErrorCodeOfAsio& error, std::size_t size) {
  if (error) {
    if (error == asio::error::eof && !vuser.parser.untouched() && vuser.parser.put_end())
      return replied(vuser);
    return failed(vuser, error == asio::error::eof ? ErrorKind::closed : ErrorKind::reset);
  }
  const auto taken = vuser.parser.put({vuser.input.data(), size});
  // More bytes than announced cannot be told from the next reply: the connection is of no more use.
  if (!taken || (vuser.parser.done() && *taken != size)) return failed(vuser, ErrorKind::bad_reply);
  if (vuser.parser.done()) return replied(vuser);
  read(vuser);
}

void LoadThread::replied(VirtualUser& vuser) {
  const auto at = now();
  const auto status = vuser.parser.status();
  const auto facts = read_reply(status, vuser.parser.body());
  expiry_[vuser.number] = Moment::max();
  tally_.reply(shared_.window, vuser.meant, at, facts);
  note(vuser, at, status, &facts);
  Duration wait = Duration::zero();
  if (shared_.options.retry && (facts.outcome == Outcome::unavailable || facts.outcome == Outcome::limited)) {
    vuser.asks_again = true;
    wait = std::chrono::seconds(retry_after_seconds(vuser.parser.header("Retry-After")).value_or(1));
  }
  if (shared_.options.connections == Connections::per_request) {
    close(vuser, true);
  } else if (!vuser.parser.keep_alive()) {
    close(vuser, false);
  }
  if (wait > Duration::zero()) return pause(vuser, at + wait);
  next(vuser, at);
}

void LoadThread::failed(VirtualUser& vuser, ErrorKind kind) {
  const auto at = now();
  expiry_[vuser.number] = Moment::max();
  tally_.failure(shared_.window, vuser.meant, at, kind);
  if (vuser.sent_anything) note(vuser, at, 0, nullptr);
  const bool connected = vuser.connected;
  close(vuser, true);
  vuser.asks_again = shared_.options.retry;
  // Nobody is helped by a loop that asks a dead server a million times a second.
  if (!over(at) && (!connected || shared_.options.retry)) return pause(vuser, at + kPauseAfterFailure);
  next(vuser, at);
}

void LoadThread::note(const VirtualUser& vuser, Moment at, int status, const ReplyFacts* facts) {
  const bool has_coupon = facts != nullptr && !facts->code.empty() && facts->code.size() <= 23;
  if (has_coupon) {
    Sighting sighting;
    sighting.user = vuser.user;
    sighting.sequence = facts->sequence;
    sighting.sent = vuser.sent;
    sighting.received = at;
    sighting.code = CodeText(facts->code);
    sighting.created = status == 201;
    sighting.measured = vuser.meant >= shared_.window.from;
    tally_.sightings.push_back(sighting);
    std::uint64_t named = 0;
    for (const char c : facts->user) named = named * 10 + static_cast<std::uint64_t>(c - '0');
    if (!facts->user.empty() && named != vuser.user) ++tally_.wrong_users;
  }
  if (shared_.acks == nullptr) return;
  Ack ack;
  ack.user = vuser.user;
  ack.sent_at = (vuser.sent.time_since_epoch() + shared_.epoch_offset).count();
  ack.status = static_cast<std::uint16_t>(status);
  if (status != 0) ack.received_at = (at.time_since_epoch() + shared_.epoch_offset).count();
  if (has_coupon) {
    ack.code = CodeText(facts->code);
    ack.sequence = facts->sequence;
  }
  if (facts != nullptr) ack.problem = problem_text(facts->outcome);
  acks_.push_back(ack);
  if (acks_.size() >= kAcksInBlock) flush_acks();
}

void LoadThread::flush_acks() {
  if (shared_.acks == nullptr || acks_.empty()) return;
  AcksFile::Block block;
  block.reserve(kAcksInBlock);
  block.swap(acks_);
  shared_.acks->put(std::move(block));
}

}  // namespace doorbuster::loadlab
