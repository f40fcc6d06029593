// Rule 8 of consistency.md: a failed write closes the log until it has been read back.

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>

#include "adapters/sqlite/sqlite_event_log.hpp"
#include "adapters/sqlite/test_parts.hpp"
#include "tests/support/fault_vfs.hpp"

namespace doorbuster::sqlite {
namespace {

using test::FaultVfs;

EventLogOptions with(const FaultVfs& vfs) {
  EventLogOptions options;
  options.vfs = vfs.name();
  options.reopen_every = std::chrono::milliseconds(1);
  return options;
}

bool opens_again(SqliteEventLog& log) {
  auto& executor = test_executor();
  return executor.wait_until([&] { return log.accepting(); });
}

TEST(LogFailure, AFailedFsyncLeavesTheOutcomeUnknownAndClosesTheLog) {
  TemporaryFolder folder;
  FaultVfs vfs;
  auto log = open_log(folder.log(), with(vfs));
  ASSERT_TRUE(append(*log, coupon_events(1, 10)));
  vfs.fail(FaultVfs::Operation::sync, 1, SQLITE_IOERR_FSYNC, "-wal");
  EXPECT_EQ(append(*log, coupon_events(11, 20)).error().code, ErrorCode::unknown_outcome);
  EXPECT_FALSE(log->accepting());
  const auto refused = append(*log, coupon_events(21, 30));
  EXPECT_EQ(refused.error().code, ErrorCode::unavailable);
  EXPECT_NE(refused.error().detail.find("input/output"), std::string::npos) << refused.error().detail;
  EXPECT_EQ(get(*log, campaign_id()).error().code, ErrorCode::unavailable);
  vfs.heal();
  ASSERT_TRUE(opens_again(*log));
  // The ledger appends again what it does not know of.
  ASSERT_TRUE(append(*log, coupon_events(11, 20)));
  log->stop();
  const auto records = read_all(folder.log());
  std::size_t of_eleven = 0;
  for (const auto& record : records) {
    of_eleven += std::get<CouponIssued>(record.event) == coupon_event(11) ? 1 : 0;
    EXPECT_LE(std::get<CouponIssued>(record.event).coupon.sequence, 20U)
        << "refused, and written all the same";
  }
  EXPECT_TRUE(of_eleven == 1 || of_eleven == 2) << of_eleven;
  EXPECT_EQ(log->stats().failures, 1U);
  EXPECT_NE(log->stats().last_error.find("log.db"), std::string::npos);
}

TEST(LogFailure, AFullDiskRefusesAndLeavesAUsableFile) {
  TemporaryFolder folder;
  FaultVfs vfs;
  auto log = open_log(folder.log(), with(vfs));
  ASSERT_TRUE(put(*log, definition()));
  ASSERT_TRUE(append(*log, coupon_events(1, 10)));
  for (int nth : {1, 2, 3}) {
    vfs.fail(FaultVfs::Operation::write, nth, SQLITE_FULL);
    auto next = definition();
    next.revision = log->stats().position > 0 ? get(*log, next.id).value()->revision + 1 : 1;
    const auto answer = append(*log, coupon_events(11, 200));
    ASSERT_FALSE(answer);
    EXPECT_TRUE(answer.error().code == ErrorCode::unknown_outcome ||
                answer.error().code == ErrorCode::unavailable);
    EXPECT_NE(answer.error().detail.find("the disk is full"), std::string::npos) << answer.error().detail;
    vfs.heal();
    ASSERT_TRUE(opens_again(*log));
  }
  ASSERT_TRUE(append(*log, coupon_events(11, 12)));
  log->stop();
  const auto records = read_all(folder.log());
  EXPECT_EQ(std::get<CouponIssued>(records.back().event), coupon_event(12));
}

TEST(LogFailure, StaysClosedWhileTheDiskFails) {
  TemporaryFolder folder;
  FaultVfs vfs;
  auto log = open_log(folder.log(), with(vfs));
  ASSERT_TRUE(append(*log, coupon_events(1, 1)));
  vfs.fail(FaultVfs::Operation::sync, 1, SQLITE_IOERR_FSYNC);
  EXPECT_FALSE(append(*log, coupon_events(2, 2)));
  // It opens again, because reading goes well, and closes again with the next commit: never a false success.
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(opens_again(*log));
    EXPECT_FALSE(append(*log, coupon_events(2, 2)));
  }
  EXPECT_GE(log->stats().failures, 4U);
  log->stop();
}

TEST(LogFailure, AFailedDefinitionIsNotInTheCatalog) {
  TemporaryFolder folder;
  FaultVfs vfs;
  auto log = open_log(folder.log(), with(vfs));
  ASSERT_TRUE(put(*log, definition()));
  vfs.fail(FaultVfs::Operation::write, 1, SQLITE_IOERR_WRITE);
  auto second = definition();
  second.revision = 2;
  second.limit = 5;
  EXPECT_FALSE(put(*log, second));
  vfs.heal();
  ASSERT_TRUE(opens_again(*log));
  EXPECT_EQ(get(*log, second.id).value()->revision, 1U);
  ASSERT_TRUE(put(*log, second));
  EXPECT_EQ(get(*log, second.id).value()->limit, 5U);
}

TEST(LogFailure, AFailedCheckpointClosesTheLogUntilItIsReadBack) {
  TemporaryFolder folder;
  FaultVfs vfs;
  auto options = with(vfs);
  options.checkpoint_bytes = 4096;
  auto log = open_log(folder.log(), std::move(options));
  vfs.fail(FaultVfs::Operation::sync, 1, SQLITE_IOERR_FSYNC, "log.db");
  ASSERT_TRUE(append(*log, coupon_events(1, 100)));
  auto& executor = test_executor();
  ASSERT_TRUE(executor.wait_until([&] { return log->stats().failures > 0; }));
  vfs.heal();
  ASSERT_TRUE(opens_again(*log));
  ASSERT_TRUE(append(*log, coupon_events(101, 110)));
  log->stop();
  EXPECT_EQ(count_all(folder.log()), 110U);
}

TEST(LogFailure, SurvivesAFileSizeLimit) {
  // The kernel's own refusal instead of a simulated one: the file may not grow beyond 256 KiB.
  TemporaryFolder folder;
  const auto child = ::fork();
  if (child == 0) {
    ::signal(SIGXFSZ, SIG_IGN);
    EventLogOptions options;
    options.reopen_every = std::chrono::milliseconds(1);
    auto log = SqliteEventLog::open(folder.log(), std::move(options));
    if (!log) ::_exit(1);
    const rlimit small{256 * 1024, RLIM_INFINITY};
    if (::setrlimit(RLIMIT_FSIZE, &small) != 0) ::_exit(2);
    std::uint64_t stored = 0;
    while (append(**log, coupon_events(stored + 1, stored + 100))) stored += 100;
    const rlimit large{RLIM_INFINITY, RLIM_INFINITY};
    if (stored == 0 || ::setrlimit(RLIMIT_FSIZE, &large) != 0) ::_exit(3);
    if (!opens_again(**log)) ::_exit(4);
    if (!append(**log, coupon_events(stored + 1, stored + 1))) ::_exit(5);
    ::_exit(42);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(WEXITSTATUS(status), 42);
  EXPECT_EQ(count_all(folder.log()) % 100, 1U);
}

}  // namespace
}  // namespace doorbuster::sqlite
