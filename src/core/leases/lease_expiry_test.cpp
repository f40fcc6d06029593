#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "core/leases/test_leases.hpp"

namespace doorbuster::leases {
namespace {

using testing::ElementsAre;

TEST(LeaseExpiry, EndsAfterOneDuration) {
  TestLeases leases;
  auto info = instance_of("A", "x");
  info.lease.duration_s = 10;
  leases.enroll(info);
  leases.pass(9);
  EXPECT_TRUE(leases.renew("A", "x"));
  EXPECT_EQ(leases.pass(10), 0U);
  EXPECT_EQ(leases.pass(1), 1U);
  EXPECT_EQ(leases.find("A", "x"), nullptr);
  EXPECT_FALSE(leases.renew("A", "x"));
  EXPECT_EQ(leases.table.size(), 0U);
  EXPECT_THAT(leases.events, ElementsAre("ADDED A/x UP", "DELETED A/x UP"));
  EXPECT_THAT(leases.delta(), ElementsAre("x DELETED"));
}

TEST(LeaseExpiry, EndsAfterTwoWhereThatIsWished) {
  LeaseOptions options;
  options.double_duration = true;
  TestLeases leases(options);
  auto info = instance_of("A", "renewed");
  info.lease.duration_s = 10;
  leases.enroll(info);
  info.instance_id = "never";
  leases.enroll(info);
  leases.renew("A", "renewed");
  EXPECT_EQ(leases.pass(11), 1U);
  EXPECT_EQ(leases.find("A", "never"), nullptr);
  EXPECT_EQ(leases.pass(9), 0U);
  EXPECT_EQ(leases.pass(1), 1U);
}

TEST(LeaseExpiry, AnExpiredInstanceIsNotFoundBeforeItIsEvicted) {
  TestLeases leases;
  leases.enroll(instance_of("A", "x"));
  leases.now += std::chrono::seconds(91);
  EXPECT_EQ(leases.find("A", "x"), nullptr);
  EXPECT_FALSE(leases.table.override_status("A", "x", InstanceStatus::down, std::nullopt, leases.now));
  EXPECT_TRUE(leases.renew("A", "x"));  // alive after all
  EXPECT_NE(leases.find("A", "x"), nullptr);
}

TEST(LeaseExpiry, APauseOfTheRegistryIsNotTheInstancesDeath) {
  TestLeases leases;
  leases.enroll(instance_of("A", "x"));
  leases.pass(60);
  leases.now += std::chrono::seconds(500);
  EXPECT_EQ(leases.table.evict(leases.now), 0U);
  EXPECT_EQ(leases.pass(29), 0U);
  EXPECT_EQ(leases.pass(2), 1U);
}

TEST(LeaseExpiry, StrangeDurationsDoNotOverflow) {
  TestLeases leases;
  auto info = instance_of("A", "x");
  info.lease.duration_s = std::numeric_limits<std::int64_t>::max();
  info.lease.renewal_interval_s = std::numeric_limits<std::int64_t>::max();
  leases.enroll(info);
  EXPECT_EQ(leases.pass(200), 0U);
}

/// Everybody renews in time, but for those who are dead.
class Crowd {
 public:
  explicit Crowd(int size, const LeaseOptions& options = {}) : leases(options) { grow(size); }
  void grow(int count) {
    for (int i = 0; i < count; ++i, ++size_) leases.enroll(instance_of("A", std::to_string(size_)));
  }
  std::size_t pass(int seconds, int dead) {
    std::size_t evicted = 0;
    for (int i = 0; i < seconds; ++i, ++second_) {
      evicted += leases.pass(1);
      if (second_ % 30 != 0) continue;
      for (int id = dead; id < size_; ++id) leases.renew("A", std::to_string(id));
    }
    return evicted;
  }
  TestLeases leases;

 private:
  int size_ = 0;
  int second_ = 0;
};

TEST(SelfPreservation, KeepsManyThatFallSilentTogether) {
  Crowd crowd(20);
  crowd.pass(120, 0);
  EXPECT_EQ(crowd.leases.table.renewals(crowd.leases.now).threshold, 34U);  // 20 twice a minute, 85 %
  EXPECT_EQ(crowd.leases.table.renewals(crowd.leases.now).last_minute, 40U);
  EXPECT_TRUE(crowd.leases.table.expiry_enabled());
  EXPECT_EQ(crowd.pass(600, 10), 0U);
  EXPECT_FALSE(crowd.leases.table.expiry_enabled());
  EXPECT_NE(crowd.leases.find("A", "0"), nullptr);
  EXPECT_EQ(crowd.pass(120, 0), 0U);  // the network is back
  EXPECT_TRUE(crowd.leases.table.expiry_enabled());
}

TEST(SelfPreservation, LetsAFewDie) {
  Crowd crowd(20);
  crowd.pass(120, 0);
  EXPECT_EQ(crowd.pass(200, 2), 2U);
}

TEST(SelfPreservation, IsOffForAHandful) {
  Crowd crowd(9);
  crowd.pass(120, 0);
  EXPECT_EQ(crowd.pass(200, 9), 9U);
}

TEST(SelfPreservation, IsOffWhenSwitchedOff) {
  LeaseOptions options;
  options.self_preservation = false;
  Crowd crowd(20, options);
  crowd.pass(120, 0);
  EXPECT_EQ(crowd.pass(200, 20), 20U);
}

TEST(SelfPreservation, GoesByTheIntervalsThatTheLeasesDeclare) {
  TestLeases leases;
  for (int i = 0; i < 12; ++i) {
    auto info = instance_of("A", std::to_string(i));
    info.lease.renewal_interval_s = i < 6 ? 5 : 60;
    info.lease.duration_s = 100;
    leases.enroll(info);
  }
  for (int second = 1; second <= 180; ++second) {
    leases.pass(1);
    for (int i = 0; i < 12; ++i) {
      if (second % (i < 6 ? 5 : 60) == 0) leases.renew("A", std::to_string(i));
    }
  }
  const auto renewals = leases.table.renewals(leases.now + std::chrono::seconds(1));
  EXPECT_EQ(renewals.threshold, 66U);  // (6 * 12 + 6 * 1) * 0.85
  EXPECT_EQ(renewals.last_minute, 78U);
  EXPECT_TRUE(renewals.expiry_enabled);
}

TEST(SelfPreservation, DoesNotTakeNewcomersForMissing) {
  Crowd crowd(12);
  crowd.pass(120, 0);
  crowd.grow(100);
  for (int second = 0; second < 90; ++second) {
    crowd.pass(1, 0);
    ASSERT_TRUE(crowd.leases.table.expiry_enabled()) << second;
  }
}

TEST(SelfPreservation, ExpectsNothingOfThoseWhoLeft) {
  Crowd crowd(40);
  crowd.pass(120, 0);
  for (int i = 0; i < 28; ++i) crowd.leases.table.cancel("A", std::to_string(i), crowd.leases.now);
  crowd.pass(70, 28);
  EXPECT_EQ(crowd.leases.table.renewals(crowd.leases.now).threshold, 20U);
  EXPECT_TRUE(crowd.leases.table.expiry_enabled());
}

}  // namespace
}  // namespace doorbuster::leases
