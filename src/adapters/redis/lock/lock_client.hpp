#pragma once
// Distributed locks after Redisson's RLock and RFairLock (docs/strategies.md): a key with a
// lease, waiters woken by a channel, a watchdog that renews, a fencing token. Without re-entry.
//
//  * Plain: whoever asks first after it became free has it. One channel for each lock; a message wakes one
//  waiter of
//    each process.
//  * Fair: in the order of asking, over all processes: a list of waiters in Redis, each with a channel of its
//  own. A
//    waiter that died is passed over when its deadline comes; until then the line stands still.
//
// A lease ends by the server's clock, whatever its holder believes: who must not act twice shows the token to
// what he changes, which refuses a token lower than one it has seen, or asks for the lock itself
// (scripts/store.lua).
//
// One thread: the shard's.

#include <memory>
#include <string>

#include "adapters/redis/connection.hpp"
#include "adapters/redis/subscriber.hpp"

namespace doorbuster::redis {

struct LockOptions {
  bool fair = false;
  Duration lease = std::chrono::seconds(30);
  /// The lease is renewed every third of it for as long as this process lives (Redisson's watchdog).
  /// Otherwise the lock ends with its lease.
  bool watchdog = true;
  std::string process = "api";  ///< part of the owners' names; no two processes may share it
};

/// The keys of one lock, which share a hash tag.
struct LockName {
  std::string lock;
  std::string fence;  ///< counter of tokens; many locks may share one
};

struct HeldLock {
  LockName name;
  std::string owner;  ///< what stands in the key while it is held
  std::uint64_t token = 0;
};

class LockClient {
 public:
  template <class T>
  using Done = UniqueFunction<void(Result<T>)>;

  /// \param connection,subscriber outlive this
  LockClient(rt::Shard& shard, Connection& connection, Subscriber& subscriber, LockOptions options);
  ~LockClient();

  /// \returns not_ready (not within `wait`), or what the connection says
  void acquire(LockName name, Duration wait, Done<HeldLock> done);
  /// \returns whether it was still held
  void release(const HeldLock& held, Done<bool> done);
  /// Locks that the watchdog renews.
  std::size_t watched() const;

 private:
  class Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace doorbuster::redis
