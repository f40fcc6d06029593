#pragma once
// An epoll of its own inside a shard's loop: Asio waits for that one descriptor. Private to src/net.
//
// Why not async_read_some: Asio 1.81 tries to read once more before it waits, a system call for each message
// that finds nothing, and each operation has a state of its own to fetch from memory.
//
// Descriptors are watched edge-triggered for everything, once, until they are closed. One thread: the
// shard's.

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/basic_stream_descriptor.hpp>
#include <cstdint>
#include <memory>
#include <vector>

#include "base/error.hpp"
#include "rt/shard.hpp"

namespace doorbuster::net {

/// Sockets know their executor's type: a type-erased one costs a virtual call for every operation.
using SocketExecutor = boost::asio::io_context::executor_type;

/// Has a descriptor in an EventSet.
class Watched {
 public:
  /// \param events of epoll
  virtual void on_ready(std::uint32_t events) = 0;

 protected:
  ~Watched() = default;
};

class EventSet : public std::enable_shared_from_this<EventSet> {
 public:
  explicit EventSet(rt::Shard& shard) : epoll_(shard.context().get_executor()) {}

  /// \returns unavailable
  Result<void> start();
  void stop();
  bool watch(Watched& watched, int descriptor);
  /// Keeps what was closed until the present batch of events has been told: a later one may still name it.
  void bury(std::shared_ptr<void> closed) {
    if (dispatching_) closed_.push_back(std::move(closed));
  }

 private:
  void wait();
  void dispatch();

  boost::asio::posix::basic_stream_descriptor<SocketExecutor> epoll_;
  bool dispatching_ = false;
  std::vector<std::shared_ptr<void>> closed_;
};

}  // namespace doorbuster::net
