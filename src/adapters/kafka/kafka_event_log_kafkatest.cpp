#include "adapters/kafka/kafka_event_log.hpp"

#include <gmock/gmock.h>

#include <map>
#include <set>

#include "adapters/kafka/partitioner.hpp"
#include "adapters/kafka/test_parts.hpp"
#include "adapters/kafka/topics.hpp"

namespace doorbuster::kafka {
namespace {

using namespace std::chrono_literals;
using test::append;
using test::coupon_event;
using test::tell_stack;
using testing::AllOf;
using testing::HasSubstr;
using testing::StartsWith;

class KafkaEventLogTest : public testing::Test {
 protected:
  ~KafkaEventLogTest() override {
    if (log_) log_->stop();
    executor_.run_until_idle();
    EXPECT_EQ(answers_.size(), asked_);
  }
  void open() { log_ = open_log(options_); }

  /// Appends events one by one without waiting; answers_ has what became of each.
  void ask(std::uint64_t first, std::uint64_t last) {
    for (auto number = first; number <= last; ++number) {
      ++asked_;
      log_->append({coupon_event("sale", number)}, executor_, [this, number](Result<void> result) {
        EXPECT_FALSE(answers_.contains(number)) << "answered twice";
        answers_.emplace(number, result ? std::nullopt : std::optional(result.error().code));
      });
    }
  }
  bool all_answered() {
    return executor_.wait_until([this] { return answers_.size() == asked_; }, 60s);
  }
  std::set<std::uint64_t> acknowledged() const {
    std::set<std::uint64_t> numbers;
    for (const auto& [number, error] : answers_) {
      if (!error) numbers.insert(number);
    }
    return numbers;
  }
  std::map<std::uint64_t, int> in_the_log() const {
    std::map<std::uint64_t, int> times;
    for (const auto& record : read_all(options_))
      ++times[std::get<CouponIssued>(record.event).coupon.sequence];
    return times;
  }
  /// What was acknowledged is there, and once; what was refused for certain is not.
  void expect_the_truth() {
    const auto there = in_the_log();
    for (const auto& [number, error] : answers_) {
      if (!error) {
        EXPECT_EQ(there.contains(number) ? there.at(number) : 0, 1) << "number " << number;
      } else if (*error == ErrorCode::unavailable || *error == ErrorCode::overloaded) {
        EXPECT_FALSE(there.contains(number)) << "number " << number;
      }
    }
  }

  KafkaOptions options_ = fresh_options(2);
  test::ManualExecutor executor_;
  std::unique_ptr<KafkaEventLog> log_;
  std::map<std::uint64_t, std::optional<ErrorCode>> answers_;
  std::size_t asked_ = 0;
};

TEST_F(KafkaEventLogTest, KeepsTheEventsOfOneUserInOnePartition) {
  options_ = fresh_options(4);
  open();
  std::vector<CouponIssued> events;
  for (std::uint64_t i = 1; i <= 200; ++i) events.push_back(coupon_event("sale", i));
  ASSERT_TRUE(append(*log_, executor_, events));
  const auto reader = open_reader(options_);
  const auto ends = reader->ends().value();
  LogPosition all = 0;
  for (std::size_t partition = 0; partition < 4; ++partition) {
    EXPECT_GT(ends[partition], 20U);
    all += ends[partition];
    ASSERT_TRUE(reader->read(partition, 0, ends[partition], [&](LogRecord&& record) {
      EXPECT_EQ(partition_of(key_of(std::get<CouponIssued>(record.event)), 4), static_cast<int>(partition));
      return Result<void>();
    }));
  }
  EXPECT_EQ(all, 200U);
}

TEST_F(KafkaEventLogTest, PublishesDefinitions) {
  open();
  const CampaignChanged change{test::campaign("sale", 10)};
  ASSERT_TRUE(log_->publish(change, 10s));
  const auto records = read_all(options_);
  ASSERT_EQ(records.size(), 1U);
  EXPECT_EQ(records[0].event, Event(change));
}

TEST_F(KafkaEventLogTest, RefusesWhatWouldPassItsBound) {
  options_.most_queued_events = 10;
  open();
  std::vector<CouponIssued> events;
  for (std::uint64_t i = 1; i <= 11; ++i) events.push_back(coupon_event("sale", i));
  const auto refused = append(*log_, executor_, events);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::overloaded);
  EXPECT_TRUE(in_the_log().empty());
  events.pop_back();
  EXPECT_TRUE(append(*log_, executor_, events));
  EXPECT_EQ(in_the_log().size(), 10U);
}

TEST_F(KafkaEventLogTest, AnswersEverythingWhenItStops) {
  open();
  ask(1, 500);
  log_->stop();
  ask(501, 501);
  ASSERT_TRUE(all_answered());
  EXPECT_EQ(acknowledged().size(), 500U);
  EXPECT_EQ(answers_.at(501), ErrorCode::unavailable);
  EXPECT_FALSE(log_->accepting());
  expect_the_truth();
}

TEST_F(KafkaEventLogTest, NamesTheKeyThatIsWrong) {
  const auto complaint = [](const KafkaOptions& options) {
    const auto log = KafkaEventLog::open(options);
    return log ? "" : log.error().detail;
  };
  auto wrong = options_;
  wrong.replication = 3;
  EXPECT_THAT(complaint(wrong), AllOf(StartsWith("kafka.replication: topic '"), HasSubstr("3 replicas")));
  wrong = options_;
  wrong.min_insync_replicas = 2;
  EXPECT_THAT(complaint(wrong), StartsWith("kafka.min_insync_replicas: 2 of 1 replicas"));
  open();
  wrong = options_;
  wrong.partitions = 7;
  EXPECT_THAT(complaint(wrong), StartsWith("kafka.partitions: topic '"));
  wrong = options_;
  wrong.replication = wrong.min_insync_replicas = 2;
  EXPECT_THAT(complaint(wrong), AllOf(StartsWith("kafka.replication: topic '"), HasSubstr("has 1 replicas")));
  wrong = options_;
  wrong.brokers = "127.0.0.1:1";
  wrong.timeout = 500ms;
  EXPECT_THAT(complaint(wrong),
              StartsWith("kafka.brokers: no broker answers at '127.0.0.1:1' within 500 ms"));
  wrong = options_;
  wrong.topic = "not a topic";
  EXPECT_THAT(complaint(wrong), StartsWith("kafka.topic: "));
}

TEST_F(KafkaEventLogTest, AKilledBrokerLosesNothingThatWasAcknowledged) {
  options_.delivery_timeout = 3s;
  open();
  ask(1, 300);
  ASSERT_TRUE(executor_.wait_until([&] { return answers_.size() >= 50; }));
  ASSERT_EQ(tell_stack("kill9 kafka"), "");
  ask(301, 600);
  ASSERT_TRUE(becomes_true([&] { return !log_->accepting(); }));
  ASSERT_TRUE(all_answered());
  EXPECT_GT(answers_.size(), acknowledged().size());
  ASSERT_EQ(tell_stack("start kafka"), "");
  ASSERT_TRUE(becomes_true([&] { return log_->accepting(); }));
  ask(601, 700);
  ASSERT_TRUE(all_answered());
  EXPECT_TRUE(acknowledged().contains(700));
  expect_the_truth();
}

TEST_F(KafkaEventLogTest, AStoppedBrokerGivesBackPressureAndThenAnswers) {
  options_.stall = 300ms;
  options_.delivery_timeout = 20s;
  open();
  ask(1, 1);
  ASSERT_TRUE(all_answered());
  ASSERT_EQ(tell_stack("pause kafka"), "");
  ask(2, 200);
  ASSERT_TRUE(becomes_true([&] { return !log_->accepting(); }));
  EXPECT_EQ(answers_.size(), 1U);
  ASSERT_EQ(tell_stack("resume kafka"), "");
  ASSERT_TRUE(all_answered());
  EXPECT_EQ(acknowledged().size(), 200U);
  ASSERT_TRUE(becomes_true([&] { return log_->accepting(); }));
  expect_the_truth();
}

TEST_F(KafkaEventLogTest, ABrokerStoppedForLongLeavesOutcomesUnknownAndNothingWithoutAnAnswer) {
  options_.stall = 300ms;
  options_.delivery_timeout = 1s;
  open();
  ask(1, 1);
  ASSERT_TRUE(all_answered());
  ASSERT_EQ(tell_stack("pause kafka"), "");
  ask(2, 200);
  ASSERT_TRUE(all_answered());
  EXPECT_EQ(acknowledged().size(), 1U);
  EXPECT_FALSE(log_->accepting());
  ASSERT_EQ(tell_stack("resume kafka"), "");
  ASSERT_TRUE(becomes_true([&] { return log_->accepting(); }));
  expect_the_truth();
  // As the relay does it: what is not known to be there is appended again.
  for (std::uint64_t number = 2; number <= 200; ++number) {
    ASSERT_TRUE(append(*log_, executor_, {coupon_event("sale", number)}));
  }
  EXPECT_EQ(in_the_log().size(), 200U);
}

TEST_F(KafkaEventLogTest, StaysClosedWhenKafkaHasLostItsDataUntilTheTopicIsMadeAgain) {
  options_.delivery_timeout = 2s;
  open();
  ask(1, 100);
  ASSERT_TRUE(all_answered());
  const auto before = topic_identity(options_);
  ASSERT_TRUE(before);
  ASSERT_EQ(tell_stack("kill9 kafka"), "");
  ASSERT_EQ(tell_stack("wipe kafka"), "");
  ASSERT_EQ(tell_stack("start kafka"), "");
  ask(101, 110);
  ASSERT_TRUE(all_answered());
  EXPECT_FALSE(log_->accepting());
  EXPECT_EQ(topic_identity(options_).error().code, ErrorCode::not_found);
  EXPECT_EQ(check_topics(options_).error().code, ErrorCode::not_found);
  ASSERT_TRUE(ensure_topics(options_));  // as recovery does it
  EXPECT_NE(topic_identity(options_).value(), *before);
  ASSERT_TRUE(becomes_true([&] { return log_->accepting(); }));
  for (std::uint64_t number = 1; number <= 110; ++number) {
    ASSERT_TRUE(append(*log_, executor_, {coupon_event("sale", number)})) << number;
  }
  EXPECT_EQ(in_the_log().size(), 110U);
}

}  // namespace
}  // namespace doorbuster::kafka
