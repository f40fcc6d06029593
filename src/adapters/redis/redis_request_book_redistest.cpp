#include "adapters/redis/redis_request_book.hpp"

#include <gtest/gtest.h>

#include "adapters/redis/test_redis.hpp"
#include "tests/support/request_book_suite.hpp"

namespace doorbuster::test {
namespace {

/// Calls a book that lives on its instance's shard from the test's executor.
class ForwardingBook final : public RequestBook {
 public:
  ForwardingBook(ManualExecutor& home, RedisInstance& instance, std::uint64_t seed)
      : home_(home), instance_(instance), random_(seed) {
    instance_.shard().run([this] {
      own_ = std::make_unique<RedisRequestBook>(instance_.own().core().connection, random_, small_book());
    });
  }
  ~ForwardingBook() override {
    instance_.shard().run([this] { own_.reset(); });
  }

  void accept(std::vector<QueuedRequest> requests, std::vector<RequestAnswer> pending,
              Done<void> done) override {
    instance_.shard().post([this, requests = std::move(requests), pending = std::move(pending),
                            done = home(std::move(done))]() mutable {
      own_->accept(std::move(requests), std::move(pending), std::move(done));
    });
  }
  void settle(std::vector<RequestAnswer> outcomes, Done<void> done) override {
    instance_.shard().post([this, outcomes = std::move(outcomes), done = home(std::move(done))]() mutable {
      own_->settle(std::move(outcomes), std::move(done));
    });
  }
  void take_over(std::size_t max, Done<std::vector<QueuedRequest>> done) override {
    instance_.shard().post(
        [this, max, done = home(std::move(done))]() mutable { own_->take_over(max, std::move(done)); });
  }
  void find(std::string id, Done<std::optional<RequestAnswer>> done) override {
    instance_.shard().post([this, id = std::move(id), done = home(std::move(done))]() mutable {
      own_->find(std::move(id), std::move(done));
    });
  }

 private:
  template <class T>
  Done<T> home(Done<T> done) {
    return [this, done = std::move(done)](Result<T> result) mutable {
      home_.post([done = std::move(done), result = std::move(result)]() mutable { done(std::move(result)); });
    };
  }

  ManualExecutor& home_;
  RedisInstance& instance_;
  SeededRandom random_;
  std::unique_ptr<RedisRequestBook> own_;
};

class RedisBookBed {
 public:
  RedisBookBed() {
    instance_.know({});
    EXPECT_TRUE(instance_.wait_ready());
    // Both are heard of before any time passes.
    for (auto* book : {&first_, &second_}) {
      probe_.set_time(clock_.now());
      await<std::vector<QueuedRequest>>(executor_, [&](auto done) {
        book->take_over(0, std::move(done));
      }).value();
    }
  }
  RequestBook& owner(std::size_t which) {
    probe_.set_time(clock_.now());
    return which == 0 ? first_ : second_;
  }
  ManualExecutor& executor() { return executor_; }
  ManualClock& clock() { return clock_; }
  RedisProbe& probe() { return probe_; }

 private:
  RedisProbe probe_;
  ManualClock clock_;
  ManualExecutor executor_{clock_};
  RedisInstance instance_{executor_, 1};
  ForwardingBook first_{executor_, instance_, 11};
  ForwardingBook second_{executor_, instance_, 12};
};

INSTANTIATE_TYPED_TEST_SUITE_P(Redis, RequestBookSuite, RedisBookBed);

using RedisBookFaults = RequestBookSuite<RedisBookBed>;

TEST_F(RedisBookFaults, WhatRedisLosesIsForgottenAndTheNextOutcomeIsNotedAllTheSame) {
  ASSERT_TRUE(accept({"a", "b"}));
  ASSERT_TRUE(bed_.probe().call({"FLUSHALL"}));
  EXPECT_EQ(told("a"), "");
  ASSERT_TRUE(settle({"a"}));
  EXPECT_EQ(told("a"), R"({"state": "issued"})");
  EXPECT_EQ(told("b"), "");
}

TEST_F(RedisBookFaults, NothingOfOwnersIsLeftWhenTheirRequestsAreSettled) {
  ASSERT_TRUE(accept({"a"}));
  pass(std::chrono::seconds(4));
  EXPECT_EQ(take_over(1), Ids{"a"});
  ASSERT_TRUE(settle({"a"}, "done", 1));
  EXPECT_EQ(bed_.probe().call({"ZCARD", "doorbuster:{requests}:owners"})->integer(), 1);
  EXPECT_EQ(bed_.probe().call({"KEYS", "doorbuster:{requests}:waiting:*"})->size(), 0U);
}

}  // namespace
}  // namespace doorbuster::test
