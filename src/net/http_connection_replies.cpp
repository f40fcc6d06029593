// The reply side of a connection: order, streams, writing.

#include <sys/socket.h>

#include <cerrno>
#include <charconv>

#include "net/http_connection.hpp"
#include "proto/http/problem.hpp"

namespace doorbuster::net {

HttpConnection::Slot& HttpConnection::new_slot() {
  const auto in_the_air = next_ - first_;
  if (in_the_air == slots_.size()) {
    std::vector<Slot> larger(slots_.empty() ? 1 : 2 * slots_.size());
    for (auto request = first_; request != next_; ++request) {
      larger[request & (larger.size() - 1)] = std::move(slot(request));
    }
    slots_ = std::move(larger);
  }
  auto& made = slot(next_++);
  made.ready = made.close = made.chunked = made.head_only = made.old_version = made.has_correlation = false;
  made.watcher = nullptr;
  return made;
}

std::string& HttpConnection::out() {
  if (out_.empty() && out_.capacity() <= sizeof(std::string)) out_ = host_->take_buffer();
  return out_;
}

http::Persistence HttpConnection::persistence_for(std::uint64_t request, Slot& slot) {
  // While the server drains, the last request in the air is the connection's last.
  if (host_->draining && request + 1 == next_) slot.close = no_more_requests_ = true;
  if (slot.close) return http::Persistence::close;
  return slot.old_version ? http::Persistence::keep_alive_1_0 : http::Persistence::keep_alive;
}

/// What a reply's head must say beside the answer itself. The line of the correlation is kept by the host.
ReplyFrame HttpConnection::frame_for(std::uint64_t request, Slot& answered) {
  DOORBUSTER_ASSERT(request >= first_ && request < next_ && !answered.ready);
  answered.watcher = nullptr;
  // The rest of a body that nobody reads any more would be taken for the next request.
  if (upload_ && request + 1 == next_ && !answered.body && !answered.chunked) {
    answered.close = no_more_requests_ = true;
    drop_upload();
  }
  ReplyFrame frame;
  frame.head_only = answered.head_only;
  frame.chunked = answered.chunked;
  frame.persistence = persistence_for(request, answered);
  if (answered.has_correlation) {
    host_->correlation_line.assign("\r\nDoorbuster-Correlation: ");
    char digits[20];
    host_->correlation_line.append(digits,
                                   std::to_chars(digits, digits + sizeof digits, answered.correlation).ptr);
    frame.extra = host_->correlation_line;
  }
  return frame;
}

std::string* HttpConnection::begin_reply(std::uint64_t request, bool close, ReplyFrame& frame) {
  if (host_ == nullptr) return nullptr;
  auto& answered = slot(request);
  answered.close |= close;
  if (close && request + 1 == next_) no_more_requests_ = true;
  frame = frame_for(request, answered);
  return request == first_ ? &out() : &answered.text;
}

void HttpConnection::end_reply(std::uint64_t request) {
  auto& answered = slot(request);
  if (request == first_) {
    closing_ = answered.close;
    ++first_;
    advance();
  } else {
    held_bytes_ += answered.text.size();
    answered.ready = true;
  }
  if (!in_flush_list) host_->flush_later(shared_from_this());
}

void HttpConnection::answer(std::uint64_t request, const http::Response& response) {
  ReplyFrame frame;
  auto* text = begin_reply(request, false, frame);
  if (text == nullptr) return;
  http::serialize(response, frame.head_only, frame.persistence, *text, frame.extra);
  end_reply(request);
}

std::string* HttpConnection::begin_stream(std::uint64_t request, bool has_length, ReplyFrame& frame) {
  if (host_ == nullptr) return nullptr;
  auto& answered = slot(request);
  if (!has_length) {
    answered.chunked = !answered.old_version;
    if (answered.old_version && !answered.head_only) {
      // HTTP/1.0 has no chunks: the end of the connection is the end of the body.
      answered.close = true;
      no_more_requests_ = true;
    }
  }
  frame = frame_for(request, answered);
  return &answered.text;
}

void HttpConnection::end_stream_head(std::uint64_t request, std::unique_ptr<BodySource> body) {
  auto& answered = slot(request);
  held_bytes_ += answered.text.size();
  answered.ready = true;
  if (!answered.head_only) answered.body = std::move(body);
  advance();
  if (!in_flush_list) host_->flush_later(shared_from_this());
}

void HttpConnection::answer_stream(std::uint64_t request, const http::Response& head,
                                   std::unique_ptr<BodySource> body) {
  ReplyFrame frame;
  auto* text = begin_stream(request, false, frame);
  if (text == nullptr) return;
  const auto framing = frame.chunked ? http::Framing::chunked : http::Framing::until_close;
  http::serialize_head(head, framing, frame.persistence, *text, frame.extra);
  end_stream_head(request, std::move(body));
}

std::unique_ptr<BodySource> HttpConnection::take_body(std::uint64_t request) {
  if (host_ == nullptr || !upload_ || request + 1 != next_) return nullptr;
  return std::move(upload_->reader);
}

void HttpConnection::watch_client(std::uint64_t request, ClientWatcher* watcher) {
  if (host_ == nullptr || request < first_ || request >= next_ || slot(request).ready) return;
  slot(request).watcher = watcher;
}

/// Moves to out_ what is complete and whose turn has come.
void HttpConnection::advance() {
  while (first_ != next_ && !stream_ && slot(first_).ready) {
    auto& due = slot(first_);
    out() += due.text;
    held_bytes_ -= due.text.size();
    due.text.clear();
    due.ready = false;
    if (due.body) {
      stream_ = std::make_unique<Stream>();
      stream_->source = std::move(due.body);
      stream_->chunked = due.chunked;
      stream_->close = due.close;
      return;
    }
    closing_ = due.close;
    ++first_;
  }
  if (wants_continue_) offer_continue();
}

void HttpConnection::take_piece() {
  if (!stream_ || !stream_->arrived) return;
  auto arrived = std::move(*stream_->arrived);
  stream_->arrived.reset();
  stream_->asked = false;
  if (!arrived) {
    // Without its last chunk, the client cannot mistake the reply for a whole one.
    out().clear();
    return close();
  }
  auto& buffer = out();
  if (!*arrived) {
    if (stream_->chunked) buffer += "0\r\n\r\n";
    closing_ = stream_->close;
    if (upload_) {  // its answer is complete; nobody reads on
      closing_ = no_more_requests_ = true;
      drop_upload();
    }
    stream_.reset();
    ++first_;
    return advance();
  }
  const std::string& piece = **arrived;
  if (piece.empty()) return;  // an empty chunk would be the last
  if (!stream_->chunked) {
    buffer += piece;
    return;
  }
  char digits[20];
  const auto end = std::to_chars(digits, digits + sizeof digits, piece.size(), 16).ptr;
  buffer.append(digits, end);
  buffer += "\r\n";
  buffer += piece;
  buffer += "\r\n";
}

void HttpConnection::ask_for_piece() {
  if (stream_->asked || stream_->arrived) return;
  stream_->asked = true;
  // What comes is taken at the end of the turn: never while the source is still in its call.
  stream_->source->next([weak = weak_from_this()](Result<std::optional<std::string>> piece) {
    const auto self = weak.lock();
    if (!self || self->host_ == nullptr || !self->stream_) return;
    self->stream_->arrived.emplace(std::move(piece));
    if (!self->in_flush_list) self->host_->flush_later(self);
  });
}

void HttpConnection::flush() {
  if (host_ == nullptr || waiting_for_space_) return;
  take_piece();
  if (host_ == nullptr || !send_some()) return;
  if (out_.empty()) {
    if (closing_) return linger();
    if (stream_) {
      ask_for_piece();
    } else if (first_ == next_) {
      if (input_ended_) return close();
      // Its last reply was written before the drain began, and could not say that no more follow.
      if (host_->draining && idle() && !has_unread()) return linger();
      if (!parser_ && !paused_) set_read_deadline();
    }
    if (host_ == nullptr) return;
  }
  resume_reading();
}

/// \returns false when the connection is closed
bool HttpConnection::send_some() {
  if (out_.empty()) return true;
  const auto size =
      ::send(descriptor_, out_.data() + sent_, out_.size() - sent_, MSG_NOSIGNAL | MSG_DONTWAIT);
  if (size < 0 && errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR) {
    close();
    return false;
  }
  if (size > 0) sent_ += static_cast<std::size_t>(size);
  if (sent_ == out_.size()) {
    sent_ = 0;
    write_deadline_ = 0;
    host_->give_buffer(std::move(out_));
    return true;
  }
  if (size > 0 || write_deadline_ == 0) {
    write_deadline_ = host_->tick + host_->ticks(host_->options.write_timeout);
  }
  if (sent_ >= host_->options.most_unsent_bytes) {  // what has gone must not count as memory for ever
    out_.erase(0, sent_);
    sent_ = 0;
  }
  waiting_for_space_ = true;  // an event tells when there is some
  return true;
}

Responder::Responder(std::shared_ptr<HttpConnection> connection, std::uint64_t request) noexcept
    : connection_(std::move(connection)), request_(request) {}

Responder& Responder::operator=(Responder&& other) noexcept {
  if (this == &other) return *this;
  Responder dropped(std::move(*this));
  connection_ = std::move(other.connection_);
  request_ = other.request_;
  return *this;
}

Responder::~Responder() {
  if (connection_) send(http::server_problem(500, "the request was dropped without an answer"));
}

void Responder::send(const http::Response& response) {
  DOORBUSTER_ASSERT(connection_ != nullptr);
  std::exchange(connection_, nullptr)->answer(request_, response);
}

std::string* Responder::begin(bool close, ReplyFrame& frame) {
  DOORBUSTER_ASSERT(connection_ != nullptr);
  auto* text = connection_->begin_reply(request_, close, frame);
  if (text == nullptr) connection_ = nullptr;
  return text;
}

void Responder::end() {
  std::exchange(connection_, nullptr)->end_reply(request_);
}

std::string* Responder::begin_stream(bool has_length, ReplyFrame& frame) {
  DOORBUSTER_ASSERT(connection_ != nullptr);
  auto* text = connection_->begin_stream(request_, has_length, frame);
  if (text == nullptr) connection_ = nullptr;
  return text;
}

void Responder::end_stream(std::unique_ptr<BodySource> body) {
  std::exchange(connection_, nullptr)->end_stream_head(request_, std::move(body));
}

std::unique_ptr<BodySource> Responder::take_body() {
  return connection_ ? connection_->take_body(request_) : nullptr;
}

void Responder::watch_client(ClientWatcher* watcher) {
  if (connection_) connection_->watch_client(request_, watcher);
}

void Responder::send_stream(const http::Response& head, std::unique_ptr<BodySource> body) {
  DOORBUSTER_ASSERT(connection_ != nullptr);
  std::exchange(connection_, nullptr)->answer_stream(request_, head, std::move(body));
}

}  // namespace doorbuster::net
