// The audit of a system that goes on meanwhile, of files without a ledger, and of what cannot be read.

#include <gmock/gmock.h>

#include "tests/audit/fake_system.hpp"

namespace doorbuster::audit::test {
namespace {

using testing::IsEmpty;

/// A log in which coupons appear behind the cut, as under load: end() does not tell of them.
class GrowingLog final : public EventSource {
 public:
  GrowingLog(FakeLog& all, LogPosition cut) : all_(all), cut_(cut) {}
  Result<std::vector<LogRecord>> read(LogPosition after, std::size_t max) override {
    return all_.read(after, max);
  }
  Result<LogPosition> end() override { return cut_; }
  void wait(LogPosition, Duration) override {}

 private:
  FakeLog& all_;
  LogPosition cut_;
};

Result<AuditReport> audit_with_cut(FakeSystem& system, LogPosition cut) {
  FakeHolders ledger(system.holders, system.missing);
  VectorSource<Acknowledgement> told(system.acks);
  FakeRows rows(system.rows, system.stored, system.letters);
  GrowingLog log(system.log, cut);
  AuditInput input;
  input.log = &log;
  input.rows = &rows;
  input.ledger = &ledger;
  input.acknowledgements = {&told};
  AuditOptions options;
  options.campaign = FakeSystem::campaign();
  options.page = 4;
  return run_audit(input, std::move(options));
}

TEST(LivingSystem, WhatWasDecidedBehindTheCutIsNotHeldAgainstIt) {
  FakeSystem system(100, 50);
  system.rows.resize(40);  // the worker has stored the cut and no more
  const auto report = audit_with_cut(system, 41);
  ASSERT_TRUE(report);
  EXPECT_THAT(broken(report), IsEmpty()) << to_text(*report);
  EXPECT_FALSE(report->quiet);
  EXPECT_EQ(report->events, 40U);
}

TEST(LivingSystem, WhatWasDecidedBeforeTheCutIsHeldAgainstIt) {
  FakeSystem system(100, 50);
  system.rows.resize(40);
  const auto report = audit_with_cut(system, 42);
  EXPECT_THAT(broken(report), testing::ElementsAre(Promise::nothing_lost));
}

TEST(LivingSystem, APendingHolderNeedsNoEvent) {
  FakeSystem system(10, 3);
  system.holder_only(coupon(4));
  system.holders.back().pending = true;
  const auto report = system.audit();
  EXPECT_THAT(broken(report), IsEmpty());
  EXPECT_FALSE(report->quiet);
  EXPECT_EQ(report->pending, 1U);
}

TEST(LivingSystem, AGapIsNotJudgedWhileCouponsArePending) {
  FakeSystem system(10, 3);
  system.give(coupon(5));
  system.holder_only(coupon(4));
  system.holders.back().pending = true;
  EXPECT_THAT(broken(system.audit()), IsEmpty());
}

TEST(LivingSystem, ALimitRaisedBehindTheCutCounts) {
  FakeSystem system(2, 2);
  system.define(3);
  system.give(coupon(3));
  const auto report = audit_with_cut(system, 3);
  EXPECT_THAT(broken(report), IsEmpty()) << to_text(*report);
  EXPECT_EQ(report->limit, 3U);
}

TEST(LivingSystem, WaitsForTheWorker) {
  FakeSystem system(10, 3);
  int asked = 0;
  system.stored = [&] { return ++asked < 3 ? 0 : *system.log.end(); };
  EXPECT_THAT(broken(system.audit()), IsEmpty());
  EXPECT_EQ(asked, 3);
}

TEST(LivingSystem, GivesUpOnAWorkerThatDoesNotArrive) {
  FakeSystem system(10, 3);
  system.stored = [] { return 1; };
  const auto report = system.audit();
  ASSERT_FALSE(report);
  EXPECT_EQ(report.error().code, ErrorCode::not_ready);
  EXPECT_THAT(report.error().detail, testing::HasSubstr("position 1 of 4"));
}

TEST(FilesAlone, TheLogStandsForTheLedgerAndTheReportSaysSo) {
  FakeSystem system(10, 3);
  system.has_ledger = false;
  system.holders.clear();
  const auto report = system.audit();
  EXPECT_THAT(broken(report), IsEmpty());
  EXPECT_TRUE(report->ledger_from_log);
  EXPECT_THAT(to_text(*report), testing::HasSubstr("rebuilt from the log"));
}

TEST(FilesAlone, ACampaignThatIsNotInTheLogIsAnError) {
  FakeSystem system(10, 3);
  system.log.records.clear();
  EXPECT_EQ(system.audit().error().code, ErrorCode::not_found);
}

TEST(FilesAlone, ALogThatEndsBeforeItsEndIsCorrupt) {
  FakeSystem system(10, 3);
  EXPECT_EQ(audit_with_cut(system, 9).error().code, ErrorCode::not_ready);
  system.stored = [] { return 9; };
  EXPECT_EQ(audit_with_cut(system, 9).error().code, ErrorCode::corrupt);
}

TEST(Refilled, AGapThatTheLedgerKnowsIsNoFault) {
  // 2, 3 and 4 were decided, told to nobody and lost; 5 was safe.
  FakeSystem system(10, 1);
  system.give(coupon(5));
  EXPECT_THAT(broken(system.audit()), testing::ElementsAre(Promise::numbers));
  system.missing = {{2, 4}};
  auto report = system.audit();
  EXPECT_THAT(broken(report), IsEmpty()) << to_text(*report);
  EXPECT_THAT(report->refill_pending, testing::ElementsAre(NumberRange{2, 4}));
  EXPECT_THAT(to_text(*report), testing::HasSubstr("; refill pending: numbers 2 to 4 went to nobody"));
  EXPECT_THAT(to_json(*report), testing::HasSubstr(R"("refill_pending":[{"first":2,"last":4}])"));
  // 2 is given out again.
  auto again = coupon(2);
  again.decided_at = at(9'000);
  system.give(again);
  system.rows.back().refilled = system.holders.back().refilled = true;
  std::get<CouponIssued>(system.log.records.back().event).refilled = true;
  system.missing = {{3, 4}};
  report = system.audit();
  EXPECT_THAT(broken(report), IsEmpty()) << to_text(*report);
  EXPECT_THAT(report->refill_pending, testing::ElementsAre(NumberRange{3, 4}));
}

TEST(Refilled, AGapThatTheLedgerKnowsInPartIsAFault) {
  FakeSystem system(10, 1);
  system.give(coupon(5));
  system.missing = {{3, 4}};
  EXPECT_THAT(broken(system.audit()), testing::ElementsAre(Promise::numbers));
}

TEST(Refilled, WithoutALedgerAGapIsOneThatTheNextStartWillNotice) {
  FakeSystem system(10, 1);
  system.give(coupon(5));
  system.has_ledger = false;
  const auto report = system.audit();
  EXPECT_THAT(broken(report), IsEmpty()) << to_text(*report);
  EXPECT_THAT(report->refill_pending, testing::ElementsAre(NumberRange{2, 4}));
}

TEST(Refilled, AGapOfWhichSomebodyWasToldIsAFaultWhateverTheLedgerSays) {
  for (const bool has_ledger : {true, false}) {
    FakeSystem system(10, 1);
    system.give(coupon(5));
    system.missing = {{2, 4}};
    system.has_ledger = has_ledger;
    system.ack_only(coupon(3));
    const auto report = system.audit();
    EXPECT_THAT(broken(report), testing::ElementsAre(Promise::nothing_lost, Promise::numbers));
    EXPECT_THAT(to_text(*report), testing::HasSubstr("somebody was told of number 3"));
  }
}

TEST(Refilled, ANumberGivenAgainAfterALossMayBeDecidedLater) {
  FakeSystem system(10, 3);
  system.rows[0].refilled = system.holders[0].refilled = true;
  auto& event = std::get<CouponIssued>(system.log.records[1].event);
  event.refilled = true;
  event.coupon.decided_at = system.rows[0].coupon.decided_at = system.holders[0].coupon.decided_at =
      at(9'000);
  EXPECT_THAT(broken(system.audit()), IsEmpty());
}

}  // namespace
}  // namespace doorbuster::audit::test
