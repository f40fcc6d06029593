#include "net/event_set.hpp"

#include <sys/epoll.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <string>

namespace doorbuster::net {

Result<void> EventSet::start() {
  const int descriptor = ::epoll_create1(EPOLL_CLOEXEC);
  if (descriptor < 0) {
    return make_error(ErrorCode::unavailable,
                      std::string("cannot make an epoll: ") + ::strerrordesc_np(errno));
  }
  epoll_.assign(descriptor);
  wait();
  return {};
}

void EventSet::stop() {
  boost::system::error_code ignored;
  epoll_.close(ignored);
}

bool EventSet::watch(Watched& watched, int descriptor) {
  epoll_event event{};
  event.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;
  event.data.ptr = &watched;
  return ::epoll_ctl(epoll_.native_handle(), EPOLL_CTL_ADD, descriptor, &event) == 0;
}

void EventSet::wait() {
  epoll_.async_wait(decltype(epoll_)::wait_read,
                    [weak = weak_from_this()](const boost::system::error_code& error) {
                      const auto self = weak.lock();
                      if (!error && self) self->dispatch();
                    });
}

void EventSet::dispatch() {
  if (!epoll_.is_open()) return;
  std::array<epoll_event, 256> events;
  const int count = ::epoll_wait(epoll_.native_handle(), events.data(), static_cast<int>(events.size()), 0);
  dispatching_ = true;
  for (int i = 0; i < count; ++i) {
    const auto& event = events[static_cast<std::size_t>(i)];
    static_cast<Watched*>(event.data.ptr)->on_ready(event.events);
  }
  dispatching_ = false;
  closed_.clear();
  // Asio arms its wait anew: what one batch could not hold is told at once.
  if (epoll_.is_open()) wait();
}

}  // namespace doorbuster::net
