// What the ledger says when the Redis behind it dies, forgets, stops or is not what it must be.

#include <gtest/gtest.h>

#include <filesystem>

#include "adapters/redis/rebuildable_ledger.hpp"
#include "adapters/redis/test_redis.hpp"
#include "tests/support/await.hpp"
#include "tests/support/samples.hpp"

namespace doorbuster::test {
namespace {

using redis::ScriptSet;

class RedisFaults : public testing::Test {
 protected:
  RedisFaults() : RedisFaults(redis_options()) {}
  explicit RedisFaults(redis::Options options) {
    one_ = std::make_unique<RedisInstance>(executor_, 1, options, ScriptSet::production());
    EXPECT_TRUE(one_->wait_ready());
    one_->know({});
    EXPECT_TRUE(open(sale_));
  }
  ~RedisFaults() override {
    tell_stack("start redis");
    probe_.call({"CONFIG", "SET", "appendonly", "yes"}).value();
    probe_.call({"CONFIG", "SET", "maxmemory-policy", "noeviction"}).value();
  }

  bool open(const CampaignDefinition& definition) {
    const auto prepared =
        await<void>(executor_, [&](auto done) { one_->ledger().prepare(definition, std::move(done)); });
    if (!prepared) return false;
    return await<void>(executor_, [&](auto done) { one_->ledger().open(definition, std::move(done)); })
        .has_value();
  }
  Result<std::vector<Decision>> try_decide(RedisInstance& instance, std::uint64_t first,
                                           std::uint64_t count = 1) {
    std::vector<IssueRequest> batch;
    for (std::uint64_t i = 0; i < count; ++i) batch.push_back({sale_.id, UserId::from_integer(first + i)});
    return await<std::vector<Decision>>(executor_,
                                        [&](auto done) { instance.ledger().decide(batch, std::move(done)); });
  }
  Decision decide(std::uint64_t user) { return try_decide(*one_, user).value().at(0); }
  Result<void> confirm(const Decision& decision) {
    return await<void>(executor_, [&](auto done) {
      one_->ledger().confirm({{sale_.id, decision.epoch, decision.coupon.sequence, decision.outbox}},
                             std::move(done));
    });
  }
  bool reported() {
    return executor_.wait_until([this] { return one_->needs_recovery.contains(sale_.id); });
  }
  /// As services/recovery does, with what the ledger still knows alone.
  void recover() {
    ++sale_.epoch;
    RedisRebuildableLedger ledger(redis_options());
    ASSERT_TRUE(ledger.close(sale_).has_value());
    std::vector<CouponIssued> left;
    ASSERT_TRUE(ledger
                    .read_holders(sale_.id,
                                  [&](CouponIssued&& event) {
                                    left.push_back(event);
                                    return Result<void>();
                                  })
                    .has_value());
    ASSERT_TRUE(ledger.begin_rebuild(sale_).has_value());
    ASSERT_TRUE(ledger.add(sale_, left, false).has_value());
    ASSERT_TRUE(ledger.finish_rebuild(sale_, {}).has_value());
    one_->know({sale_});
  }
  static std::filesystem::path data_folder() {
    return std::filesystem::path(from_stack("DOORBUSTER_TEST_STACK")).parent_path() / "redis" / "data";
  }

  RedisProbe probe_;
  ManualExecutor executor_;
  CampaignDefinition sale_ = campaign("sale", 100);
  std::unique_ptr<RedisInstance> one_;
};

TEST_F(RedisFaults, AKilledServerThatComesBackIsClosedUntilItIsRecovered) {
  const Decision before = decide(1);
  ASSERT_TRUE(confirm(before).has_value());
  const Decision pending = decide(2);
  ASSERT_EQ(tell_stack("kill9 redis"), "");
  EXPECT_TRUE(executor_.wait_until([&] { return !one_->ready(); }));
  EXPECT_EQ(try_decide(*one_, 3).error().code, ErrorCode::unavailable);
  ASSERT_EQ(tell_stack("start redis"), "");
  ASSERT_TRUE(one_->wait_ready());
  one_->know({sale_});
  EXPECT_EQ(decide(1).outcome, Outcome::closed) << "a holder, too: this Redis may have been set back";
  EXPECT_TRUE(reported());
  EXPECT_EQ(confirm(pending).error().code, ErrorCode::closed);
  recover();
  EXPECT_EQ(decide(1).coupon, before.coupon);
  EXPECT_EQ(decide(2).coupon, pending.coupon) << "nothing was lost: the file was written before the answer";
  EXPECT_TRUE(decide(2).pending);
  EXPECT_EQ(decide(2).epoch, 2U);
  EXPECT_EQ(confirm(pending).error().code, ErrorCode::closed) << "of the epoch before";
  EXPECT_EQ(decide(3).coupon.sequence, 3U);
}

TEST_F(RedisFaults, AnEmptiedServerIsClosedAndReported) {
  one_->know({sale_});
  decide(1);
  probe_.call({"FLUSHALL"}).value();
  EXPECT_EQ(decide(1).outcome, Outcome::closed);
  EXPECT_TRUE(reported());
  const auto found = await<std::optional<Decision>>(
      executor_, [&](auto done) { one_->ledger().find(sale_.id, UserId::from_integer(1), std::move(done)); });
  EXPECT_EQ(found.error().code, ErrorCode::closed);
  const auto shown = await<std::optional<CampaignView>>(
      executor_, [&](auto done) { one_->ledger().show(sale_.id, std::move(done)); });
  EXPECT_EQ(shown.error().code, ErrorCode::closed) << "not 'there is none': it would be created anew";
}

TEST_F(RedisFaults, AnOlderFileIsClosedAndReported) {
  decide(1);
  const auto kept = data_folder().parent_path() / "kept";
  ASSERT_EQ(tell_stack("stop redis"), "");
  std::filesystem::remove_all(kept);
  std::filesystem::copy(data_folder(), kept, std::filesystem::copy_options::recursive);
  ASSERT_EQ(tell_stack("start redis"), "");
  ASSERT_TRUE(one_->wait_ready());
  one_->know({sale_});
  recover();
  EXPECT_EQ(decide(2).coupon.sequence, 2U);
  ASSERT_EQ(tell_stack("stop redis"), "");
  std::filesystem::remove_all(data_folder());
  std::filesystem::rename(kept, data_folder());
  ASSERT_EQ(tell_stack("start redis"), "");
  ASSERT_TRUE(executor_.wait_until([&] { return one_->ready().has_value(); }));
  one_->needs_recovery.clear();
  one_->know({sale_});
  EXPECT_EQ(decide(2).outcome, Outcome::closed);
  EXPECT_TRUE(reported());
  EXPECT_FALSE(RedisRebuildableLedger(redis_options()).is_open(sale_).value());
  recover();
  EXPECT_EQ(decide(1).coupon.sequence, 1U);
}

TEST_F(RedisFaults, ForgottenScriptsAreSentAgain) {
  decide(1);
  probe_.call({"SCRIPT", "FLUSH"}).value();
  EXPECT_EQ(decide(2).outcome, Outcome::issued);
  EXPECT_EQ(decide(3).coupon.sequence, 3U);
}

TEST_F(RedisFaults, PersistenceTurnedOffClosesEverything) {
  probe_.call({"CONFIG", "SET", "appendonly", "no"}).value();
  one_->know({sale_});
  ASSERT_TRUE(executor_.wait_until([&] { return !one_->ready(); }));
  const auto refused = try_decide(*one_, 1);
  EXPECT_EQ(refused.error().code, ErrorCode::unsupported);
  EXPECT_NE(refused.error().detail.find("appendonly yes"), std::string::npos);
  EXPECT_EQ(refused.error().field, "redis.host");
  EXPECT_EQ(RedisRebuildableLedger(redis_options()).close(sale_).error().code, ErrorCode::unsupported);
  probe_.call({"CONFIG", "SET", "appendonly", "yes"}).value();
  EXPECT_TRUE(one_->wait_ready()) << "it looks again by itself";
}

TEST_F(RedisFaults, EvictionClosesEverything) {
  probe_.call({"CONFIG", "SET", "maxmemory-policy", "allkeys-lru"}).value();
  one_->know({sale_});
  ASSERT_TRUE(executor_.wait_until([&] { return !one_->ready(); }));
  EXPECT_NE(try_decide(*one_, 1).error().detail.find("noeviction"), std::string::npos);
}

TEST_F(RedisFaults, AWrongPasswordIsNamed) {
  auto options = redis_options();
  options.password = "wrong";
  RedisInstance other(executor_, 2, options);
  ASSERT_TRUE(executor_.wait_until([&] { return other.ready().error().field == "redis.password"; }));
  EXPECT_EQ(RedisRebuildableLedger(options).close(sale_).error().field, "redis.password");
}

TEST_F(RedisFaults, CommandsThatTheUserMayNotCallAreToleratedWherePossible) {
  probe_.call({"ACL", "SETUSER", "coupons", "on", ">pass", "~*", "&*", "+@all", "-config"}).value();
  auto options = redis_options();
  options.user = "coupons";
  options.password = "pass";
  RedisInstance other(executor_, 2, options, ScriptSet::production());
  ASSERT_TRUE(other.wait_ready());
  EXPECT_EQ(other.own().persistence(), redis::Persistence::unknown);
  EXPECT_EQ(one_->own().persistence(), redis::Persistence::everysec);
}

class StoppedRedis : public RedisFaults {
 protected:
  static redis::Options impatient() {
    auto options = redis_options();
    options.command_timeout = std::chrono::milliseconds(150);
    return options;
  }
  StoppedRedis() : RedisFaults(impatient()) {}
};

TEST_F(StoppedRedis, ALateReplyIsAnUnknownOutcomeAndTheDecisionIsFoundAgain) {
  one_->know({sale_});
  ASSERT_EQ(tell_stack("pause redis"), "");
  EXPECT_EQ(try_decide(*one_, 1).error().code, ErrorCode::unknown_outcome);
  ASSERT_TRUE(executor_.wait_until([&] { return !one_->ready(); }));
  EXPECT_EQ(try_decide(*one_, 2).error().code, ErrorCode::unavailable) << "nothing was sent";
  ASSERT_EQ(tell_stack("resume redis"), "");
  ASSERT_TRUE(one_->wait_ready());
  const Decision decision = decide(1);
  EXPECT_EQ(decision.coupon.sequence, 1U) << to_text(decision.outcome);
}

TEST_F(RedisFaults, TwoInstancesShareOneTruth) {
  RedisInstance two(executor_, 2, redis_options(), ScriptSet::production());
  ASSERT_TRUE(two.wait_ready());
  EXPECT_EQ(try_decide(two, 1).value().at(0).outcome, Outcome::held) << "the database has not told it yet";
  EXPECT_TRUE(executor_.wait_until([&] { return two.refreshes > 0; }));
  one_->know({sale_});
  two.know({sale_});
  std::map<std::uint64_t, CouponCode> codes;
  for (std::uint64_t round = 0; round < 15; ++round) {
    for (auto* instance : {one_.get(), &two}) {
      const auto decisions = try_decide(*instance, round * 8, 16).value();  // half of them hold one already
      for (const auto& decision : decisions) {
        if (decision.coupon.sequence == 0) {
          EXPECT_EQ(decision.outcome, Outcome::sold_out);
          continue;
        }
        const auto known = codes.try_emplace(decision.coupon.sequence, decision.coupon.code).first->second;
        EXPECT_EQ(known, decision.coupon.code);
      }
    }
  }
  EXPECT_EQ(codes.size(), sale_.limit);
  EXPECT_EQ(codes.rbegin()->first, sale_.limit);
}

TEST_F(RedisFaults, AnInstanceOfTheEpochBeforeIsClosed) {
  one_->know({sale_});
  const Decision pending = decide(1);
  const auto old = sale_;
  recover();
  one_->know({old});  // is not taken in: it has heard of a later one
  EXPECT_EQ(decide(1).epoch, 2U);
  EXPECT_EQ(confirm(pending).error().code, ErrorCode::closed);
  RedisInstance two(executor_, 2, redis_options(), ScriptSet::production());
  ASSERT_TRUE(two.wait_ready());
  two.know({old});
  EXPECT_EQ(try_decide(two, 1).value().at(0).outcome, Outcome::closed);
  EXPECT_TRUE(executor_.wait_until([&] { return two.refreshes > 0; }));
  EXPECT_TRUE(two.needs_recovery.empty()) << "it is this instance that is behind";
}

TEST_F(RedisFaults, AHoldIsTakenOverAndThenEndsByANewerRevisionAlone) {
  auto options = redis_options();
  options.hold_lasts = Duration{0};
  RedisInstance two(executor_, 2, options, ScriptSet::production());
  ASSERT_TRUE(two.wait_ready());
  two.know({sale_});
  const auto begin = [&](RedisInstance& instance) {
    return await<CampaignDefinition>(executor_, [&](auto done) {
      instance.ledger().begin_change(sale_.id, {.limit = 200}, std::move(done));
    });
  };
  const auto end = [&](RedisInstance& instance, const CampaignDefinition& definition) {
    return await<void>(executor_,
                       [&](auto done) { instance.ledger().end_change(definition, std::move(done)); });
  };
  one_->know({sale_});
  const auto begun = begin(*one_);
  ASSERT_TRUE(begun.has_value());
  EXPECT_EQ(decide(1).outcome, Outcome::held);
  ASSERT_TRUE(begin(two).has_value());
  ASSERT_TRUE(end(two, sale_).has_value());
  EXPECT_EQ(decide(1).outcome, Outcome::held) << "the first one's change may still be on its way";
  ASSERT_TRUE(begin(two).has_value()) << "a hold is ended by its holder";
  ASSERT_TRUE(end(two, *begun).has_value());
  EXPECT_EQ(decide(1).outcome, Outcome::issued);
}

TEST_F(RedisFaults, AChangeWhoseWriterDiedIsTakenInFromTheDatabase) {
  one_->know({sale_});
  decide(1);
  sale_.limit = 1;
  sale_.revision = 2;
  one_->know({sale_});
  decide(1);  // its answer tells the revision
  EXPECT_TRUE(executor_.wait_until([&] { return decide(2).outcome == Outcome::sold_out; }));
}

}  // namespace
}  // namespace doorbuster::test
