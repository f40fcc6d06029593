// Three brokers, three replicas, min.insync.replicas 2: what is acknowledged outlives any one broker.

#include <gtest/gtest.h>
#include <librdkafka/rdkafka.h>

#include <numeric>
#include <set>

#include "adapters/kafka/client.hpp"
#include "adapters/kafka/test_parts.hpp"

namespace doorbuster::kafka {
namespace {

using namespace std::chrono_literals;
using test::coupon_event;
using test::tell_stack;

class ThreeBrokersTest : public testing::Test {
 protected:
  static KafkaOptions options() {
    auto options = fresh_options(4);
    options.replication = 3;
    options.min_insync_replicas = 2;
    options.delivery_timeout = 3s;
    return options;
  }
  /// Appends each of the numbers until it is acknowledged, as the relay does it.
  void make_safe(std::uint64_t first, std::uint64_t last) {
    for (auto number = first; number <= last; ++number) {
      ASSERT_TRUE(becomes_true(
          [&] { return test::append(*log_, executor_, {coupon_event("sale", number)}).has_value(); }, 60s))
          << number;
    }
  }
  std::set<std::uint64_t> in_the_log() {
    std::set<std::uint64_t> numbers;
    for (const auto& record : read_all(options_))
      numbers.insert(std::get<CouponIssued>(record.event).coupon.sequence);
    return numbers;
  }
  /// Every replica of every partition is in sync.
  bool fully_replicated() {
    const struct rd_kafka_metadata* metadata = nullptr;
    const auto error = rd_kafka_metadata(observer_.get(), 0, topic_.get(), &metadata, 1000);
    if (error != RD_KAFKA_RESP_ERR_NO_ERROR) return false;
    bool all = metadata->topic_cnt == 1 && metadata->topics[0].partition_cnt == options_.partitions;
    for (int i = 0; all && i < metadata->topics[0].partition_cnt; ++i)
      all = metadata->topics[0].partitions[i].isr_cnt == options_.replication;
    rd_kafka_metadata_destroy(metadata);
    return all;
  }
  KafkaOptions options_ = options();
  test::ManualExecutor executor_;
  std::unique_ptr<KafkaEventLog> log_ = open_log(options_);
  Client observer_ = *make_client(Kind::producer, options_);
  Topic topic_{rd_kafka_topic_new(observer_.get(), options_.topic.c_str(), nullptr)};
};

TEST_F(ThreeBrokersTest, AnyOneMayDieWithItsData) {
  make_safe(1, 100);
  std::uint64_t next = 101;
  for (const std::string broker : {"1", "2", "3"}) {
    ASSERT_EQ(tell_stack("kill9 kafka " + broker), "");
    make_safe(next, next + 49);
    next += 50;
    if (broker == "2") {
      ASSERT_EQ(tell_stack("wipe kafka 2"), "");  // a disk that is gone
    }
    ASSERT_EQ(tell_stack("start kafka " + broker), "");
    // Only when the others have caught up may the next one die.
    ASSERT_TRUE(becomes_true([&] { return fully_replicated(); }, 60s)) << broker;
  }
  EXPECT_EQ(in_the_log().size(), 250U);
  EXPECT_EQ(*in_the_log().rbegin(), 250U);
}

TEST_F(ThreeBrokersTest, WhoAsksForTheEndsAloneHearsOfTheNewLeaders) {
  const auto reader = open_reader(options_);
  const auto knows = [&](std::uint64_t count) {
    return becomes_true([&] {
      const auto ends = reader->ends();
      return ends && std::accumulate(ends->begin(), ends->end(), std::uint64_t{0}) == count;
    });
  };
  make_safe(1, 20);
  ASSERT_TRUE(knows(20));
  ASSERT_EQ(tell_stack("kill9 kafka"), "");
  ASSERT_EQ(tell_stack("start kafka"), "");
  make_safe(21, 40);
  EXPECT_TRUE(knows(40)) << reader->ends().error().detail;
}

TEST_F(ThreeBrokersTest, WithOneLeftNothingIsPromised) {
  make_safe(1, 100);
  ASSERT_EQ(tell_stack("kill9 kafka 2"), "");
  ASSERT_EQ(tell_stack("kill9 kafka 3"), "");
  for (int i = 0; i < 3; ++i) {
    EXPECT_FALSE(test::append(*log_, executor_, {coupon_event("sale", 101)}));
  }
  ASSERT_EQ(tell_stack("start kafka 2"), "");
  make_safe(101, 110);
  ASSERT_EQ(tell_stack("start kafka 3"), "");
  const auto numbers = in_the_log();
  EXPECT_EQ(numbers.size(), 110U);
  EXPECT_EQ(*numbers.rbegin(), 110U);
}

}  // namespace
}  // namespace doorbuster::kafka
