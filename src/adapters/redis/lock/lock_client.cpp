#include "adapters/redis/lock/lock_client.hpp"

#include <algorithm>
#include <chrono>
#include <deque>
#include <map>

namespace doorbuster::redis {
namespace {

using Steady = std::chrono::steady_clock;

std::int64_t milliseconds(Duration duration) {
  return std::chrono::ceil<std::chrono::milliseconds>(duration).count();
}

Command words(std::initializer_list<std::string_view> keys) {
  Command command;
  command.add(static_cast<std::int64_t>(keys.size()));
  for (const auto key : keys) command.add(key);
  return command;
}

}  // namespace

class LockClient::Impl : public std::enable_shared_from_this<Impl> {
 public:
  Impl(rt::Shard& shard, Connection& connection, Subscriber& subscriber, LockOptions options)
      : shard_(shard), connection_(connection), subscriber_(subscriber), options_(std::move(options)) {}

  void acquire(LockName name, Duration wait, Done<HeldLock> done) {
    auto attempt = std::make_shared<Attempt>();
    attempt->name = std::move(name);
    attempt->owner = options_.process + ":" + std::to_string(++last_owner_);
    attempt->wait = wait;
    attempt->deadline = Steady::now() + wait;
    attempt->done = std::move(done);
    try_take(attempt);
  }

  void release(const HeldLock& held, Done<bool> done) {
    watched_.erase(held.owner);
    auto answered = [done = std::move(done)](Result<Reply> reply) mutable {
      if (!reply) return done(reply.error());
      if (reply->is_error()) return done(error_of(*reply));
      done(reply->integer() == 1);
    };
    if (options_.fair) {
      Command command = words({held.name.lock, queue(held.name), deadlines(held.name)});
      command.add(held.owner).add(channel(held.name));
      connection_.run(ScriptId::fair_release, std::move(command), std::move(answered));
    } else {
      Command command = words({held.name.lock});
      command.add(held.owner).add(channel(held.name));
      connection_.run(ScriptId::lock_release, std::move(command), std::move(answered));
    }
  }

  std::size_t watched() const { return watched_.size(); }

  void stop() {
    for (const auto& [name, waiting] : channels_) subscriber_.unsubscribe(name);
    channels_.clear();
    watched_.clear();
  }

 private:
  struct Attempt {
    LockName name;
    std::string owner;
    Duration wait{};
    Steady::time_point deadline;
    Done<HeldLock> done;
    std::string waits_on;    // channel, while it waits
    std::uint64_t turn = 0;  // counts waits: a timer of an earlier one does nothing
    bool asking = false;     // a script is in the air
    bool woken_while_asking = false;
  };
  using AttemptPtr = std::shared_ptr<Attempt>;

  static std::string queue(const LockName& name) { return name.lock + ":queue"; }
  static std::string deadlines(const LockName& name) { return name.lock + ":deadlines"; }
  static std::string channel(const LockName& name) { return name.lock + ":free:"; }
  std::string channel_of(const Attempt& attempt) const {
    return options_.fair ? channel(attempt.name) + attempt.owner : channel(attempt.name);
  }

  void try_take(const AttemptPtr& attempt) {
    attempt->asking = true;
    attempt->woken_while_asking = false;
    const auto answered = [weak = weak_from_this(), attempt](Result<Reply> reply) {
      if (const auto self = weak.lock()) self->asked(attempt, std::move(reply));
    };
    Command command;
    if (options_.fair) {
      command =
          words({attempt->name.lock, attempt->name.fence, queue(attempt->name), deadlines(attempt->name)});
      command.add(attempt->owner).add(milliseconds(options_.lease)).add(milliseconds(attempt->wait));
      connection_.run(ScriptId::fair_acquire, std::move(command), answered);
    } else {
      command = words({attempt->name.lock, attempt->name.fence});
      command.add(attempt->owner).add(milliseconds(options_.lease));
      connection_.run(ScriptId::lock_acquire, std::move(command), answered);
    }
  }

  void asked(const AttemptPtr& attempt, Result<Reply> reply) {
    attempt->asking = false;
    if (!reply || reply->is_error()) {
      stop_waiting(*attempt);
      // It may have been taken all the same: its lease ends by itself.
      return attempt->done(!reply ? reply.error() : error_of(*reply));
    }
    if ((*reply)[0].integer() == 1) {
      stop_waiting(*attempt);
      HeldLock held{attempt->name, attempt->owner, static_cast<std::uint64_t>((*reply)[1].integer())};
      if (options_.watchdog) watch(held);
      return attempt->done(std::move(held));
    }
    if (Steady::now() >= attempt->deadline) return give_up(attempt);
    if (attempt->woken_while_asking) return try_take(attempt);
    wait(attempt, std::chrono::milliseconds((*reply)[1].integer()));
  }

  void wait(const AttemptPtr& attempt, Duration at_most) {
    const auto left = std::chrono::ceil<Duration>(attempt->deadline - Steady::now());
    const auto turn = ++attempt->turn;
    if (attempt->waits_on.empty()) {
      attempt->waits_on = channel_of(*attempt);
      auto& waiting = channels_[attempt->waits_on];
      waiting.push_back(attempt);
      if (waiting.size() == 1) {
        // Woken when the subscription has begun, too: it may have become free since it was asked.
        subscriber_.subscribe(attempt->waits_on, [weak = weak_from_this(), name = attempt->waits_on] {
          if (const auto self = weak.lock()) self->wake_first(name);
        });
      }
    }
    shard_.after(std::clamp<Duration>(at_most, std::chrono::milliseconds(1), std::max(left, Duration(1000))),
                 [weak = weak_from_this(), attempt, turn] {
                   const auto self = weak.lock();
                   if (self && attempt->turn == turn && !attempt->asking && !attempt->waits_on.empty()) {
                     self->try_take(attempt);
                   }
                 });
  }

  void wake_first(const std::string& name) {
    const auto found = channels_.find(name);
    if (found == channels_.end()) return;
    const auto first = found->second.front();
    if (first->asking) {
      first->woken_while_asking = true;
    } else {
      try_take(first);
    }
  }

  void stop_waiting(Attempt& attempt) {
    if (attempt.waits_on.empty()) return;
    const auto name = std::exchange(attempt.waits_on, {});
    const auto found = channels_.find(name);
    if (found == channels_.end()) return;
    std::erase_if(found->second, [&attempt](const AttemptPtr& other) { return other.get() == &attempt; });
    if (!found->second.empty()) return;
    channels_.erase(found);
    subscriber_.unsubscribe(name);
  }

  void give_up(const AttemptPtr& attempt) {
    stop_waiting(*attempt);
    const auto late = [attempt] {
      attempt->done(
          make_error(ErrorCode::not_ready, "the lock " + attempt->name.lock + " was not free in time"));
    };
    if (!options_.fair) return late();
    Command command = words({attempt->name.lock, queue(attempt->name), deadlines(attempt->name)});
    command.add(attempt->owner).add(milliseconds(attempt->wait)).add(channel(attempt->name));
    connection_.run(ScriptId::fair_give_up, std::move(command), [late](Result<Reply>) { late(); });
  }

  void watch(const HeldLock& held) {
    watched_.insert_or_assign(held.owner, held);
    renew_later(held.owner);
  }

  void renew_later(const std::string& owner) {
    shard_.after(options_.lease / 3, [weak = weak_from_this(), owner] {
      const auto self = weak.lock();
      if (!self) return;
      const auto found = self->watched_.find(owner);
      if (found == self->watched_.end()) return;
      Command command = words({found->second.name.lock});
      command.add(owner).add(milliseconds(self->options_.lease));
      self->connection_.run(ScriptId::lock_renew, std::move(command), [weak, owner](Result<Reply> reply) {
        const auto again = weak.lock();
        if (!again || !again->watched_.contains(owner)) return;
        if (reply && !reply->is_error() && reply->integer() == 0) {
          again->watched_.erase(owner);  // somebody else may have it by now
        } else {
          again->renew_later(owner);
        }
      });
    });
  }

  rt::Shard& shard_;
  Connection& connection_;
  Subscriber& subscriber_;
  const LockOptions options_;
  std::uint64_t last_owner_ = 0;
  std::map<std::string, std::deque<AttemptPtr>> channels_;  // who waits, in the order of asking
  std::map<std::string, HeldLock> watched_;                 // owner -> lock
};

LockClient::LockClient(rt::Shard& shard, Connection& connection, Subscriber& subscriber, LockOptions options)
    : impl_(std::make_shared<Impl>(shard, connection, subscriber, std::move(options))) {}
LockClient::~LockClient() {
  impl_->stop();
}
void LockClient::acquire(LockName name, Duration wait, Done<HeldLock> done) {
  impl_->acquire(std::move(name), wait, std::move(done));
}
void LockClient::release(const HeldLock& held, Done<bool> done) {
  impl_->release(held, std::move(done));
}
std::size_t LockClient::watched() const {
  return impl_->watched();
}

}  // namespace doorbuster::redis
