#include "adapters/redis/lock/lock_client.hpp"

#include <gtest/gtest.h>

#include "adapters/redis/test_redis.hpp"
#include "tests/support/await.hpp"

namespace doorbuster::test {
namespace {

using redis::HeldLock;
using redis::LockClient;
using redis::LockName;
using redis::LockOptions;
using redis::ScriptSet;

const LockName kName{"doorbuster:{c:sale}:lock", "doorbuster:{c:sale}:fence"};

/// A process that wants locks.
class Process {
 public:
  Process(ManualExecutor& executor, LockOptions options) : executor_(executor) {
    shard_.start();
    shard_.run([&] {
      connection_ = std::make_unique<redis::Connection>(shard_, redis_options(), redis::Connection::Events{},
                                                        ScriptSet::production());
      subscriber_ = std::make_unique<redis::Subscriber>(shard_, redis_options());
      client_ = std::make_unique<LockClient>(shard_, *connection_, *subscriber_, std::move(options));
      connection_->start();
      subscriber_->start();
    });
    EXPECT_TRUE(executor_.wait_until([this] {
      bool up = false;
      shard_.run([&] { up = connection_->up(); });
      return up;
    }));
  }
  ~Process() { die(); }
  /// Without giving anything back.
  void die() {
    if (!client_) return;
    shard_.run([this] {
      client_.reset();
      subscriber_.reset();
      connection_.reset();
    });
    shard_.stop();
  }

  void ask(Duration wait, UniqueFunction<void(Result<HeldLock>)> done) {
    auto shared = std::make_shared<UniqueFunction<void(Result<HeldLock>)>>(std::move(done));
    shard_.post([this, wait, shared] {
      client_->acquire(kName, wait, [this, shared](Result<HeldLock> held) {
        executor_.post([shared, held = std::move(held)]() mutable { (*shared)(std::move(held)); });
      });
    });
  }
  Result<HeldLock> acquire(Duration wait) {
    return await<HeldLock>(executor_, [&](auto done) { ask(wait, std::move(done)); });
  }
  bool release(const HeldLock& held) {
    released_.reset();
    shard_.run([&] {
      client_->release(held, [this](Result<bool> was) {
        executor_.post([this, still_held = was.value()] { released_ = still_held; });
      });
    });
    EXPECT_TRUE(executor_.wait_until([this] { return released_.has_value(); }));
    return released_.value_or(false);
  }
  std::size_t channels() {
    std::size_t count = 0;
    shard_.run([&] { count = subscriber_->channels(); });
    return count;
  }

 private:
  ManualExecutor& executor_;
  rt::Shard shard_{"io-0"};
  std::unique_ptr<redis::Connection> connection_;
  std::unique_ptr<redis::Subscriber> subscriber_;
  std::unique_ptr<LockClient> client_;
  std::optional<bool> released_;
};

LockOptions named(const char* process, bool fair = false) {
  LockOptions options;
  options.process = process;
  options.fair = fair;
  return options;
}

class LockClientTest : public testing::TestWithParam<bool> {
 protected:
  RedisProbe probe_;
  ManualExecutor executor_;
};

TEST_P(LockClientTest, OneAtATimeAndTokensRise) {
  Process one(executor_, named("one", GetParam()));
  Process two(executor_, named("two", GetParam()));
  int inside = 0;
  int finished = 0;
  std::uint64_t last_token = 0;
  for (int i = 0; i < 20; ++i) {
    Process& process = i % 2 == 0 ? one : two;
    process.ask(std::chrono::seconds(20), [&](Result<HeldLock> held) {
      ASSERT_TRUE(held.has_value()) << held.error().detail;
      EXPECT_EQ(++inside, 1);
      EXPECT_GT(held->token, last_token);
      last_token = held->token;
      // Holds it for a turn, in which others may ask.
      executor_.post([&, held = *held] {
        --inside;
        EXPECT_TRUE(process.release(held));
        ++finished;
      });
    });
  }
  EXPECT_TRUE(executor_.wait_until([&] { return finished == 20; }));
  EXPECT_EQ(one.channels() + two.channels(), 0U);
}

TEST_P(LockClientTest, GivesUpInTimeAndLeavesNothing) {
  Process one(executor_, named("one", GetParam()));
  Process two(executor_, named("two", GetParam()));
  const auto held = one.acquire(Duration{0});
  ASSERT_TRUE(held.has_value());
  EXPECT_EQ(two.acquire(std::chrono::milliseconds(30)).error().code, ErrorCode::not_ready);
  EXPECT_EQ(probe_.call({"LLEN", kName.lock + ":queue"})->integer(), 0);
  EXPECT_EQ(probe_.call({"ZCARD", kName.lock + ":deadlines"})->integer(), 0);
  EXPECT_TRUE(one.release(*held));
  EXPECT_TRUE(two.acquire(Duration{0}).has_value());
}

TEST_P(LockClientTest, TheWatchdogRenewsAndADeadOwnersLockExpires) {
  auto options = named("one", GetParam());
  options.lease = std::chrono::milliseconds(600);
  Process one(executor_, options);
  Process two(executor_, named("two", GetParam()));
  const auto held = one.acquire(Duration{0});
  ASSERT_TRUE(held.has_value());
  std::int64_t lowest = 600;
  EXPECT_TRUE(executor_.wait_until([&] {
    const auto left = probe_.call({"PTTL", kName.lock})->integer();
    const bool renewed = left > lowest + 50;
    lowest = std::min(lowest, left);
    return renewed;
  })) << "it was lengthened";
  one.die();
  const auto next = two.acquire(std::chrono::seconds(10));
  ASSERT_TRUE(next.has_value());
  EXPECT_GT(next->token, held->token) << "what is protected refuses the token of the dead one";
}

TEST_P(LockClientTest, AStaleHolderReleasesNothing) {
  auto options = named("one", GetParam());
  options.lease = std::chrono::milliseconds(40);
  options.watchdog = false;
  Process one(executor_, options);
  Process two(executor_, named("two", GetParam()));
  const auto stale = one.acquire(Duration{0});
  ASSERT_TRUE(stale.has_value());
  const auto held = two.acquire(std::chrono::seconds(10));
  ASSERT_TRUE(held.has_value());
  EXPECT_FALSE(one.release(*stale));
  EXPECT_EQ(probe_.call({"GET", kName.lock})->text(), held->owner);
  EXPECT_GT(held->token, stale->token);
}

INSTANTIATE_TEST_SUITE_P(PlainAndFair, LockClientTest, testing::Bool());

class FairLockTest : public LockClientTest {};

TEST_F(FairLockTest, WaitersAreServedInTheOrderOfAsking) {
  Process one(executor_, named("one", true));
  Process two(executor_, named("two", true));
  const auto held = one.acquire(Duration{0});
  ASSERT_TRUE(held.has_value());
  std::vector<int> served;
  for (int i = 0; i < 8; ++i) {
    Process& process = i % 3 == 0 ? one : two;
    process.ask(std::chrono::seconds(20), [&, i](Result<HeldLock> mine) {
      ASSERT_TRUE(mine.has_value()) << mine.error().detail;
      served.push_back(i);
      executor_.post([&process, mine = *mine] { EXPECT_TRUE(process.release(mine)); });
    });
    // The next one asks when this one stands in the line.
    ASSERT_TRUE(executor_.wait_until([&] {
      return probe_.call({"LLEN", kName.lock + ":queue"})->integer() == i + 1;
    }));
  }
  EXPECT_TRUE(one.release(*held));
  EXPECT_TRUE(executor_.wait_until([&] { return served.size() == 8; }));
  EXPECT_EQ(served, (std::vector<int>{0, 1, 2, 3, 4, 5, 6, 7}));
}

/// Of one command since the last reset.
std::int64_t calls_of(RedisProbe& probe, const std::string& command) {
  const auto stats = probe.call({"INFO", "commandstats"}).value();
  const auto text = stats.text();
  const std::string key = "cmdstat_" + command + ":calls=";
  const auto at = text.find(key);
  return at == std::string_view::npos ? 0 : std::stoll(std::string(text.substr(at + key.size(), 10)));
}

TEST_F(FairLockTest, EachHandoverCostsAWriteForEverybodyWhoWaits) {
  constexpr std::int64_t kWaiters = 20;
  Process process(executor_, named("one", true));
  HeldLock held = process.acquire(Duration{0}).value();
  std::vector<HeldLock> served;
  std::size_t handovers = 0;
  for (std::int64_t i = 0; i < kWaiters; ++i) {
    process.ask(std::chrono::seconds(20), [&](Result<HeldLock> mine) { served.push_back(mine.value()); });
    ASSERT_TRUE(executor_.wait_until([&] {
      return probe_.call({"LLEN", kName.lock + ":queue"})->integer() == i + 1;
    }));
  }
  for (std::int64_t left = kWaiters - 1; left >= kWaiters - 3; --left) {
    ASSERT_TRUE(probe_.call({"CONFIG", "RESETSTAT"}));
    EXPECT_TRUE(process.release(held));
    ++handovers;
    ASSERT_TRUE(executor_.wait_until([&] { return served.size() == handovers; }));
    held = served.back();
    EXPECT_EQ(calls_of(probe_, "zincrby"), left) << "it grows with the crowd";
  }
}

TEST_F(FairLockTest, ADeadWaiterAtTheHeadHoldsTheLineUpToItsDeadline) {
  Process dead(executor_, named("dead", true));
  Process living(executor_, named("living", true));
  const auto held = living.acquire(Duration{0});
  ASSERT_TRUE(held.has_value());
  dead.ask(std::chrono::milliseconds(700), [](Result<HeldLock>) { FAIL() << "it is dead"; });
  ASSERT_TRUE(executor_.wait_until([&] {
    return probe_.call({"LLEN", kName.lock + ":queue"})->integer() == 1;
  }));
  dead.die();
  // Behind the holder's lease of 30 seconds; brought near, so that the test need not wait for it.
  const auto now = probe_.call({"TIME"}).value();
  const auto soon = now[0].number() * 1000 + now[1].number() / 1000 + 300;
  probe_
      .call({"ZADD", kName.lock + ":deadlines", std::to_string(soon),
             probe_.call({"LINDEX", kName.lock + ":queue", "0"})->text()})
      .value();
  EXPECT_TRUE(living.release(*held));
  EXPECT_EQ(probe_.call({"EXISTS", kName.lock})->integer(), 0) << "free, and nobody has it";
  const auto next = living.acquire(std::chrono::seconds(10));
  ASSERT_TRUE(next.has_value()) << next.error().detail;
  const auto then = probe_.call({"TIME"}).value();
  EXPECT_GE(then[0].number() * 1000 + then[1].number() / 1000, soon);
}

}  // namespace
}  // namespace doorbuster::test
