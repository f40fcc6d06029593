#include "net/client_connection.hpp"

#include <fmt/format.h>
#include <sys/socket.h>

#include <boost/asio/write.hpp>
#include <cerrno>
#include <utility>

namespace doorbuster::net {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

ClientConnection::ClientConnection(rt::Shard& shard, const Url& origin, std::size_t most_body_bytes)
    : origin_(origin),
      resolver_(shard.context().get_executor()),
      socket_(shard.context().get_executor()),
      parser_(most_body_bytes) {}

Error ClientConnection::failed(const std::string& why, bool was_sent) const {
  return make_error(was_sent ? ErrorCode::unknown_outcome : ErrorCode::unavailable,
                    fmt::format("http://{}:{} does not answer: {}", origin_.host, origin_.port, why));
}

void ClientConnection::connect(UniqueFunction<void(Result<void>)> done) {
  connected_ = std::move(done);
  resolver_.async_resolve(
      origin_.host, origin_.port,
      [me = shared_from_this()](error_code error, const tcp::resolver::results_type& found) {
        if (me->closed_) return;
        if (error) return std::exchange(me->connected_, nullptr)(me->failed(error.message(), false));
        for (const auto& entry : found) me->endpoints_.push_back(entry.endpoint());
        me->connect_to_next(0);
      });
}

void ClientConnection::connect_to_next(std::size_t index) {
  if (index == endpoints_.size()) return std::exchange(connected_, nullptr)(failed("no address", false));
  error_code ignored;
  socket_.close(ignored);
  socket_.async_connect(endpoints_[index], [me = shared_from_this(), index](error_code error) {
    if (me->closed_) return;
    if (!error) {
      error_code unset;
      me->socket_.set_option(tcp::no_delay(true), unset);
      return std::exchange(me->connected_, nullptr)(Result<void>());
    }
    if (index + 1 < me->endpoints_.size()) return me->connect_to_next(index + 1);
    std::exchange(me->connected_, nullptr)(me->failed(error.message(), false));
  });
}

void ClientConnection::exchange(std::string bytes, bool head_request, UniqueFunction<void()> progress,
                                UniqueFunction<void(Result<void>)> done) {
  out_ = std::move(bytes);
  progress_ = std::move(progress);
  done_ = std::move(done);
  parser_.reset(head_request);
  sent_something_ = false;
  ++exchanges_;
  write();
  read();  // a server may answer before it has read everything
}

void ClientConnection::write() {
  writing_ = true;
  sent_something_ = true;  // from here on nobody knows how far the bytes got
  // A failure is not looked at: what the server said before it hung up is still to be read, and read() meets
  // the end.
  asio::async_write(socket_, asio::buffer(out_),
                    [me = shared_from_this()](error_code, std::size_t) { me->writing_ = false; });
}

void ClientConnection::read() {
  socket_.async_read_some(asio::buffer(buffer_),
                          [me = shared_from_this()](error_code error, std::size_t got) {
                            if (me->closed_ || !me->done_) return;
                            if (error == asio::error::eof) {
                              if (me->parser_.untouched())
                                return me->finish(me->failed("closed without an answer", true));
                              return me->finish(me->parser_.put_end());
                            }
                            if (error) return me->finish(me->failed(error.message(), true));
                            const auto taken = me->parser_.put({me->buffer_.data(), got});
                            if (!taken) return me->finish(taken.error());
                            if (me->parser_.done()) {
                              // More than was asked for, or an answer to half a request: not to be used
                              // again.
                              return me->finish({}, *taken == got && !me->writing_);
                            }
                            auto progress = std::move(me->progress_);  // it may close this connection
                            progress();
                            if (me->closed_) return;
                            me->progress_ = std::move(progress);
                            me->read();
                          });
}

void ClientConnection::finish(Result<void> result, bool reusable) {
  auto done = std::exchange(done_, nullptr);
  progress_ = nullptr;
  if (!result || !reusable || !parser_.keep_alive()) close();
  done(std::move(result));
}

void ClientConnection::close() {
  if (std::exchange(closed_, true)) return;
  connected_ = nullptr;  // they own what owns this
  progress_ = nullptr;
  done_ = nullptr;
  resolver_.cancel();
  error_code ignored;
  socket_.close(ignored);
}

bool ClientConnection::quiet() {
  if (closed_) return false;
  char byte = 0;
  const auto got = ::recv(socket_.native_handle(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
  return got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
}

}  // namespace doorbuster::net
