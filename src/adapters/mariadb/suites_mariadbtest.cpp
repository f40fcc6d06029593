// The parts on MariaDB pass what every repository and catalog passes.

#include "adapters/mariadb/mariadb_catalog.hpp"
#include "adapters/mariadb/mariadb_repository.hpp"
#include "adapters/mariadb/mariadb_store.hpp"
#include "adapters/mariadb/test_parts.hpp"
#include "adapters/memory/memory_event_log.hpp"
#include "tests/support/catalog_suite.hpp"
#include "tests/support/repository_suite.hpp"

namespace doorbuster::mariadb {
namespace {

class RepositoryBed {
 public:
  RepositoryBed() { reopen(); }
  CouponStore& store() { return *store_; }
  CouponRepository& repository() { return *repository_; }
  void reopen() {
    store_ = std::make_unique<MariaDbCouponStore>(database_, StoreOptions{kTopic, 0, nullptr});
    repository_ = std::make_unique<MariaDbRepository>(RepositoryOptions{database_, kTopic});
  }

 private:
  ServerOptions database_ = fresh_database();
  std::unique_ptr<MariaDbCouponStore> store_;
  std::unique_ptr<MariaDbRepository> repository_;
};

/// Waits for an append to a log in memory.
class MemoryChangeLog final : public ChangeLog {
 public:
  explicit MemoryChangeLog(MemoryEventLog& log) : log_(log) {}
  Result<void> publish(const CampaignChanged& change, Duration) override {
    test::ManualExecutor executor;
    return test::await<void>(executor, [&](auto done) {
      log_.append_if([](const auto&) { return Result<void>(); }, {Event(change)}, executor, std::move(done));
    });
  }

 private:
  MemoryEventLog& log_;
};

class CatalogBed {
 public:
  CatalogBed() { reopen(); }
  EventLog& log() { return log_; }
  EventSource& source() { return log_; }
  CampaignCatalog& catalog() { return *catalog_; }
  test::ManualExecutor& executor() { return executor_; }
  void reopen() {
    catalog_.reset();
    pool_ = std::make_unique<Pool>(pool_of(database_));
    catalog_ = std::make_unique<MariaDbCatalog>(*pool_, changes_, threads_);
  }

 private:
  ServerOptions database_ = fresh_database();
  test::ManualExecutor executor_;
  MemoryEventLog log_;
  MemoryChangeLog changes_{log_};
  rt::Offload threads_{"db", 2, 100};
  std::unique_ptr<Pool> pool_;
  std::unique_ptr<MariaDbCatalog> catalog_;
};

}  // namespace
}  // namespace doorbuster::mariadb

namespace doorbuster::test {

INSTANTIATE_TYPED_TEST_SUITE_P(MariaDb, RepositorySuite, mariadb::RepositoryBed);
INSTANTIATE_TYPED_TEST_SUITE_P(MariaDb, CatalogSuite, mariadb::CatalogBed);

}  // namespace doorbuster::test
