// The reading side: partitions, groups, dead letters.

#include <gmock/gmock.h>

#include <mutex>
#include <set>

#include "adapters/kafka/dead_letter_topic.hpp"
#include "adapters/kafka/kafka_consumer_group.hpp"
#include "adapters/kafka/test_parts.hpp"
#include "adapters/kafka/topics.hpp"

namespace doorbuster::kafka {
namespace {

using namespace std::chrono_literals;
using test::append;
using test::coupon_event;
using testing::HasSubstr;

class KafkaReadingTest : public testing::Test {
 protected:
  void fill(std::uint64_t first, std::uint64_t last) {
    std::vector<CouponIssued> events;
    for (auto number = first; number <= last; ++number) events.push_back(coupon_event("sale", number));
    ASSERT_TRUE(append(*log_, executor_, events));
  }
  KafkaOptions options_ = fresh_options(1);
  std::unique_ptr<KafkaEventLog> log_ = open_log(options_);
  test::ManualExecutor executor_;
};

TEST_F(KafkaReadingTest, PassesOnWhatItCannotRead) {
  ASSERT_TRUE(log_->append_payload(0, "k", "no event", 10s));
  ASSERT_TRUE(log_->append_payload(0, "", "", 10s));
  fill(1, 1);
  const auto records = read_all(options_);
  ASSERT_EQ(records.size(), 3U);
  EXPECT_EQ(std::get<Unreadable>(records[0].event).payload, "no event");
  EXPECT_THAT(std::get<Unreadable>(records[0].event).reason, testing::Not(testing::IsEmpty()));
  EXPECT_EQ(std::get<Unreadable>(records[1].event).payload, "");
  EXPECT_EQ(records[2].event, Event(coupon_event("sale", 1)));
}

TEST_F(KafkaReadingTest, ReadsAnywhereAndInAnyOrder) {
  fill(1, 5000);
  const auto reader = open_reader(options_);
  const auto source = reader->source(0);
  for (const LogPosition after : {4000U, 0U, 2500U, 2501U, 4999U, 5000U, 17U}) {
    const auto records = source->read(after, 2);
    ASSERT_TRUE(records) << records.error().detail;
    ASSERT_EQ(records->size(), std::min<std::size_t>(2, 5000 - after));
    if (after < 5000) {
      EXPECT_EQ(records->front().position, after + 1);
    }
  }
  EXPECT_EQ(source->read(0, 1'000'000)->size(), 5000U);
  source->wait(5000, 1ms);
  fill(5001, 5002);
  source->wait(5000, 10s);
  EXPECT_EQ(source->read(5000, 10)->size(), 2U);
}

TEST_F(KafkaReadingTest, ALogThatEndsBeforeItWasReadIsCorrupt) {
  fill(1, 10);
  const auto reader = open_reader(options_);
  const auto source = reader->source(0);
  ASSERT_EQ(source->read(0, 100)->size(), 10U);
  ASSERT_EQ(test::tell_stack("kill9 kafka"), "");
  const auto unreachable = source->read(10, 100);
  ASSERT_FALSE(unreachable);
  EXPECT_EQ(unreachable.error().code, ErrorCode::unavailable);
  ASSERT_EQ(test::tell_stack("wipe kafka"), "");
  ASSERT_EQ(test::tell_stack("start kafka"), "");
  ASSERT_TRUE(ensure_topics(options_));
  ASSERT_TRUE(becomes_true([&] { return source->end().has_value(); }));
  EXPECT_EQ(source->end().value(), 0U);
  ErrorCode code = ErrorCode::unavailable;
  ASSERT_TRUE(becomes_true([&] {
    const auto read = source->read(10, 100);
    if (read) return read->empty();
    code = read.error().code;
    return code == ErrorCode::corrupt;
  }));
  EXPECT_EQ(source->read(0, 100)->size(), 0U);
}

/// What a member has.
class Member {
 public:
  explicit Member(const KafkaOptions& options) {
    auto joined =
        KafkaConsumerGroup::join(options, {[this](const std::vector<std::size_t>& partitions) {
                                             std::lock_guard lock(mutex_);
                                             partitions_.insert(partitions.begin(), partitions.end());
                                           },
                                           [this](const std::vector<std::size_t>& partitions) {
                                             std::lock_guard lock(mutex_);
                                             for (const auto partition : partitions)
                                               partitions_.erase(partition);
                                             revoked_ += partitions.size();
                                           }});
    EXPECT_TRUE(joined.has_value());
    if (joined) group_ = std::move(*joined);
  }
  std::set<std::size_t> partitions() {
    std::lock_guard lock(mutex_);
    return partitions_;
  }
  std::size_t revoked() {
    std::lock_guard lock(mutex_);
    return revoked_;
  }
  void leave() { group_->leave(); }

 private:
  std::mutex mutex_;
  std::set<std::size_t> partitions_;
  std::size_t revoked_ = 0;
  std::unique_ptr<KafkaConsumerGroup> group_;
};

TEST_F(KafkaReadingTest, AGroupSharesPartitionsAndMovesOnlyWhatItMust) {
  const auto options = fresh_options(4);
  const auto log = open_log(options);
  Member first(options);
  ASSERT_TRUE(becomes_true([&] { return first.partitions().size() == 4; }));
  Member second(options);
  ASSERT_TRUE(
      becomes_true([&] { return first.partitions().size() == 2 && second.partitions().size() == 2; }));
  EXPECT_EQ(first.revoked(), 2U);
  EXPECT_EQ(second.revoked(), 0U);
  first.leave();
  EXPECT_TRUE(first.partitions().empty());
  ASSERT_TRUE(becomes_true([&] { return second.partitions().size() == 4; }));
  EXPECT_EQ(second.revoked(), 0U);
}

TEST_F(KafkaReadingTest, DeadLettersAreReplayedOnce) {
  const auto dead = DeadLetterTopic::open(options_);
  ASSERT_TRUE(dead);
  EXPECT_EQ(replay_dead_letters(options_, *log_)->replayed, 0U);
  ASSERT_TRUE(
      (*dead)->put(0, {{17, "poison: not an event", "no event"}, {18, "conflict: other code", "{}"}}));
  const auto replayed = replay_dead_letters(options_, *log_);
  ASSERT_TRUE(replayed) << replayed.error().detail;
  EXPECT_EQ(replayed->replayed, 2U);
  const auto records = read_all(options_);
  ASSERT_EQ(records.size(), 2U);
  EXPECT_EQ(std::get<Unreadable>(records[0].event).payload, "no event");
  EXPECT_EQ(std::get<Unreadable>(records[1].event).payload, "{}");
  EXPECT_EQ(replay_dead_letters(options_, *log_)->replayed, 0U);
  ASSERT_TRUE((*dead)->put(0, {{19, "poison: again", "later"}}));
  EXPECT_EQ(replay_dead_letters(options_, *log_)->replayed, 1U);
}

}  // namespace
}  // namespace doorbuster::kafka
