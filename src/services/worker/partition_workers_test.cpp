#include "services/worker/partition_workers.hpp"

#include <gtest/gtest.h>

#include "services/worker/fake_parts.hpp"

namespace doorbuster::worker {
namespace {

/// Hands what belongs to the test over as something that can be owned.
class SharedSource final : public EventSource {
 public:
  explicit SharedSource(FakeSource& source) : source_(source) {}
  Result<std::vector<LogRecord>> read(LogPosition after, std::size_t max) override {
    return source_.read(after, max);
  }
  Result<LogPosition> end() override { return source_.end(); }
  void wait(LogPosition after, Duration timeout) override { source_.wait(after, timeout); }

 private:
  FakeSource& source_;
};
class SharedStore final : public CouponStore {
 public:
  explicit SharedStore(FakeStore& store) : store_(store) {}
  Result<void> store(const std::vector<LogRecord>& records) override { return store_.store(records); }
  Result<LogPosition> stored_through() override { return store_.stored_through(); }

 private:
  FakeStore& store_;
};

class PartitionWorkersTest : public testing::Test {
 protected:
  static WorkerThreadOptions quick() {
    WorkerThreadOptions options;
    options.first_back_off = Duration(100);
    options.longest_back_off = Duration(1000);
    options.end_when_corrupt = false;
    return options;
  }
  std::array<FakeSource, 3> sources_;
  std::array<FakeStore, 3> stores_;
  PartitionWorkers workers_{[this](std::size_t partition) {
                              PartitionWorkers::Parts parts;
                              parts.source = std::make_unique<SharedSource>(sources_.at(partition));
                              parts.store = std::make_unique<SharedStore>(stores_.at(partition));
                              return parts;
                            },
                            quick()};
};

TEST_F(PartitionWorkersTest, WorksOnWhatItHasTaken) {
  for (auto& source : sources_) source.grow(5);
  workers_.take({0, 2});
  EXPECT_TRUE(stores_[0].wait_for_rows(5));
  EXPECT_TRUE(stores_[2].wait_for_rows(5));
  EXPECT_TRUE(stores_[1].rows().empty());
  ASSERT_EQ(workers_.states().size(), 2U);
  EXPECT_EQ(workers_.states()[1].partition, 2U);
}

TEST_F(PartitionWorkersTest, DoesNothingMoreForWhatItHasGivenAway) {
  sources_[0].grow(5);
  workers_.take({0, 1});
  ASSERT_TRUE(stores_[0].wait_for_rows(5));
  workers_.release({0});
  sources_[0].grow(5);
  sources_[1].grow(1);
  ASSERT_TRUE(stores_[1].wait_for_rows(1));
  EXPECT_EQ(stores_[0].rows().size(), 5U);
  ASSERT_EQ(workers_.states().size(), 1U);
  EXPECT_GE(workers_.totals().records, 5U) << "what was done before counts on";
  workers_.take({0});
  EXPECT_TRUE(stores_[0].wait_for_rows(10));
}

TEST_F(PartitionWorkersTest, RestsAndGoesOn) {
  workers_.take({0});
  workers_.suspend();
  workers_.take({1});
  for (auto& source : sources_) source.grow(5);
  EXPECT_EQ(workers_.states().size(), 2U);
  EXPECT_TRUE(stores_[0].rows().empty());
  EXPECT_TRUE(stores_[1].rows().empty());
  workers_.resume();
  EXPECT_TRUE(stores_[0].wait_for_rows(5));
  EXPECT_TRUE(stores_[1].wait_for_rows(5));
}

TEST_F(PartitionWorkersTest, TriesADamagedLogAgainUntilSomebodyHasMendedIt) {
  sources_[0].grow(5);
  sources_[0].fail_with(make_error(ErrorCode::corrupt, "has lost its tail"));
  workers_.take({0});
  while (!workers_.states()[0].end.ended) std::this_thread::yield();
  EXPECT_EQ(workers_.states()[0].end.error.detail, "has lost its tail");
  sources_[0].fail_with(std::nullopt);
  ASSERT_TRUE(stores_[0].wait_for_rows(5));
  while (workers_.states()[0].end.ended) std::this_thread::yield();
}

}  // namespace
}  // namespace doorbuster::worker
