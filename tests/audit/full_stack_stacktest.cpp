// The audit of the full stack and the independent checker, over a real Kafka with several partitions and a
// real MariaDB: they find nothing in a whole system, and what was broken in it by hand.

#include <gmock/gmock.h>
#include <sys/wait.h>

#include <cstdlib>
#include <fstream>

#include "adapters/kafka/kafka_event_log.hpp"
#include "adapters/kafka/kafka_log_reader.hpp"
#include "adapters/mariadb/mariadb_recovery.hpp"
#include "adapters/mariadb/mariadb_store.hpp"
#include "adapters/mariadb/schema.hpp"
#include "apps/doorbuster/full_audit.hpp"
#include "apps/doorbuster/stack_settings.hpp"
#include "services/audit/audit.hpp"
#include "tests/support/await.hpp"
#include "tests/support/real_servers.hpp"
#include "tests/support/samples.hpp"

namespace doorbuster {
namespace {

using audit::Promise;
using test::campaign;
using test::campaign_id;
using test::coupon_event;

class FullStackAuditTest : public testing::Test {
 protected:
  FullStackAuditTest() {
    config::Settings::Sources sources;
    sources.file = test::from_stack("DOORBUSTER_TEST_STACK");
    settings_ = *config::Settings::load("audit", sources);
    database_ = *database_options(*settings_);
    kafka_ = kafka::kafka_options(*settings_);
    EXPECT_TRUE(mariadb::prepare_database(database_));
    auto log = kafka::KafkaEventLog::open(kafka_);
    EXPECT_TRUE(log) << log.error().detail;
    log_ = std::move(*log);
    reader_ = *kafka::KafkaLogReader::open(kafka_);
  }
  ~FullStackAuditTest() override { log_->stop(); }

  void append(std::vector<CouponIssued> events) {
    const auto appended = test::append(*log_, executor_, std::move(events));
    EXPECT_TRUE(appended) << appended.error().detail;
  }
  void publish(const CampaignDefinition& definition) {
    EXPECT_TRUE(log_->publish(CampaignChanged{definition}, std::chrono::seconds(10)));
  }
  /// What the workers do.
  void drain() {
    for (std::size_t i = 0; i < reader_->partitions(); ++i) {
      auto source = reader_->source(i);
      mariadb::MariaDbCouponStore store(database_, {kafka_.topic, static_cast<std::uint32_t>(i), nullptr});
      for (auto position = store.stored_through().value(); position < source->end().value();
           position = store.stored_through().value()) {
        ASSERT_TRUE(store.store(source->read(position, 1000).value()));
      }
    }
  }
  void sql(const std::string& statement) {
    auto connection = mariadb::Connection::open(database_);
    const auto done = (*connection)->execute(statement);
    EXPECT_TRUE(done) << done.error().detail;
  }
  Result<audit::AuditReport> run(std::string_view id) {
    auto parts = FullAudit::open(*settings_, campaign_id(id));
    if (!parts) return parts.error();
    audit::AuditInput input;
    input.log = &(*parts)->log();
    input.rows = &(*parts)->rows();
    audit::AuditOptions options;
    options.campaign = campaign_id(id);
    options.wait = Duration(0);
    return run_audit(input, std::move(options));
  }
  std::vector<Promise> broken(std::string_view id) {
    const auto report = run(id);
    EXPECT_TRUE(report) << report.error().detail;
    std::vector<Promise> out;
    for (std::size_t i = 0; i < audit::kPromises; ++i) {
      if (!report->verdicts[i].ok()) out.push_back(static_cast<Promise>(i + 1));
    }
    return out;
  }
  /// The exit status of the checker: 0 good, 3 something is broken.
  static int check(const std::string& id) {
    const std::string command = "python3 " DOORBUSTER_CHECKER " --no-ledger --campaign " + id +
                                " --config '" + test::from_stack("DOORBUSTER_TEST_STACK") + "' >&2";
    const int status = std::system(command.c_str());
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }

  std::optional<config::Settings> settings_;
  mariadb::ServerOptions database_;
  kafka::KafkaOptions kafka_;
  test::ManualExecutor executor_;
  std::unique_ptr<kafka::KafkaEventLog> log_;
  std::unique_ptr<kafka::KafkaLogReader> reader_;
};

TEST_F(FullStackAuditTest, FindsNothingInAWholeSystemAndWhatWasBrokenInIt) {
  auto definition = campaign("sale", 300);
  publish(definition);
  std::vector<CouponIssued> events;
  for (std::uint64_t i = 1; i <= 300; ++i) events.push_back(coupon_event("sale", i));
  append(events);
  append({events[7], events[200]});  // told again, as after an unknown outcome
  definition.revision = 2;
  definition.limit = 400;
  publish(definition);
  events.clear();
  for (std::uint64_t i = 301; i <= 400; ++i) {
    events.push_back(coupon_event("sale", i));
    events.back().revision = 2;
  }
  append(events);

  const auto early = run("sale");
  ASSERT_FALSE(early);
  EXPECT_EQ(early.error().code, ErrorCode::not_ready) << "the worker has stored nothing";
  EXPECT_EQ(check("sale"), 1);
  drain();
  const auto report = run("sale");
  ASSERT_TRUE(report) << report.error().detail;
  EXPECT_TRUE(report->good()) << audit::to_text(*report);
  EXPECT_EQ(report->events, 400U);
  EXPECT_EQ(report->repeated_events, 2U);
  EXPECT_EQ(report->rows, 400U);
  EXPECT_EQ(report->limit, 400U);
  EXPECT_EQ(check("sale"), 0);
  EXPECT_EQ(run("absent").error().code, ErrorCode::not_found);

  sql("DELETE FROM coupon_issued_user WHERE campaign_id = 'sale' AND sequence = 17");
  EXPECT_EQ(broken("sale"), std::vector<Promise>{Promise::agreement});
  EXPECT_EQ(check("sale"), 3);
}

TEST_F(FullStackAuditTest, EventsBehindAFenceDoNotCountAndDeadLettersAreOutstanding) {
  auto definition = campaign("fenced", 5);
  publish(definition);
  append({coupon_event("fenced", 1), coupon_event("fenced", 2)});
  mariadb::MariaDbRecoveryStore recovery(database_, kafka_.topic);
  ASSERT_TRUE(recovery.fence(campaign_id("fenced"), 2, [this] { return reader_->ends(); }));
  append({coupon_event("fenced", 3)});  // of an instance that has not heard of it
  auto newer = coupon_event("fenced", 3, test::user_id("somebody-else"));
  newer.epoch = 2;
  newer.coupon.code = coupon_event("fenced", 99).coupon.code;
  append({newer});
  drain();
  const auto report = run("fenced");
  ASSERT_TRUE(report) << report.error().detail;
  EXPECT_TRUE(report->good()) << audit::to_text(*report);
  EXPECT_EQ(report->events, 3U);
  EXPECT_EQ(check("fenced"), 0);

  ASSERT_TRUE(log_->append_payload(0, "fenced/x", "{ no event", std::chrono::seconds(10)));
  drain();
  EXPECT_EQ(broken("fenced"), std::vector<Promise>{Promise::agreement});
  EXPECT_EQ(check("fenced"), 3);
  sql("DELETE FROM dead_letter");
  EXPECT_EQ(check("fenced"), 0);
}

}  // namespace
}  // namespace doorbuster
