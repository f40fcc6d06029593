#include "net/http_connection.hpp"

#include <fmt/format.h>
#include <sys/socket.h>

#include <algorithm>
#include <utility>

#include "net/http_server_impl.hpp"

namespace doorbuster::net {

namespace asio = boost::asio;

namespace {

constexpr std::size_t kFirstReadBytes = 2048;       // a request with a browser's headers
constexpr std::size_t kKeptWriteBytes = 16 * 1024;  // a larger buffer is given back when it is empty
constexpr auto kLingerTime = std::chrono::seconds(2);
constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";

http::ParseLimits limits_of(const HttpServerOptions& options) {
  http::ParseLimits limits;
  limits.header_bytes = options.most_header_bytes;
  limits.body_bytes = options.most_body_bytes;
  return limits;
}

http::Response problem(const http::ParseFailure& failure) {
  http::Response response;
  response.status = failure.status;
  response.content_type = "application/problem+json";
  response.body = fmt::format(R"({{"type":"/problems/{}","title":"{}","status":{},"detail":"{}"}})",
                              failure.slug, failure.title, failure.status, failure.detail);
  return response;
}

constexpr http::ParseFailure kTimedOut = {408, "request-timeout", "The request took too long",
                                          "the rest of the request did not arrive in time"};

}  // namespace

HttpConnection::HttpConnection(std::shared_ptr<HttpServerImpl> server, Socket socket)
    : server_(std::move(server)), socket_(std::move(socket)), parser_(limits_of(server_->options())) {
  server_->add(*this);
}

HttpConnection::~HttpConnection() {
  server_->remove(*this);
}

void HttpConnection::start() {
  progress_ = server_->now();
  in_.resize(kFirstReadBytes);
  read();
}

bool HttpConnection::may_read() const {
  const auto& options = server_->options();
  return !gone_ && !reading_ && !last_request_read_ && next_request_ - next_reply_ < options.most_pipelined &&
         out_.size() - out_sent_ < options.most_unsent_bytes;
}

void HttpConnection::read() {
  if (!may_read()) return;
  reading_ = true;
  socket_.async_read_some(asio::buffer(in_.data() + in_used_, in_.size() - in_used_),
                          [self = shared_from_this()](boost::system::error_code error, std::size_t bytes) {
                            self->on_read(error, bytes);
                          });
}

void HttpConnection::on_read(boost::system::error_code error, std::size_t bytes) {
  reading_ = false;
  if (gone_ || lingering_) return;
  if (error) {
    // The client has sent its last. It may still be waiting for replies: a half-closed connection is
    // answered.
    last_request_read_ = true;
    if (error != asio::error::eof || owes_nothing()) return cut();
    return;
  }
  in_used_ += bytes;
  progress_ = server_->now();
  parse();
}

void HttpConnection::parse() {
  while (in_parsed_ < in_used_ && !last_request_read_) {
    if (next_request_ - next_reply_ >= server_->options().most_pipelined)
      break;  // read() goes on after a reply
    const auto status = parser_.parse(std::string_view(in_).substr(in_parsed_, in_used_ - in_parsed_));
    if (status == http::RequestParser::Status::failed) return refuse(parser_.failure());
    if (status == http::RequestParser::Status::need_more) {
      if (!std::exchange(in_request_, true)) request_began_ = server_->now();
      if (parser_.expects_continue() && owes_nothing() && !std::exchange(continue_sent_, true)) {
        out_ += kContinue;
        want_flush();
      }
      break;
    }
    in_request_ = continue_sent_ = false;
    ++server_->stats.requests;
    RequestTicket ticket;
    ticket.number = next_request_++;
    ticket.head_only = parser_.request().method == http::Method::head;
    if (!parser_.keep_alive() || server_->draining()) {
      ticket.persistence = http::Persistence::close;
      last_request_read_ = true;
    } else if (parser_.http_1_0()) {
      ticket.persistence = http::Persistence::keep_alive_1_0;
    }
    ticket.http_1_0 = parser_.http_1_0();
    server_->handle(parser_.request(), Responder(shared_from_this(), ticket));
    if (gone_) return;
    in_parsed_ += parser_.consumed();
    parser_.reset();
  }
  if (in_parsed_ == in_used_) {
    in_parsed_ = in_used_ = 0;
    if (in_.size() > kFirstReadBytes) {
      in_.resize(kFirstReadBytes);
      in_.shrink_to_fit();
    }
  } else if (in_used_ == in_.size()) {
    // Full, and its last request is not complete (or has to wait): move it to the front, grow when it fills
    // all.
    in_.erase(0, in_parsed_);
    in_used_ -= in_parsed_;
    in_parsed_ = 0;
    in_.resize(std::max(in_used_ * 2, kFirstReadBytes));
  }
  read();
}

void HttpConnection::refuse(const http::ParseFailure& failure) {
  ++server_->stats.bad_requests;
  RequestTicket ticket;
  ticket.number = next_request_++;
  ticket.persistence = http::Persistence::close;
  last_request_read_ = true;
  reply(ticket, problem(failure));
}

void HttpConnection::reply(const RequestTicket& ticket, const http::Response& response) {
  if (gone_) return;
  if (ticket.number != next_reply_ || stream_) {
    Ahead ahead;
    ahead.ticket = ticket;
    http::serialize(response, ticket.head_only, ticket.persistence, ahead.bytes);
    ahead_.emplace(ticket.number, std::move(ahead));
    return;
  }
  http::serialize(response, ticket.head_only, ticket.persistence, out_);
  advance(ticket);
  want_flush();
}

void HttpConnection::reply_stream(const RequestTicket& ticket, const http::Response& head,
                                  std::unique_ptr<BodySource> body) {
  if (gone_) return;
  // A client of HTTP/1.0 knows no chunks: its body ends with the connection.
  Ahead ahead;
  ahead.ticket = ticket;
  if (ticket.http_1_0) {
    ahead.ticket.persistence = http::Persistence::close;
    last_request_read_ = true;
  }
  const auto framing = ticket.http_1_0 ? http::Framing::until_close : http::Framing::chunked;
  http::serialize_head(head, framing, ahead.ticket.persistence, ahead.bytes);
  if (!ticket.head_only) ahead.body = std::move(body);
  if (ticket.number != next_reply_ || stream_) {
    ahead_.emplace(ticket.number, std::move(ahead));
    return;
  }
  out_ += ahead.bytes;
  if (ahead.body) {
    begin_stream(ahead.ticket, std::move(ahead.body));
  } else {
    advance(ahead.ticket);
  }
  want_flush();
}

/// The reply of `ticket` is written: those that were completed before their turn follow.
void HttpConnection::advance(const RequestTicket& ticket) {
  next_reply_ = ticket.number + 1;
  while (!ahead_.empty() && ahead_.begin()->first == next_reply_) {
    auto ready = ahead_.extract(ahead_.begin());
    out_ += ready.mapped().bytes;
    if (ready.mapped().body) return begin_stream(ready.mapped().ticket, std::move(ready.mapped().body));
    ++next_reply_;
  }
}

void HttpConnection::begin_stream(const RequestTicket& ticket, std::unique_ptr<BodySource> body) {
  next_reply_ = ticket.number;
  stream_ = std::move(body);
  stream_chunked_ = !ticket.http_1_0;
}

/// Asks for the next piece when all before it has been written.
void HttpConnection::pull_stream() {
  if (!stream_ || stream_pulling_ || writing_ || out_.size() != out_sent_) return;
  stream_pulling_ = true;
  stream_->next([self = shared_from_this()](Result<std::optional<std::string>> piece) {
    self->on_piece(std::move(piece));
  });
}

void HttpConnection::on_piece(Result<std::optional<std::string>> piece) {
  stream_pulling_ = false;
  if (gone_) return;
  if (!piece) return cut();  // the client must see that it has not got everything
  if (*piece) {
    if ((*piece)->empty()) return want_flush();
    if (stream_chunked_) out_ += fmt::format("{:x}\r\n", (*piece)->size());
    out_ += **piece;
    if (stream_chunked_) out_ += "\r\n";
  } else {
    if (stream_chunked_) out_ += "0\r\n\r\n";
    stream_ = nullptr;
    RequestTicket ended;
    ended.number = next_reply_;
    advance(ended);
  }
  want_flush();
}

void HttpConnection::want_flush() {
  if (std::exchange(flush_wanted_, true)) return;
  server_->flush_later(shared_from_this());
}

void HttpConnection::flush() {
  flush_wanted_ = false;
  if (gone_ || writing_) return;
  while (out_sent_ < out_.size()) {
    // Directly: the socket is almost always writable, and a turn through the reactor costs more than the
    // call.
    const auto sent = ::send(socket_.native_handle(), out_.data() + out_sent_, out_.size() - out_sent_,
                             MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0) {
      if (errno == EINTR) continue;
      if (errno == EAGAIN || errno == EWOULDBLOCK) return wait_writable();
      return cut();
    }
    out_sent_ += static_cast<std::size_t>(sent);
    progress_ = server_->now();
  }
  after_write();
}

void HttpConnection::wait_writable() {
  writing_ = true;
  socket_.async_wait(Socket::wait_write, [self = shared_from_this()](boost::system::error_code error) {
    self->writing_ = false;
    if (self->gone_) return;
    if (error) return self->cut();
    self->flush();
  });
}

void HttpConnection::after_write() {
  out_.clear();
  out_sent_ = 0;
  if (out_.capacity() > kKeptWriteBytes) out_.shrink_to_fit();
  if (stream_) return pull_stream();
  if (last_request_read_ && owes_nothing()) return finish();
  if (!reading_) {
    parse();  // requests that had to wait for this one's reply
  }
}

void HttpConnection::drain() {
  if (gone_) return;
  if (owes_nothing() && !in_request_) {
    last_request_read_ = true;
    finish();
  }
  // Otherwise the reply to what is in the air, or to the request that is arriving, says `Connection: close`.
  if (next_reply_ != next_request_) last_request_read_ = true;
}

/// Everything is sent. Closing now would reset the connection if the client has sent more than was read, and
/// a reset can overtake the reply: say that no more comes, then read and drop until the client closes.
void HttpConnection::finish() {
  if (std::exchange(lingering_, true)) return;
  boost::system::error_code error;
  socket_.shutdown(Socket::shutdown_send, error);
  if (error) return cut();
  progress_ = std::chrono::steady_clock::now();
  if (reading_) socket_.cancel(error);
  linger();
}

void HttpConnection::linger() {
  in_.resize(kFirstReadBytes);
  socket_.async_wait(Socket::wait_read, [self = shared_from_this()](boost::system::error_code error) {
    if (self->gone_) return;
    if (error) return self->cut();
    while (true) {
      const auto got =
          ::recv(self->socket_.native_handle(), self->in_.data(), self->in_.size(), MSG_DONTWAIT);
      if (got > 0) continue;
      if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) break;
      return self->cut();  // closed by the client, or an error
    }
    self->linger();
  });
}

void HttpConnection::cut() {
  if (std::exchange(gone_, true)) return;
  boost::system::error_code ignored;
  socket_.close(ignored);
  stream_ = nullptr;
  ahead_.clear();
}

void HttpConnection::check_timeouts(SteadyTime now) {
  const auto& options = server_->options();
  if (gone_) return;
  const auto waited = now - progress_;
  if (lingering_) {
    if (waited > kLingerTime) cut();
  } else if (out_sent_ < out_.size()) {
    if (waited > options.write_timeout) {
      ++server_->stats.timed_out;
      cut();
    }
  } else if (in_request_ && owes_nothing()) {
    if (now - request_began_ > options.request_timeout) {
      ++server_->stats.timed_out;
      in_request_ = false;
      refuse(kTimedOut);
    }
  } else if (owes_nothing() && waited > options.idle_timeout) {
    ++server_->stats.timed_out;
    cut();
  }
}

}  // namespace doorbuster::net
