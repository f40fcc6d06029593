#include "services/audit/merged_log.hpp"

#include <gtest/gtest.h>

#include "services/audit/audit.hpp"
#include "tests/audit/fake_system.hpp"

namespace doorbuster::audit::test {
namespace {

class MergedLogTest : public testing::Test {
 protected:
  static CouponIssued event(std::uint64_t n, std::uint32_t revision = 1, std::uint32_t epoch = 1) {
    CouponIssued issued;
    issued.campaign = FakeSystem::campaign();
    issued.revision = revision;
    issued.epoch = epoch;
    issued.coupon = coupon(n);
    return issued;
  }
  static CampaignChanged change(std::uint32_t revision, std::uint64_t limit) {
    CampaignDefinition definition;
    definition.id = FakeSystem::campaign();
    definition.revision = revision;
    definition.limit = limit;
    return {definition};
  }
  MergedLog merged(std::vector<EpochFence> fences = {}) {
    return MergedLog({&first_, &second_}, FakeSystem::campaign(), std::move(fences));
  }
  /// Coupons by number, definitions as minus their revision.
  static std::vector<std::int64_t> all(MergedLog& log) {
    std::vector<std::int64_t> found;
    LogPosition position = 0;
    for (;;) {
      const auto page = log.read(position, 2).value();
      if (page.empty()) return found;
      for (const auto& record : page) {
        EXPECT_GT(record.position, position);
        position = record.position;
        if (const auto* issued = std::get_if<CouponIssued>(&record.event)) {
          found.push_back(static_cast<std::int64_t>(issued->coupon.sequence));
        } else {
          found.push_back(
              -static_cast<std::int64_t>(std::get<CampaignChanged>(record.event).definition.revision));
        }
      }
    }
  }
  using Found = std::vector<std::int64_t>;

  FakeLog first_, second_;
};

TEST_F(MergedLogTest, CouponsComeByTimeAndDefinitionsBeforeTheFirstOfTheirRevision) {
  first_.append(event(1));
  first_.append(event(4, 2));
  second_.append(change(1, 2));
  second_.append(event(2));
  second_.append(change(3, 9));
  second_.append(change(2, 4));
  second_.append(change(2, 4));
  second_.append(event(3, 2));
  auto log = merged();
  EXPECT_EQ(all(log), (Found{-1, 1, 2, -2, 3, 4, -3}));
}

TEST_F(MergedLogTest, TheLastRecordBeforeTheCutStandsAtTheSumOfTheEnds) {
  first_.append(change(1, 5));
  first_.append(Unreadable{"poison", "{"});
  first_.append(event(1));
  CouponIssued other = event(1);
  other.campaign = *CampaignId::parse("other");
  second_.append(other);
  second_.append(event(2));
  auto log = merged();
  EXPECT_EQ(log.end().value(), 5U);
  second_.append(event(3));
  first_.append(change(2, 6));
  EXPECT_EQ(log.end().value(), 5U) << "the cut stays";
  EXPECT_EQ(log.reached({3, 2}), 5U);
  EXPECT_EQ(log.reached({9, 1}), 4U) << "one that is ahead does not stand for one that is behind";
  const auto before = log.read(0, 100).value();
  ASSERT_EQ(before.size(), 3U);
  EXPECT_EQ(before.back().position, 5U);
  const auto behind = log.read(5, 100).value();
  ASSERT_EQ(behind.size(), 2U);
  EXPECT_EQ(behind[0].position, 6U);
  EXPECT_TRUE(log.read(7, 100)->empty());
}

TEST_F(MergedLogTest, WhatAFenceHasMadeVoidIsNotThere) {
  first_.append(change(1, 9));
  first_.append(event(1));
  first_.append(event(2));
  second_.append(event(3));
  second_.append(event(4, 1, 2));
  auto log = merged({{2, {2, 1}}});
  EXPECT_EQ(all(log), (Found{-1, 1, 3, 4}));
  EXPECT_EQ(log.voided(), 1U);
}

TEST_F(MergedLogTest, WhatWasStoredBeforeALossStandsBesideTheNewLog) {
  first_.append(event(3, 1, 2));
  first_.append(event(2));
  MergedLog log({&first_, &second_}, FakeSystem::campaign(), {{2, {2, 0}}},
                {event(1), event(2), Event(change(1, 9))});
  EXPECT_EQ(log.end().value(), 5U);
  EXPECT_EQ(log.reached({1, 0}), 4U);
  EXPECT_EQ(all(log), (Found{-1, 1, 2, 2, 3}));
  EXPECT_EQ(log.read(4, 1)->front().position, 5U);
}

TEST_F(MergedLogTest, ACampaignThatIsInNoPartitionIsNotFound) {
  first_.append(Unreadable{"poison", "{"});
  auto log = merged();
  EXPECT_EQ(log.read(0, 10).error().code, ErrorCode::not_found);
}

TEST_F(MergedLogTest, AnAuditJudgesPartitionsAsOneLog) {
  FakeSystem system(0, 0);
  for (std::uint64_t n = 1; n <= 20; ++n) system.give(coupon(n));
  first_.append(change(1, 10));
  for (const std::uint64_t n : {2, 1, 4, 9, 10}) first_.append(event(n));
  for (const std::uint64_t n : {3, 5, 6, 7, 8}) second_.append(event(n));
  second_.append(change(2, 20));
  for (std::uint64_t n = 20; n > 10; --n) (n % 2 == 0 ? first_ : second_).append(event(n, 2));
  const auto audit = [&] {
    auto log = merged();
    FakeHolders ledger(system.holders, system.missing);
    VectorSource<Acknowledgement> told(system.acks);
    FakeRows rows(
        system.rows, [&log] { return *log.end(); }, system.letters);
    AuditInput input;
    input.log = &log;
    input.rows = &rows;
    input.ledger = &ledger;
    input.acknowledgements = {&told};
    AuditOptions options;
    options.campaign = FakeSystem::campaign();
    options.page = 3;
    return run_audit(input, std::move(options));
  };
  const auto good = audit();
  ASSERT_TRUE(good) << good.error().detail;
  EXPECT_TRUE(good->good()) << to_text(*good);
  EXPECT_EQ(good->events, 20U);
  EXPECT_EQ(good->limit, 20U);
  second_.append(event(21, 2));
  EXPECT_EQ(broken(audit()), (std::vector<Promise>{Promise::limit, Promise::agreement})) << "one too many";
}

}  // namespace
}  // namespace doorbuster::audit::test
