// The audit over real files: written by the SQLite adapters, altered by SQL.

#include <gmock/gmock.h>
#include <unistd.h>

#include <filesystem>

#include "adapters/sqlite/sqlite_event_log.hpp"
#include "adapters/sqlite/sqlite_event_source.hpp"
#include "adapters/sqlite/sqlite_repository.hpp"
#include "apps/doorbuster/repository_rows.hpp"
#include "services/audit/audit.hpp"
#include "tests/support/await.hpp"
#include "tests/support/samples.hpp"

namespace doorbuster::audit {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

constexpr std::uint64_t kCoupons = 50;

class SqliteFiles : public testing::Test {
 protected:
  SqliteFiles() : folder_(testing::TempDir() + "doorbuster_audit_" + std::to_string(::getpid())) {
    std::filesystem::create_directories(folder_);
    auto log = sqlite::SqliteEventLog::open(log_path()).value();
    test::ManualExecutor executor;
    EXPECT_TRUE(test::put(*log, executor, test::campaign("sale", kCoupons)));
    std::vector<CouponIssued> events;
    for (std::uint64_t n = 1; n <= kCoupons; ++n) {
      events.push_back(n % 2 == 0 ? test::coupon_event("sale", n)
                                  : test::coupon_event("sale", n, test::user_id("u" + std::to_string(n))));
    }
    EXPECT_TRUE(test::append(*log, executor, std::move(events)));
    log->stop();
    auto source = sqlite::SqliteEventSource::open(log_path()).value();
    auto repository = sqlite::SqliteRepository::open(repo_path()).value();
    EXPECT_TRUE(repository->store(source->read(0, 1000).value()));
  }
  ~SqliteFiles() override { std::filesystem::remove_all(folder_); }

  std::string log_path() const { return folder_ + "/log.db"; }
  std::string repo_path() const { return folder_ + "/repo.db"; }

  void alter(const std::string& sql) {
    auto database = sqlite::Database::open(repo_path(), sqlite::OpenMode::read_write).value();
    ASSERT_TRUE(database.execute(sql));
    database.close();
  }

  Result<AuditReport> audit() {
    auto log = sqlite::SqliteEventSource::open(log_path());
    if (!log) return log.error();
    auto rows = RepositoryRows::open(repo_path(), test::campaign_id("sale"));
    if (!rows) return rows.error();
    AuditInput input;
    input.log = log->get();
    input.rows = rows->get();
    AuditOptions options;
    options.campaign = test::campaign_id("sale");
    options.page = 7;
    return run_audit(input, std::move(options));
  }

  static std::vector<Promise> broken(const Result<AuditReport>& report) {
    std::vector<Promise> out;
    if (!report) {
      ADD_FAILURE() << report.error().detail;
      return out;
    }
    for (std::size_t i = 0; i < kPromises; ++i) {
      if (!report->verdicts[i].ok()) out.push_back(static_cast<Promise>(i + 1));
    }
    return out;
  }

 private:
  std::string folder_;
};

TEST_F(SqliteFiles, AsWrittenAreGood) {
  const auto report = audit();
  EXPECT_THAT(broken(report), IsEmpty()) << to_text(*report);
  EXPECT_EQ(report->events, kCoupons);
  EXPECT_EQ(report->rows, kCoupons);
  EXPECT_EQ(report->limit, kCoupons);
}

TEST_F(SqliteFiles, ARowAboveAGapIsSeenToo) {
  alter("DELETE FROM coupon WHERE sequence = 10");
  alter(
      "INSERT INTO coupon SELECT campaign, 99, 'forger', x'00112233445566778899', epoch, revision, "
      "decided_at, 0 "
      "FROM coupon WHERE sequence = 1");
  EXPECT_THAT(broken(audit()), ElementsAre(Promise::numbers, Promise::agreement));
}

TEST_F(SqliteFiles, ARowWithAnotherCodeIsNotThatOfTheEvent) {
  alter("UPDATE coupon SET code = x'00112233445566778899' WHERE sequence = 10");
  EXPECT_THAT(broken(audit()), ElementsAre(Promise::numbers, Promise::agreement));
}

TEST_F(SqliteFiles, ADeadLetterIsSeen) {
  alter("INSERT INTO dead_letter VALUES(3, 'conflict: other code', '{}')");
  EXPECT_THAT(broken(audit()), ElementsAre(Promise::agreement));
}

TEST_F(SqliteFiles, ARepositoryThatIsBehindIsNotJudged) {
  alter("UPDATE progress SET position = 3");
  auto log = sqlite::SqliteEventSource::open(log_path()).value();
  auto rows = RepositoryRows::open(repo_path(), test::campaign_id("sale")).value();
  AuditInput input;
  input.log = log.get();
  input.rows = rows.get();
  AuditOptions options;
  options.campaign = test::campaign_id("sale");
  options.wait = Duration{0};
  EXPECT_EQ(run_audit(input, std::move(options)).error().code, ErrorCode::not_ready);
}

TEST_F(SqliteFiles, ACodeOfAnotherLengthIsCorrupt) {
  alter("UPDATE coupon SET code = x'00' WHERE sequence = 10");
  const auto report = audit();
  ASSERT_FALSE(report);
  EXPECT_EQ(report.error().code, ErrorCode::corrupt);
  EXPECT_THAT(report.error().detail, testing::HasSubstr("number 10"));
}

TEST_F(SqliteFiles, AFileThatIsNotThereIsSaid) {
  std::filesystem::remove(repo_path());
  const auto report = audit();
  ASSERT_FALSE(report);
  EXPECT_THAT(report.error().detail, testing::HasSubstr("repo.db"));
}

}  // namespace
}  // namespace doorbuster::audit
