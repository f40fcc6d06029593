#include "adapters/kafka/pending_batches.hpp"

#include <gtest/gtest.h>

#include <optional>

#include "tests/support/manual_executor.hpp"

namespace doorbuster::kafka {
namespace {

class PendingBatchesTest : public testing::Test {
 protected:
  PendingBatches::Batch* begin(std::size_t events) {
    PendingBatches::Done done = [this](Result<void> result) {
      EXPECT_FALSE(answer_.has_value()) << "answered twice";
      answer_ = std::move(result);
    };
    return pending_.begin(events, &executor_, done);
  }
  ErrorCode error() {
    executor_.run_until_idle();
    return answer_ && !*answer_ ? answer_->error().code : ErrorCode::internal;
  }
  bool succeeded() {
    executor_.run_until_idle();
    return answer_ && answer_->has_value();
  }

  PendingBatches pending_{10};
  test::ManualExecutor executor_;
  std::optional<Result<void>> answer_;
};

TEST_F(PendingBatchesTest, SucceedsWithTheLastAcknowledgement) {
  auto* batch = begin(3);
  pending_.settle(batch, Delivery::acknowledged);
  pending_.settle(batch, Delivery::acknowledged);
  executor_.run_until_idle();
  EXPECT_FALSE(answer_.has_value());
  EXPECT_EQ(pending_.events(), 3U);
  pending_.settle(batch, Delivery::acknowledged);
  EXPECT_TRUE(succeeded());
  EXPECT_EQ(pending_.events(), 0U);
  EXPECT_EQ(pending_.oldest_age(), Duration{});
}

TEST_F(PendingBatchesTest, IsUnavailableOnlyWhenNothingWasSentForCertain) {
  pending_.settle(begin(4), Delivery::not_sent, "queue", 4);
  EXPECT_EQ(error(), ErrorCode::unavailable);
}

TEST_F(PendingBatchesTest, AnythingElseIsUnknown) {
  auto* batch = begin(2);
  pending_.settle(batch, Delivery::acknowledged);
  pending_.settle(batch, Delivery::not_sent, "timed out");
  EXPECT_EQ(error(), ErrorCode::unknown_outcome);
  answer_.reset();
  batch = begin(2);
  pending_.settle(batch, Delivery::not_sent, "timed out");
  pending_.settle(batch, Delivery::maybe_sent, "timed out");
  EXPECT_EQ(error(), ErrorCode::unknown_outcome);
  EXPECT_EQ(pending_.counts().failures, 2U);
}

TEST_F(PendingBatchesTest, TakesNoMoreThanItsBound) {
  auto* batch = begin(9);
  EXPECT_TRUE(pending_.nearly_full());
  PendingBatches::Done refused = [](Result<void>) {};
  EXPECT_EQ(pending_.begin(2, &executor_, refused), nullptr);
  EXPECT_TRUE(static_cast<bool>(refused)) << "left to the caller";
  pending_.settle(batch, Delivery::acknowledged, {}, 9);
  EXPECT_TRUE(succeeded());
  EXPECT_FALSE(pending_.nearly_full());
}

TEST_F(PendingBatchesTest, WhatIsGivenUpIsUnknown) {
  begin(3);
  pending_.give_up("stopped");
  EXPECT_EQ(error(), ErrorCode::unknown_outcome);
  EXPECT_EQ(pending_.events(), 0U);
}

}  // namespace
}  // namespace doorbuster::kafka
