#pragma once
// A bounded number of connections, made when they are needed and kept.

#include <condition_variable>
#include <memory>
#include <mutex>
#include <vector>

#include "adapters/mariadb/connection.hpp"

namespace doorbuster::mariadb {

struct PoolOptions {
  ServerOptions server;
  Access access = Access::read_write;
  std::size_t most_connections = 4;
  /// Longest wait for a connection while all are in use; then `overloaded`.
  Duration patience = std::chrono::seconds(2);
};

/// Thread-safe.
class Pool {
 public:
  explicit Pool(PoolOptions options) : options_(std::move(options)) {}
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;

  /// A connection for one job: goes back when this ends, unless it was lost.
  class Lease {
   public:
    Lease(Pool& pool, std::unique_ptr<Connection> connection)
        : pool_(&pool), connection_(std::move(connection)) {}
    Lease(Lease&& other) noexcept : pool_(other.pool_), connection_(std::move(other.connection_)) {}
    Lease& operator=(Lease&&) = delete;
    ~Lease() {
      if (connection_) pool_->give_back(std::move(connection_));
    }
    Connection& operator*() { return *connection_; }
    Connection* operator->() { return connection_.get(); }

   private:
    Pool* pool_;
    std::unique_ptr<Connection> connection_;
  };

  /// \returns overloaded, unavailable
  Result<Lease> take();

  /// Runs `job(Connection&)` with a connection of the pool. \returns its result; overloaded, unavailable
  template <class T, class Job>
  Result<T> with(Job job) {
    auto lease = take();
    if (!lease) return lease.error();
    return job(**lease);
  }
  /// The same for a job that only reads: once more on a new connection when an old one turns out to be lost.
  template <class T, class Job>
  Result<T> read(Job job) {
    for (int attempt = 0;; ++attempt) {
      auto lease = take();
      if (!lease) return lease.error();
      Result<T> result = job(**lease);
      if (result || attempt > 0 || !(*lease)->lost()) return result;
    }
  }

  std::size_t idle() const;
  /// Whether the last attempt to connect went well; true before the first.
  bool reachable() const;

 private:
  void give_back(std::unique_ptr<Connection> connection);
  std::unique_ptr<Connection> take_idle();  // mutex_ is held
  void leave();

  const PoolOptions options_;
  mutable std::mutex mutex_;
  std::condition_variable returned_;
  std::vector<std::unique_ptr<Connection>> idle_;
  std::size_t in_use_ = 0;
  bool reachable_ = true;
};

}  // namespace doorbuster::mariadb
