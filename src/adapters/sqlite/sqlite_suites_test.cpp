// The SQLite parts pass what every log, catalog and repository passes.

#include "adapters/sqlite/sqlite_repository.hpp"
#include "adapters/sqlite/test_parts.hpp"
#include "tests/support/catalog_suite.hpp"
#include "tests/support/event_log_suite.hpp"
#include "tests/support/repository_suite.hpp"

namespace doorbuster::sqlite {
namespace {

class LogBed {
 public:
  LogBed() { open(); }
  EventLog& log() { return *log_; }
  EventSource& source() { return *source_; }
  CampaignCatalog& catalog() { return *log_; }
  test::ManualExecutor& executor() { return executor_; }
  void reopen() {
    source_.reset();
    log_.reset();
    open();
  }

 private:
  void open() {
    log_ = open_log(folder_.log());
    source_ = *SqliteEventSource::open(folder_.log(), log_->signal());
  }

  TemporaryFolder folder_;
  test::ManualExecutor executor_;
  std::unique_ptr<SqliteEventLog> log_;
  std::unique_ptr<SqliteEventSource> source_;
};

class RepositoryBed {
 public:
  RepositoryBed() { open(); }
  CouponStore& store() { return *repository_; }
  CouponRepository& repository() { return *repository_; }
  void reopen() {
    repository_.reset();
    open();
  }

 private:
  void open() { repository_ = *SqliteRepository::open(folder_.repository()); }

  TemporaryFolder folder_;
  std::unique_ptr<SqliteRepository> repository_;
};

}  // namespace
}  // namespace doorbuster::sqlite

namespace doorbuster::test {

INSTANTIATE_TYPED_TEST_SUITE_P(Sqlite, EventLogSuite, sqlite::LogBed);
INSTANTIATE_TYPED_TEST_SUITE_P(Sqlite, CatalogSuite, sqlite::LogBed);
INSTANTIATE_TYPED_TEST_SUITE_P(Sqlite, RepositorySuite, sqlite::RepositoryBed);

}  // namespace doorbuster::test
