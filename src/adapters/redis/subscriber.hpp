#pragma once
// The other kind of connection: one that listens to channels (locks wake their waiters by them). Made anew
// when it breaks; every listener is woken then, because messages may have been missed.
//
// One thread: the shard's.

#include <memory>
#include <string>
#include <string_view>

#include "adapters/redis/options.hpp"
#include "base/unique_function.hpp"
#include "rt/shard.hpp"

namespace doorbuster::redis {

class Subscriber {
 public:
  Subscriber(rt::Shard& shard, Options options);
  ~Subscriber();
  Subscriber(const Subscriber&) = delete;
  Subscriber& operator=(const Subscriber&) = delete;

  void start();
  void stop();

  /// `woken` is called when the subscription has begun, for each message, and after each reconnection;
  /// whoever waits looks again then. Replaces an earlier one of the channel.
  void subscribe(const std::string& channel, UniqueFunction<void()> woken);
  void unsubscribe(const std::string& channel);
  std::size_t channels() const;

 private:
  class Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace doorbuster::redis
