#include "adapters/redis/socket.hpp"

#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstring>

namespace doorbuster::redis {

namespace asio = boost::asio;
using asio::ip::tcp;

namespace {

constexpr std::size_t kReadBytes = 64 * 1024;
constexpr int kMostReadsInARow = 16;  // then the others' turn
constexpr std::size_t kMostBytesKept = 1 << 20;

}  // namespace

void Socket::connect(const Options& options, Events events) {
  events_ = std::move(events);
  open_ = true;
  resolver_.async_resolve(options.host, std::to_string(options.port),
                          [self = shared_from_this()](const Error& error, tcp::resolver::results_type found) {
                            if (!self->open_) return;
                            if (error) return self->fail("its name is not known: " + error.message());
                            self->try_next(found, found.begin());
                          });
}

void Socket::try_next(tcp::resolver::results_type found, tcp::resolver::results_type::iterator next) {
  Error ignored;
  socket_.close(ignored);
  const auto endpoint = next->endpoint();
  socket_.async_connect(endpoint, [self = shared_from_this(), found, next](const Error& error) mutable {
    if (!self->open_) return;
    if (!error) return self->on_connected();
    if (++next != found.end()) return self->try_next(found, next);
    self->fail(error.message());
  });
}

void Socket::on_connected() {
  Error ignored;
  socket_.set_option(tcp::no_delay(true), ignored);
  socket_.set_option(asio::socket_base::keep_alive(true), ignored);
  socket_.native_non_blocking(true, ignored);
  wait_readable();
  events_.connected();
}

void Socket::wait_readable() {
  socket_.async_wait(tcp::socket::wait_read, [self = shared_from_this()](const Error& error) {
    if (!self->open_) return;
    if (error) return self->fail(error.message());
    self->read();
  });
}

void Socket::read() {
  std::array<char, kReadBytes> buffer;
  const auto self = shared_from_this();
  for (int round = 0; open_ && round < kMostReadsInARow; ++round) {
    const auto size = ::recv(socket_.native_handle(), buffer.data(), buffer.size(), MSG_DONTWAIT);
    if (size < 0) {
      if (errno == EINTR) continue;
      if (errno == EAGAIN || errno == EWOULDBLOCK) break;
      return fail(::strerrordesc_np(errno));
    }
    if (size == 0) return fail("it has closed the connection");
    events_.arrived({buffer.data(), static_cast<std::size_t>(size)});
    if (static_cast<std::size_t>(size) < buffer.size()) break;
  }
  if (open_) wait_readable();
}

void Socket::flush_later() {
  if (std::exchange(flush_posted_, true)) return;
  shard_.defer([self = shared_from_this()] {
    self->flush_posted_ = false;
    if (!self->open_) return;
    if (self->events_.before_write) self->events_.before_write();
    self->flush();
  });
}

void Socket::flush() {
  if (!open_ || waiting_for_space_) return;
  while (sent_ < out_.size()) {
    const auto size = ::send(socket_.native_handle(), out_.data() + sent_, out_.size() - sent_,
                             MSG_DONTWAIT | MSG_NOSIGNAL);
    if (size < 0) {
      if (errno == EINTR) continue;
      if (errno != EAGAIN && errno != EWOULDBLOCK) return fail(::strerrordesc_np(errno));
      waiting_for_space_ = true;
      socket_.async_wait(tcp::socket::wait_write, [self = shared_from_this()](const Error& error) {
        self->waiting_for_space_ = false;
        if (!self->open_) return;
        if (error) return self->fail(error.message());
        self->flush();
      });
      return;
    }
    sent_ += static_cast<std::size_t>(size);
    taken_ += static_cast<std::size_t>(size);
  }
  out_.clear();
  sent_ = 0;
  if (out_.capacity() > kMostBytesKept) std::string().swap(out_);
}

void Socket::fail(const std::string& why) {
  if (!open_) return;
  close();
  // The events may own what holds this socket: they go only when they have been told.
  const auto self = shared_from_this();
  auto failed = std::move(events_.failed);
  if (failed) failed(why);
}

void Socket::close() {
  open_ = false;
  Error ignored;
  resolver_.cancel();
  socket_.close(ignored);
}

}  // namespace doorbuster::redis
