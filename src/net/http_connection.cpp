#include "net/http_connection.hpp"

#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "proto/http/problem.hpp"

namespace doorbuster::net {

namespace {

/// How long a client that still sends is listened to after the last reply, so that it is not reset.
constexpr Duration kLingerTime = std::chrono::seconds(2);

/// Then other connections are served.
constexpr int kMostReadsInARow = 16;

}  // namespace

HttpConnection::HttpConnection(ConnectionHost& host, int descriptor, std::string peer)
    : host_(&host), descriptor_(descriptor), peer_(std::move(peer)) {}

HttpConnection::~HttpConnection() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

void HttpConnection::start() {
  set_read_deadline();
  if (!host_->watch(*this, descriptor_)) close();
}

void HttpConnection::refuse(const http::Response& response) {
  refused_ = no_more_requests_ = closing_ = true;
  http::serialize(response, false, http::Persistence::close, out());
  host_->flush_later(shared_from_this());
}

void HttpConnection::on_ready(std::uint32_t events) {
  if (host_ == nullptr) return;
  // Closed on both sides. Behind our own shutdown that is the end of lingering, met by reading; before, a
  // reset.
  if ((events & (EPOLLHUP | EPOLLERR)) != 0 && !lingering_) return close();
  if ((events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0) hung_up_ = true;
  if ((events & EPOLLOUT) != 0 && waiting_for_space_) {
    waiting_for_space_ = false;
    flush();
  }
  if ((events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) == 0) return;
  readable_ = true;
  read();
}

void HttpConnection::read() {
  for (int round = 0; host_ != nullptr && wants_input(); ++round) {
    if (round == kMostReadsInARow) {  // the others' turn
      return host_->shard.post([self = shared_from_this()] { self->read(); });
    }
    char* const scratch = host_->scratch.get();
    const auto size = ::recv(descriptor_, scratch, ConnectionHost::kScratchBytes, MSG_DONTWAIT);
    if (size < 0) {
      if (errno == EINTR) continue;
      readable_ = false;
      if (errno != EAGAIN && errno != EWOULDBLOCK) close();
      return;
    }
    if (size == 0) {
      readable_ = false;
      return on_end_of_input();
    }
    // Less than there was room for: all there is. What comes later makes an event of its own; an end that was
    // there already has been told with this one.
    if (static_cast<std::size_t>(size) < ConnectionHost::kScratchBytes && !hung_up_) readable_ = false;
    if (!lingering_) take_input({scratch, static_cast<std::size_t>(size)});
  }
}

void HttpConnection::on_end_of_input() {
  // A body without its end: whatever was asked cannot be done.
  if (upload_ || (host_->options.end_cancels && first_ != next_)) return close();
  input_ended_ = no_more_requests_ = true;
  read_deadline_ = 0;
  // A client may close its side and still wait for what it has asked.
  if (lingering_ || (first_ == next_ && unsent() == 0)) close();
}

void HttpConnection::take_input(std::string_view bytes) {
  if (!tail_.empty()) {
    tail_ += bytes;
    bytes = tail_;
  }
  const auto rest = consume(bytes);
  if (host_ == nullptr) return;
  keep_rest(rest);
  set_read_deadline();
}

/// \returns what belongs to a request that is not complete, or must wait
std::string_view HttpConnection::consume(std::string_view bytes) {
  while (host_ != nullptr && !bytes.empty() && (upload_ || !no_more_requests_)) {
    if (upload_) {
      bytes = feed_upload(bytes);
      if (upload_) return bytes;
      continue;
    }
    if (over_limits()) {
      paused_ = true;
      return bytes;
    }
    auto& parser = parser_ ? *parser_ : *host_->parser;
    switch (parser.parse(bytes)) {
      case http::RequestParser::Status::need_more:
        if (!parser_) {
          parser_ = std::move(host_->parser);
          host_->parser = host_->take_parser();
        }
        if (parser.expects_continue() && !continue_offered_) {
          wants_continue_ = true;
          offer_continue();
        }
        return bytes;
      case http::RequestParser::Status::failed: {
        ++host_->stats.bad_requests;
        reject(http::server_problem(parser.failure().status, parser.failure().detail));
        parser.reset();
        if (parser_) host_->give_parser(std::move(parser_));
        return {};
      }
      case http::RequestParser::Status::complete: {
        const auto size = parser.consumed();
        hand_over(parser);
        parser.reset();
        if (host_ == nullptr) return {};
        if (parser_) host_->give_parser(std::move(parser_));
        wants_continue_ = continue_offered_ = false;
        bytes.remove_prefix(size);
        break;
      }
      case http::RequestParser::Status::streams:
        bytes = begin_upload(bytes);
        break;
    }
  }
  if (host_ == nullptr) return {};
  return no_more_requests_ ? std::string_view() : bytes;
}

void HttpConnection::hand_over(http::RequestParser& parser) {
  ++host_->stats.requests;
  auto& made = new_slot();
  made.has_correlation = parser.correlation().has_value();
  made.correlation = parser.correlation().value_or(0);
  parser.set_peer(peer_);
  made.head_only = parser.request().method == http::Method::head;
  made.old_version = parser.http_1_0();
  made.close = !parser.keep_alive();
  no_more_requests_ = made.close;
  host_->handler(parser.request(), Responder(shared_from_this(), next_ - 1));
}

/// \returns what lies behind the bytes that were read with the head
std::string_view HttpConnection::begin_upload(std::string_view bytes) {
  if (!parser_) {
    parser_ = std::move(host_->parser);
    host_->parser = host_->take_parser();
  }
  if (parser_->expects_continue() && !continue_offered_) {
    wants_continue_ = true;
    offer_continue();
  }
  upload_ = std::make_unique<Upload>(host_->shard, [weak = weak_from_this()] {
    if (const auto self = weak.lock()) self->resume_upload();
  });
  upload_->reader = upload_->pipe.take_reader();
  upload_->pipe.push(parser_->first_piece());
  const auto size = parser_->consumed();
  hand_over(*parser_);
  bytes.remove_prefix(size);
  if (host_ != nullptr && upload_ && (bytes.empty() || parser_->body_done())) feed_upload({});
  return bytes;
}

/// \returns what is behind the body, or must wait until there is room
std::string_view HttpConnection::feed_upload(std::string_view bytes) {
  do {
    if (upload_->pipe.full()) {
      upload_->paused = true;
      return bytes;
    }
    std::string_view piece;
    bytes.remove_prefix(parser_->read_body(bytes, piece));
    upload_->pipe.push(piece);
    if (parser_->body_failed()) {
      ++host_->stats.bad_requests;
      slot(next_ - 1).close = no_more_requests_ = true;
      upload_->pipe.fail(make_error(ErrorCode::malformed, std::string(parser_->failure().detail)));
      drop_upload();
      return {};
    }
    if (parser_->body_done()) {
      upload_->pipe.end();
      drop_upload();
    }
  } while (upload_ && !bytes.empty());
  return bytes;
}

void HttpConnection::drop_upload() {
  const auto dropped = std::move(upload_);
  parser_->reset();
  host_->give_parser(std::move(parser_));
  wants_continue_ = continue_offered_ = false;
}

void HttpConnection::resume_upload() {
  if (host_ == nullptr || !upload_ || !upload_->paused) return;
  upload_->paused = false;
  keep_rest(consume(tail_));
  if (host_ == nullptr) return;
  set_read_deadline();
  read();
}

/// Answers in the request's turn what could not be read as one; the last words of this connection.
void HttpConnection::reject(const http::Response& response) {
  new_slot().close = true;
  no_more_requests_ = true;
  answer(next_ - 1, response);
}

void HttpConnection::keep_rest(std::string_view rest) {
  if (rest.empty()) {
    if (tail_.capacity() > sizeof(std::string)) host_->give_buffer(std::move(tail_));
    tail_.clear();
  } else if (!tail_.empty()) {
    tail_.erase(0, tail_.size() - rest.size());
  } else {
    tail_ = host_->take_buffer();
    tail_ = rest;
  }
}

void HttpConnection::offer_continue() {
  // An interim reply has its place in the order like every other.
  if (!wants_continue_ || first_ != next_) return;
  wants_continue_ = false;
  continue_offered_ = true;
  out() += "HTTP/1.1 100 Continue\r\n\r\n";
  if (!in_flush_list) host_->flush_later(shared_from_this());
}

bool HttpConnection::over_limits() const {
  return next_ - first_ >= host_->options.most_pipelined || unsent() >= host_->options.most_unsent_bytes;
}

void HttpConnection::resume_reading() {
  if (!paused_ || over_limits()) return;
  paused_ = false;
  keep_rest(consume(tail_));
  if (host_ == nullptr) return;
  set_read_deadline();
  read();
}

void HttpConnection::set_read_deadline() {
  if (lingering_) return;
  if (upload_) {
    // A long body takes as long as it takes, while it goes on.
    read_deadline_ = upload_->paused ? 0 : host_->tick + host_->ticks(host_->options.request_timeout);
  } else if (paused_ || no_more_requests_) {
    read_deadline_ = 0;
  } else if (parser_) {
    // From the first byte on: bytes that trickle in do not push it away.
    if (!request_started_) read_deadline_ = host_->tick + host_->ticks(host_->options.request_timeout);
    request_started_ = true;
    return;
  } else {
    read_deadline_ = first_ == next_ ? host_->tick + host_->idle_ticks : 0;
  }
  request_started_ = false;
}

bool HttpConnection::idle() const {
  return first_ == next_ && !parser_ && tail_.empty() && out_.empty() && !lingering_ && !stream_;
}

bool HttpConnection::has_unread() const {
  char byte = 0;
  return ::recv(descriptor_, &byte, 1, MSG_PEEK | MSG_DONTWAIT) > 0;
}

void HttpConnection::check_deadlines() {
  if (host_ == nullptr) return;
  if (write_deadline_ != 0 && host_->tick >= write_deadline_) {
    ++host_->stats.timed_out;
    return close();
  }
  if (read_deadline_ == 0 || host_->tick < read_deadline_) return;
  if (lingering_) return close();
  ++host_->stats.timed_out;
  if (!parser_ || upload_) return close();
  read_deadline_ = 0;
  reject(http::server_problem(408, "the rest of the request did not arrive in time"));
  host_->give_parser(std::move(parser_));
  keep_rest({});
}

void HttpConnection::linger() {
  if (input_ended_) return close();
  ::shutdown(descriptor_, SHUT_WR);
  lingering_ = true;
  read_deadline_ = host_->tick + host_->ticks(kLingerTime);
  read();
}

void HttpConnection::close() {
  if (host_ == nullptr) return;
  const auto self = shared_from_this();  // the host's table may be the last that holds it
  auto& host = *std::exchange(host_, nullptr);
  ::close(std::exchange(descriptor_, -1));  // which ends the watch, too
  if (parser_) host.give_parser(std::move(parser_));
  std::vector<ClientWatcher*> watchers;
  for (auto request = first_; request != next_; ++request) {
    if (auto* watcher = slot(request).watcher) watchers.push_back(watcher);
  }
  slots_.clear();
  upload_ = nullptr;
  // A source that is being asked right now must not be destroyed under its own feet.
  if (stream_) host.shard.post([held = std::move(stream_)] {});
  host.remove(*this);
  for (auto* watcher : watchers) watcher->client_gone();
}

}  // namespace doorbuster::net
