#include "adapters/sqlite/wal_space.hpp"

#include <gtest/gtest.h>

#include "adapters/sqlite/test_parts.hpp"

namespace doorbuster::sqlite {
namespace {

constexpr std::int64_t kBytes = std::int64_t{1} << 20;

EventLogOptions with_room() {
  EventLogOptions options;
  options.reserved_bytes = kBytes;
  return options;
}

std::uintmax_t wal_size(const TemporaryFolder& folder) {
  return std::filesystem::file_size(folder.log() + "-wal");
}

TEST(WalSpace, IsThereBeforeTheFirstEventAndDoesNotGrowWhileItLasts) {
  TemporaryFolder folder;
  const auto log = open_log(folder.log(), with_room());
  EXPECT_EQ(wal_size(folder), static_cast<std::uintmax_t>(kBytes));
  ASSERT_TRUE(append(*log, coupon_events(1, 100)));
  EXPECT_EQ(wal_size(folder), static_cast<std::uintmax_t>(kBytes));
  EXPECT_LT(log->stats().wal_bytes, kBytes) << "what is in use is counted, not what is reserved";
  EXPECT_EQ(count_all(folder.log()), 100U);
}

TEST(WalSpace, TheEmptyRestIsNoLogAfterACrash) {
  TemporaryFolder folder;
  const auto running = open_log(folder.log(), with_room());
  ASSERT_TRUE(append(*running, coupon_events(1, 100)));
  // As kill -9 leaves it: the files as they are, and nobody has closed them.
  TemporaryFolder copy;
  for (const char* end : {"", "-wal"}) std::filesystem::copy_file(folder.log() + end, copy.log() + end);
  const auto log = open_log(copy.log(), with_room());
  EXPECT_EQ(log->stats().position, 100U);
  ASSERT_TRUE(append(*log, coupon_events(101, 150)));
  EXPECT_EQ(count_all(copy.log()), 150U);
}

TEST(WalSpace, WhatIsInTheLogStaysWhenItIsLengthened) {
  TemporaryFolder folder;
  const auto log = open_log(folder.log());
  ASSERT_TRUE(append(*log, coupon_events(1, 1000)));
  const auto before = wal_size(folder);
  ASSERT_GT(before, 0U);
  EXPECT_TRUE(reserve_wal(folder.log(), static_cast<std::int64_t>(before) + kBytes));
  EXPECT_EQ(wal_size(folder), before + static_cast<std::uintmax_t>(kBytes));
  ASSERT_TRUE(append(*log, coupon_events(1001, 1100)));
  EXPECT_EQ(count_all(folder.log()), 1100U);
}

TEST(WalSpace, ADiskWithoutRoomIsLeftAsItIs) {
  TemporaryFolder folder;
  const auto log = open_log(folder.log());
  const auto before = wal_size(folder);
  EXPECT_FALSE(reserve_wal(folder.log(), std::int64_t{1} << 50));
  EXPECT_EQ(wal_size(folder), before);
  EXPECT_FALSE(reserve_wal(folder.path() + "/none", kBytes));
}

}  // namespace
}  // namespace doorbuster::sqlite
