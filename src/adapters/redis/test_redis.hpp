#pragma once
// A real Redis for tests of this adapter: the one that with_stack.py has started, empty at first, with a
// clock that tests can move.

#include <memory>
#include <set>

#include "adapters/memory/owner_ledger.hpp"
#include "adapters/redis/blocking_connection.hpp"
#include "adapters/redis/redis_ledger.hpp"
#include "tests/support/manual_executor.hpp"
#include "tests/support/real_servers.hpp"

namespace doorbuster::test {

inline redis::Options redis_options() {
  redis::Options options;
  options.host = redis_place().host;
  options.port = redis_place().port;
  options.password = redis_password();
  return options;
}

/// Scripts that ask a key for the time instead of TIME: nothing else of their text differs.
inline const redis::ScriptSet& scripts_with_test_clock() {
  static const redis::ScriptSet set(
      "local function now_us() return tonumber(redis.call('GET', 'doorbuster:test:now')) end\n");
  return set;
}

/// For looking at Redis, and for doing harm to it.
class RedisProbe {
 public:
  explicit RedisProbe(bool wipe = true) {
    if (wipe) call({"FLUSHALL"});
  }
  Result<redis::Reply> call(const redis::Command& command) {
    if (connection_ == nullptr || connection_->broken()) {
      redis::Options options = redis_options();
      options.wants_durability = false;
      connection_ = redis::BlockingConnection::open(options).value();
    }
    return connection_->call(command);
  }
  void set_time(Timestamp now) {
    call({"SET", "doorbuster:test:now", std::to_string(now.time_since_epoch().count())}).value();
  }

 private:
  std::unique_ptr<redis::BlockingConnection> connection_;
};

/// One api process's ledger: a shard with a thread of its own, called from the test's executor.
class RedisInstance {
 public:
  RedisInstance(ManualExecutor& executor, std::uint64_t seed, redis::Options options = redis_options(),
                const redis::ScriptSet& scripts = scripts_with_test_clock())
      : executor_(executor), random_(seed) {
    redis::LedgerEvents events;
    events.needs_recovery = [this](const CampaignId& id) {
      executor_.post([this, id] { needs_recovery.insert(id); });
    };
    events.refresh = [this] { executor_.post([this] { ++refreshes; }); };
    shard_.start();
    shard_.run([&] {
      ledger_ = std::make_unique<RedisLedger>(shard_, options, random_, std::move(events), scripts);
      ledger_->start();
    });
    forwarding_ = std::make_unique<OwnerLedger>(*ledger_, shard_, executor_);
  }
  ~RedisInstance() {
    shard_.run([this] { ledger_.reset(); });
    shard_.stop();
  }

  Ledger& ledger() { return *forwarding_; }
  RedisLedger& own() { return *ledger_; }
  rt::Shard& shard() { return shard_; }
  void know(std::vector<CampaignDefinition> definitions) {
    shard_.run([&] { ledger_->know(std::move(definitions)); });
  }
  Result<void> ready() {
    Result<void> answer;
    shard_.run([&] { answer = ledger_->ready(); });
    return answer;
  }
  bool wait_ready() {
    return executor_.wait_until([this] { return ready().has_value(); });
  }

  std::set<CampaignId> needs_recovery;
  int refreshes = 0;

 private:
  ManualExecutor& executor_;
  SeededRandom random_;
  rt::Shard shard_{"io-0"};
  std::unique_ptr<RedisLedger> ledger_;
  std::unique_ptr<OwnerLedger> forwarding_;
};

}  // namespace doorbuster::test
