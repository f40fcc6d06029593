#include "adapters/redis/handshake.hpp"

#include <gtest/gtest.h>

#include "adapters/redis/campaign_text.hpp"
#include "tests/support/samples.hpp"

namespace doorbuster::test {
namespace {

using redis::Persistence;

redis::Reply reply_of(std::string_view bytes) {
  redis::ReplyReader reader;
  reader.feed(bytes);
  auto next = reader.next();
  EXPECT_TRUE(next.has_value() && next->complete);
  return std::move(next->reply);
}

std::string info(const std::string& changed = "", const std::string& to = "") {
  std::string text =
      "# Server\r\nredis_version:7.0.15\r\nrun_id:abc\r\n# Persistence\r\nloading:0\r\naof_enabled:1\r\n"
      "# Memory\r\nmaxmemory_policy:noeviction\r\n# Replication\r\nrole:master\r\n";
  if (!changed.empty()) text.replace(text.find(changed), changed.size(), to);
  return "$" + std::to_string(text.size()) + "\r\n" + text + "\r\n";
}

constexpr std::string_view kEverysec = "*2\r\n$11\r\nappendfsync\r\n$8\r\neverysec\r\n";

Result<redis::ServerFacts> facts(const std::string& told, std::string_view fsync = kEverysec) {
  std::vector<redis::Reply> replies;
  replies.push_back(reply_of("+OK\r\n"));
  replies.push_back(reply_of(told));
  replies.push_back(reply_of(fsync));
  return redis::facts_of(replies);
}

TEST(RedisHandshake, ReadsWhatTheServerIs) {
  const auto found = facts(info());
  ASSERT_TRUE(found.has_value());
  EXPECT_EQ(found->run_id, "abc");
  EXPECT_EQ(found->persistence, Persistence::everysec);
  EXPECT_TRUE(redis::check(*found, {}).has_value());
}

TEST(RedisHandshake, ForbiddenConfigLeavesTheStrengthUnknown) {
  const auto found = facts(info(), "-NOPERM this user has no permissions\r\n");
  ASSERT_TRUE(found.has_value());
  EXPECT_EQ(found->persistence, Persistence::unknown);
  EXPECT_TRUE(redis::check(*found, {}).has_value());
}

TEST(RedisHandshake, RefusesServersThatMayForget) {
  const struct {
    std::string changed, to, named;
  } cases[] = {{"aof_enabled:1", "aof_enabled:0", "appendonly yes"},
               {"noeviction", "volatile-lru", "noeviction"},
               {"role:master", "role:slave", "replica"}};
  for (const auto& [changed, to, named] : cases) {
    const auto refused = redis::check(facts(info(changed, to)).value(), {});
    EXPECT_EQ(refused.error().code, ErrorCode::unsupported);
    EXPECT_EQ(refused.error().field, "redis.host");
    EXPECT_NE(refused.error().detail.find(named), std::string::npos) << refused.error().detail;
  }
  const auto no_fsync = redis::check(facts(info(), "*2\r\n$11\r\nappendfsync\r\n$2\r\nno\r\n").value(), {});
  EXPECT_EQ(no_fsync.error().code, ErrorCode::unsupported);
  EXPECT_EQ(redis::check(facts(info("loading:0", "loading:1")).value(), {}).error().code,
            ErrorCode::unavailable);
}

TEST(RedisHandshake, AWrongPasswordNamesItsKey) {
  std::vector<redis::Reply> replies;
  replies.push_back(reply_of("-WRONGPASS invalid username-password pair\r\n"));
  replies.push_back(reply_of("-NOAUTH Authentication required.\r\n"));
  replies.push_back(reply_of("-NOAUTH Authentication required.\r\n"));
  EXPECT_EQ(redis::facts_of(replies).error().field, "redis.password");
}

TEST(RedisText, AHolderIsReadBack) {
  auto event = coupon_event("sale", 12);
  event.epoch = 4;
  event.revision = 9;
  event.refilled = true;
  const auto held = redis::read_holder(event.coupon.user, redis::holder_text(event) + "1700000000000-7");
  ASSERT_TRUE(held.has_value());
  EXPECT_EQ(held->coupon, event.coupon);
  EXPECT_EQ(held->epoch, 4U);
  EXPECT_EQ(held->revision, 9U);
  EXPECT_TRUE(held->refilled);
  EXPECT_FALSE(held->pending);
  EXPECT_EQ(redis::entry_id(held->outbox), "1700000000000-7");
  EXPECT_TRUE(redis::read_holder(event.coupon.user, "!" + redis::holder_text(event) + "-")->pending);
}

TEST(RedisText, AHolderThatCannotBeReadIsCorrupt) {
  const auto user = UserId::from_integer(7);
  for (const auto* text :
       {"", "!", "1", "1 0123456789ABCDEF 1 1 1 1 0", "1 0123456789ABCDEF -1 1 1 1 0 -",
        "1 short 1 1 1 1 0 -", "1 0123456789ABCDEF 1 1 1 1 2 -", "x 0123456789ABCDEF 1 1 1 1 0 -"}) {
    EXPECT_EQ(redis::read_holder(user, text).error().code, ErrorCode::corrupt) << text;
  }
}

TEST(RedisText, EntriesThatAreNoneAreZero) {
  for (const auto* id : {"", "-", "1", "1-", "-1", "1-1048576", "x-1"})
    EXPECT_EQ(redis::packed_entry(id), 0U) << id;
}

TEST(RedisCommand, GoesOverTheWireWithItsCount) {
  std::string out;
  redis::Command command{"SET", "key"};
  command.add(-5);
  command.append_to(out);
  EXPECT_EQ(out, "*3\r\n$3\r\nSET\r\n$3\r\nkey\r\n$2\r\n-5\r\n");
  out.clear();
  redis::Command{"2"}.append_to(out, {"EVAL", "return 1"});
  EXPECT_EQ(out, "*3\r\n$4\r\nEVAL\r\n$8\r\nreturn 1\r\n$1\r\n2\r\n");
}

}  // namespace
}  // namespace doorbuster::test
