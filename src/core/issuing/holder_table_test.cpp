#include "core/issuing/holder_table.hpp"

#include <gtest/gtest.h>
#include <malloc.h>

#include <atomic>
#include <cstdlib>
#include <new>

#include "base/random.hpp"

namespace {
std::atomic<std::size_t> allocated_bytes{0};
}

// The memory of a table is counted, not estimated: by what the allocator gave for each block.
void* operator new(std::size_t size) {
  void* block = std::malloc(size);
  if (block == nullptr) throw std::bad_alloc();
  allocated_bytes += malloc_usable_size(block);
  return block;
}
// Not inlined: g++ would see free() for a block of operator new, and warn.
[[gnu::noinline]] void operator delete(void* at) noexcept {
  allocated_bytes -= malloc_usable_size(at);
  std::free(at);
}
void operator delete(void* at, std::size_t) noexcept {
  operator delete(at);
}
// The standard library's own array forms call these; those of the sanitizers do not.
void* operator new[](std::size_t size) {
  return operator new(size);
}
void operator delete[](void* at) noexcept {
  operator delete(at);
}
void operator delete[](void* at, std::size_t) noexcept {
  operator delete(at);
}

namespace doorbuster {
namespace {

using namespace std::chrono_literals;

const Timestamp kStart{std::chrono::hours{24 * 365 * 56}};

CouponCode code_of(std::uint64_t number) {
  CouponCode::Bytes bytes{};
  for (std::size_t i = 0; i < 8; ++i) bytes[i] = static_cast<std::uint8_t>(number >> (8 * i));
  bytes[9] = 0xa5;
  return CouponCode(bytes);
}

Holder holder_of(UserId user, std::uint64_t sequence) {
  Holder holder;
  holder.coupon = {user, sequence, code_of(sequence), kStart + Duration{sequence}};
  return holder;
}

void insert(HolderTable& table, const Holder& holder) {
  table.insert(table.key_of(holder.coupon.user), holder);
}
std::uint64_t find(const HolderTable& table, const UserId& user) {
  return table.find(table.key_of(user));
}
UserId number(std::uint64_t n) {
  return UserId::from_integer(n);
}
UserId name(const std::string& text) {
  return UserId::parse(text).value();
}

TEST(HolderTable, IsEmptyAtFirst) {
  const HolderTable table;
  EXPECT_EQ(find(table, number(1)), 0U);
  EXPECT_EQ(find(table, name("ann")), 0U);
  EXPECT_FALSE(table.contains(0));
  EXPECT_FALSE(table.contains(1));
  EXPECT_EQ(table.size(), 0U);
  EXPECT_EQ(table.highest(), 0U);
  EXPECT_EQ(table.next_after(0), 0U);
}

TEST(HolderTable, GivesBackEveryField) {
  HolderTable table;
  Holder first = holder_of(number(17), 1);
  first.epoch = 3;
  first.revision = 70'000;
  first.refilled = true;
  Holder second = holder_of(name("ann@example.org"), 2);
  second.pending = true;
  second.coupon.decided_at = HolderTable::kLastTime;
  Holder third = holder_of(number((std::uint64_t{1} << 63) - 1), 3);
  third.coupon.decided_at = Timestamp{};
  third.epoch = 3;
  third.revision = 70'000;
  for (const auto& holder : {first, second, third}) insert(table, holder);
  EXPECT_EQ(table.at(1), first);
  EXPECT_EQ(table.at(2), second);
  EXPECT_EQ(table.at(3), third);
  EXPECT_EQ(find(table, number(17)), 1U);
  EXPECT_EQ(find(table, name("ann@example.org")), 2U);
}

TEST(HolderTable, TellsUsersThatLookAlikeApart) {
  HolderTable table;
  const std::vector<UserId> users{number(0),
                                  name("00"),
                                  name("-0"),
                                  number(17),
                                  name("017"),
                                  name("a17"),
                                  name("17a"),
                                  name("18446744073709551615"),
                                  name("9223372036854775808"),
                                  name(std::string(64, '9')),
                                  name(std::string(63, '9'))};
  for (std::size_t i = 0; i < users.size(); ++i) insert(table, holder_of(users[i], i + 1));
  for (std::size_t i = 0; i < users.size(); ++i) {
    EXPECT_EQ(find(table, users[i]), i + 1) << users[i].text();
    EXPECT_EQ(table.at(i + 1).coupon.user, users[i]);
  }
  EXPECT_EQ(find(table, name("0017")), 0U);
}

TEST(HolderTable, PendingBecomesSafeAndNothingElseChanges) {
  HolderTable table;
  Holder holder = holder_of(number(5), 9);
  holder.pending = true;
  holder.refilled = true;
  insert(table, holder);
  EXPECT_TRUE(table.pending(9));
  table.set_safe(9);
  EXPECT_FALSE(table.pending(9));
  holder.pending = false;
  EXPECT_EQ(table.at(9), holder);
}

TEST(HolderTable, NumbersMayComeInAnyOrderWithGaps) {
  HolderTable table;
  for (std::uint64_t sequence : {100'000U, 3U, 1U, 257U, 256U})
    insert(table, holder_of(number(sequence * 7), sequence));
  EXPECT_EQ(table.highest(), 100'000U);
  EXPECT_EQ(table.size(), 5U);
  EXPECT_FALSE(table.contains(2));
  EXPECT_FALSE(table.contains(99'999));
  EXPECT_FALSE(table.contains(100'001));
  std::vector<std::uint64_t> found;
  for (auto next = table.next_after(0); next != 0; next = table.next_after(next)) found.push_back(next);
  EXPECT_EQ(found, (std::vector<std::uint64_t>{1, 3, 256, 257, 100'000}));
  EXPECT_EQ(table.next_after(~std::uint64_t{0}), 0U);
}

TEST(HolderTable, FindsEveryUserAndNobodyElseAtAnySize) {
  HolderTable table;
  SeededRandom random(7);
  std::vector<UserId> users;
  for (std::uint64_t i = 1; i <= 60'000; ++i) {
    users.push_back(random.below(3) == 0 ? name("user-" + std::to_string(i * 13))
                                         : number(i << random.below(40)));
    if (find(table, users.back()) != 0) {
      users.pop_back();
      continue;
    }
    insert(table, holder_of(users.back(), users.size()));
    const auto some = random.below(users.size());
    ASSERT_EQ(find(table, users[some]), some + 1);
    ASSERT_EQ(find(table, name("absent-" + std::to_string(i))), 0U);
  }
  ASSERT_EQ(table.size(), users.size());
  for (std::size_t i = 0; i < users.size(); ++i) {
    ASSERT_EQ(find(table, users[i]), i + 1);
    ASSERT_EQ(table.at(i + 1).coupon.user, users[i]);
  }
}

TEST(HolderTable, KeepsAnIntegerUserInFortyBytesAtEverySize) {
  const std::size_t before = allocated_bytes;
  HolderTable table;
  for (std::uint64_t i = 1; i <= 1'000'000; ++i) {
    insert(table, holder_of(number(i * 2'654'435'761 % 1'000'000'007), i));
    if (i % 50'000 != 0) continue;
    const std::size_t bytes = allocated_bytes - before;
    EXPECT_LE(bytes, 40 * i) << "at " << i;
    EXPECT_NEAR(static_cast<double>(table.memory_bytes()), static_cast<double>(bytes),
                0.01 * static_cast<double>(bytes));
  }
  RecordProperty("bytes_per_holder_at_1M",
                 std::to_string(static_cast<double>(allocated_bytes - before) / 1e6));
}

TEST(HolderTable, SmallCampaignsAreSmall) {
  const std::size_t before = allocated_bytes;
  HolderTable table;
  insert(table, holder_of(number(1), 1));
  insert(table, holder_of(name("ann"), 2));
  EXPECT_LE(allocated_bytes - before, 12'000U);
}

using HolderTableDeathTest = testing::Test;

TEST(HolderTableDeathTest, RefusesANumberThatIsTaken) {
  testing::GTEST_FLAG(death_test_style) = "threadsafe";
  HolderTable table;
  insert(table, holder_of(number(1), 1));
  EXPECT_DEATH(insert(table, holder_of(number(2), 1)), "contains");
}

}  // namespace
}  // namespace doorbuster
