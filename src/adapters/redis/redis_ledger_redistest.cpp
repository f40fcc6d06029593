#include "adapters/redis/redis_ledger.hpp"

#include <gtest/gtest.h>

#include "adapters/redis/test_redis.hpp"
#include "tests/support/ledger_suite.hpp"

namespace doorbuster::test {
namespace {

class RedisBed {
 public:
  RedisBed() {
    instance_.know({});
    EXPECT_TRUE(instance_.wait_ready());
  }
  Ledger& ledger() {
    probe_.set_time(clock_.now());
    return instance_.ledger();
  }
  ManualExecutor& executor() { return executor_; }
  ManualClock& clock() { return clock_; }

 private:
  RedisProbe probe_;
  ManualClock clock_;
  ManualExecutor executor_{clock_};
  RedisInstance instance_{executor_, 1};
};

INSTANTIATE_TYPED_TEST_SUITE_P(Redis, LedgerSuite, RedisBed);

}  // namespace
}  // namespace doorbuster::test
