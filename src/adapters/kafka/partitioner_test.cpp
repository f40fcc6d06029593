#include "adapters/kafka/partitioner.hpp"

#include <gtest/gtest.h>

#include "tests/support/samples.hpp"

namespace doorbuster::kafka {
namespace {

TEST(Partitioner, HashesAsTheJavaClientsDo) {
  // From UtilsTest.java of Apache Kafka.
  EXPECT_EQ(static_cast<std::int32_t>(murmur2("21")), -973932308);
  EXPECT_EQ(static_cast<std::int32_t>(murmur2("foobar")), -790332482);
  EXPECT_EQ(static_cast<std::int32_t>(murmur2("a-little-bit-long-string")), -985981536);
  EXPECT_EQ(static_cast<std::int32_t>(murmur2("a-little-bit-longer-string")), -1486304829);
  EXPECT_EQ(static_cast<std::int32_t>(murmur2("lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8")),
            -58897971);
  EXPECT_EQ(static_cast<std::int32_t>(murmur2("abc")), 479470107);
}

TEST(Partitioner, SpreadsUsersAndKeepsEachInOnePlace) {
  constexpr int kPartitions = 4;
  std::array<int, kPartitions> found{};
  for (std::uint64_t user = 1; user <= 4000; ++user) {
    const auto key = key_of(test::coupon_event("sale", user, UserId::from_integer(user)));
    const int partition = partition_of(key, kPartitions);
    ASSERT_GE(partition, 0);
    ASSERT_LT(partition, kPartitions);
    EXPECT_EQ(partition_of(key, kPartitions), partition);
    ++found.at(static_cast<std::size_t>(partition));
  }
  for (const int count : found) EXPECT_GT(count, 800);
}

}  // namespace
}  // namespace doorbuster::kafka
