#include "core/balancing/circuit_breaker.hpp"

#include <gtest/gtest.h>

#include "core/balancing/retry_budget.hpp"

namespace doorbuster::balancing {
namespace {

using namespace std::chrono_literals;

void end(CircuitBreaker& breaker, int count, bool failed, Moment now) {
  for (int i = 0; i < count; ++i) {
    breaker.began();
    breaker.ended(failed, now);
  }
}

TEST(CircuitBreaker, StaysClosedWhileFailuresAreFewOrResultsAreFew) {
  CircuitBreaker breaker;
  end(breaker, 19, true, 1s);
  EXPECT_TRUE(breaker.admits(1s));
  CircuitBreaker other;
  end(other, 51, false, 1s);
  end(other, 49, true, 1s);
  EXPECT_TRUE(other.admits(1s));
}

TEST(CircuitBreaker, OpensAtHalfFailuresAndAdmitsOneTrialLater) {
  CircuitBreaker breaker;
  end(breaker, 10, false, 1s);
  end(breaker, 10, true, 1s);
  EXPECT_FALSE(breaker.admits(1s));
  EXPECT_FALSE(breaker.admits(1999ms));
  ASSERT_TRUE(breaker.admits(2s));
  breaker.began();
  EXPECT_FALSE(breaker.admits(2s)) << "one at a time";
  breaker.ended(false, 2s);
  EXPECT_EQ(breaker.state(2s), CircuitBreaker::State::closed);
}

TEST(CircuitBreaker, AFailedTrialDoublesThePauseUpToTheLongest) {
  CircuitBreaker breaker;
  end(breaker, 20, true, 0s);
  Moment now = 1s;
  for (const auto pause : {2s, 4s, 8s, 16s, 30s, 30s}) {
    ASSERT_TRUE(breaker.admits(now));
    breaker.began();
    breaker.ended(true, now);
    EXPECT_FALSE(breaker.admits(now + pause - 1us));
    now += pause;
  }
  EXPECT_TRUE(breaker.admits(now));
}

TEST(CircuitBreaker, ATrialThatWasGivenUpMakesRoomForAnother) {
  CircuitBreaker breaker;
  end(breaker, 20, true, 0s);
  ASSERT_TRUE(breaker.admits(1s));
  breaker.began();
  breaker.abandoned();
  EXPECT_TRUE(breaker.admits(1s));
}

TEST(CircuitBreaker, OldResultsAreForgotten) {
  CircuitBreaker breaker;
  end(breaker, 15, true, 1s);
  end(breaker, 15, true, 30s);
  EXPECT_TRUE(breaker.admits(30s));
  end(breaker, 5, true, 30s);
  EXPECT_FALSE(breaker.admits(30s));
}

TEST(RetryBudget, GivesAShareOfTheRequestsAndALittleAlways) {
  RetryBudget budget({.percent = 20, .least = 2, .window = 10s});
  EXPECT_TRUE(budget.take(1s));
  EXPECT_TRUE(budget.take(1s));
  EXPECT_FALSE(budget.take(1s));
  for (int i = 0; i < 100; ++i) budget.request();
  int taken = 0;
  while (budget.take(2s)) ++taken;
  EXPECT_EQ(taken, 20);
  EXPECT_TRUE(budget.take(60s)) << "a window later the budget is fresh";
}

}  // namespace
}  // namespace doorbuster::balancing
