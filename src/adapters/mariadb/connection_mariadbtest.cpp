#include "adapters/mariadb/connection.hpp"

#include <gmock/gmock.h>

#include <thread>

#include "adapters/mariadb/pool.hpp"
#include "adapters/mariadb/test_parts.hpp"

namespace doorbuster::mariadb {
namespace {

using testing::HasSubstr;

TEST(ConnectionTest, SaysWhichKeyIsWrong) {
  auto options = test_server();
  options.password = "not this one";
  auto wrong = Connection::open(options);
  ASSERT_FALSE(wrong);
  EXPECT_EQ(wrong.error().code, ErrorCode::unavailable);
  EXPECT_EQ(wrong.error().field, "database.password");
  EXPECT_THAT(wrong.error().detail, HasSubstr("see database.password"));
  EXPECT_THAT(wrong.error().detail, HasSubstr("Access denied"));
  EXPECT_THAT(wrong.error().detail, Not(HasSubstr("not this one")));

  options = test_server();
  options.host = "no-such-host.invalid";
  wrong = Connection::open(options);
  ASSERT_FALSE(wrong);
  EXPECT_EQ(wrong.error().field, "database.host");

  options = test_server();
  options.name = "doorbuster_absent";
  wrong = Connection::open(options);
  ASSERT_FALSE(wrong);
  EXPECT_EQ(wrong.error().field, "database.name");
  EXPECT_THAT(wrong.error().detail, HasSubstr("doorbuster_absent"));

  options = test_server();
  options.port = 1;
  wrong = Connection::open(options);
  ASSERT_FALSE(wrong);
  EXPECT_EQ(wrong.error().code, ErrorCode::unavailable);
  EXPECT_THAT(wrong.error().detail, HasSubstr(":1 "));
  for (const char c : wrong.error().detail) EXPECT_NE(c, '\n');
}

class ConnectionTableTest : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(one_->execute("DROP TABLE IF EXISTS kept"));
    ASSERT_TRUE(
        one_->execute("CREATE TABLE kept (id BIGINT UNSIGNED PRIMARY KEY, amount BIGINT NULL, body LONGBLOB "
                      "NULL) ENGINE=InnoDB"));
  }
  void TearDown() override { EXPECT_TRUE(connect(options_)->execute("DROP TABLE kept")); }
  std::int64_t count() { return number(options_, "SELECT COUNT(*) FROM kept"); }
  /// What an operator does, or a server that restarts.
  void kill(Connection& victim) {
    const auto id = victim.integer("SELECT CONNECTION_ID()").value().value();
    auto killer = connect(options_);
    ASSERT_TRUE(killer->execute("KILL " + std::to_string(id)));
    while (
        killer->integer("SELECT COUNT(*) FROM information_schema.processlist WHERE id = ?", {id}).value() !=
        0) {
    }
  }

  ServerOptions options_ = fresh_database();
  std::unique_ptr<Connection> one_ = connect(options_);
};

TEST_F(ConnectionTableTest, ValuesComeBackAsTheyWere) {
  std::string long_body(100'000, 'x');
  long_body[5] = '\0';
  long_body[6] = '\'';
  const std::string long_view = long_body;
  ASSERT_EQ(one_->run("INSERT INTO kept VALUES (?, ?, ?), (?, ?, ?)",
                      {UINT64_MAX, INT64_MIN, long_view, std::uint64_t{1}, nullptr, nullptr})
                .value(),
            2U);
  for (int round = 0; round < 2; ++round) {
    std::size_t seen = 0;
    const EachRow each = [&](const Row& row) -> Result<void> {
      if (++seen == 1) {
        EXPECT_EQ(row.number(0), 1U);
        EXPECT_TRUE(row.is_null(1));
        EXPECT_TRUE(row.is_null(2));
      } else {
        EXPECT_EQ(row.number(0), UINT64_MAX);
        EXPECT_EQ(row.integer(1), INT64_MIN);
        EXPECT_EQ(row.text(2), long_body);
      }
      return {};
    };
    ASSERT_TRUE(round == 0 ? one_->rows("SELECT * FROM kept ORDER BY id", {}, each)
                           : one_->stream("SELECT * FROM kept ORDER BY id", {}, each));
    EXPECT_EQ(seen, 2U);
  }
}

TEST_F(ConnectionTableTest, AVisitorEndsTheReading) {
  ASSERT_TRUE(one_->execute("INSERT INTO kept (id) SELECT seq FROM seq_1_to_1000"));
  std::size_t seen = 0;
  const auto read = one_->stream("SELECT id FROM kept", {}, [&](const Row&) -> Result<void> {
    if (++seen == 3) return make_error(ErrorCode::closed, "enough");
    return {};
  });
  EXPECT_EQ(read.error().code, ErrorCode::closed);
  EXPECT_EQ(seen, 3U);
  EXPECT_EQ(one_->integer("SELECT COUNT(*) FROM kept").value(), 1000) << "the connection goes on";
}

TEST_F(ConnectionTableTest, AKeyThatIsThereIsAConflictAndUndoesItsStatementAlone) {
  Transaction transaction(*one_);
  ASSERT_TRUE(transaction.begin());
  ASSERT_TRUE(one_->run("INSERT INTO kept (id) VALUES (1)"));
  const auto again = one_->run("INSERT INTO kept (id) VALUES (2), (1), (3)");
  EXPECT_EQ(again.error().code, ErrorCode::conflict);
  ASSERT_TRUE(transaction.commit());
  EXPECT_EQ(count(), 1);
}

TEST_F(ConnectionTableTest, ATransactionThatIsNotCommittedLeavesNothing) {
  {
    Transaction transaction(*one_);
    ASSERT_TRUE(transaction.begin());
    ASSERT_TRUE(one_->run("INSERT INTO kept (id) VALUES (1)"));
  }
  EXPECT_EQ(count(), 0);
}

TEST_F(ConnectionTableTest, AReadOnlyConnectionWritesNothing) {
  auto reader = connect(options_, Access::read_only);
  EXPECT_EQ(reader->run("INSERT INTO kept (id) VALUES (1)").error().code, ErrorCode::unavailable);
  EXPECT_EQ(reader->integer("SELECT COUNT(*) FROM kept").value(), 0);
}

TEST_F(ConnectionTableTest, ALockThatIsNotGivenInTimeIsUnavailable) {
  options_.lock_timeout = std::chrono::seconds(1);
  auto other = connect(options_);
  Transaction holder(*one_), waiter(*other);
  ASSERT_TRUE(holder.begin());
  ASSERT_TRUE(waiter.begin());
  ASSERT_TRUE(one_->run("INSERT INTO kept (id) VALUES (1)"));
  const auto waited = other->run("INSERT INTO kept (id) VALUES (1)");
  EXPECT_EQ(waited.error().code, ErrorCode::unavailable);
  EXPECT_THAT(waited.error().detail, HasSubstr("Lock wait timeout"));
}

TEST_F(ConnectionTableTest, WhatIsLostIsUnknownOnlyWhereItMayHaveHappened) {
  const char* insert = "INSERT INTO kept (id) VALUES (?)";
  ASSERT_TRUE(one_->run(insert, {std::int64_t{1}}));
  kill(*one_);
  EXPECT_FALSE(one_->seems_alive());
  EXPECT_EQ(one_->run(insert, {std::int64_t{2}}).error().code, ErrorCode::unknown_outcome) << "stood alone";
  EXPECT_TRUE(one_->lost());

  auto within = connect(options_);
  {
    Transaction transaction(*within);
    ASSERT_TRUE(transaction.begin());
    ASSERT_TRUE(within->run(insert, {std::int64_t{3}}));
    kill(*within);
    EXPECT_EQ(within->run(insert, {std::int64_t{4}}).error().code, ErrorCode::unavailable)
        << "its transaction is gone";
  }
  auto committing = connect(options_);
  Transaction transaction(*committing);
  ASSERT_TRUE(transaction.begin());
  ASSERT_TRUE(committing->run(insert, {std::int64_t{5}}));
  kill(*committing);
  EXPECT_EQ(transaction.commit().error().code, ErrorCode::unknown_outcome);
  EXPECT_EQ(count(), 1);
}

TEST_F(ConnectionTableTest, APoolIsBoundedAndReplacesWhatWasLost) {
  auto options = pool_of(options_);
  options.most_connections = 1;
  options.patience = Duration(1000);
  Pool pool(options);
  {
    auto lease = pool.take();
    ASSERT_TRUE(lease);
    EXPECT_EQ(pool.take().error().code, ErrorCode::overloaded);
  }
  EXPECT_EQ(pool.idle(), 1U);
  const auto ask = [](Connection& connection) { return connection.integer("SELECT CONNECTION_ID()"); };
  const auto first = pool.read<std::optional<std::int64_t>>(ask).value();
  EXPECT_EQ(pool.read<std::optional<std::int64_t>>(ask).value(), first) << "kept";
  {
    auto lease = pool.take();
    kill(**lease);
  }
  EXPECT_NE(pool.read<std::optional<std::int64_t>>(ask).value(), first);
  {
    // Open transactions do not go back to the pool.
    auto lease = pool.take();
    ASSERT_TRUE((*lease)->begin());
    ASSERT_TRUE((*lease)->run("INSERT INTO kept (id) VALUES (1)"));
  }
  EXPECT_EQ(count(), 0);
}

TEST_F(ConnectionTableTest, APoolTellsThatNobodyAnswers) {
  auto options = pool_of(options_);
  options.server.port = 1;
  Pool pool(options);
  EXPECT_TRUE(pool.reachable());
  EXPECT_EQ(pool.take().error().code, ErrorCode::unavailable);
  EXPECT_FALSE(pool.reachable());
}

TEST(SchemaTest, ManyProcessesMayMakeTheTablesAtOnce) {
  auto options = test_server();
  auto maker = connect(options);
  options.name = "doorbuster_schema_" + std::to_string(::getpid());
  ASSERT_TRUE(maker->execute("CREATE DATABASE " + options.name));
  std::vector<std::thread> threads;
  std::array<bool, 4> good{};
  for (auto& one : good)
    threads.emplace_back([&one, &options] { one = prepare_database(options).has_value(); });
  for (auto& thread : threads) thread.join();
  EXPECT_THAT(good, testing::Each(true));
  EXPECT_EQ(number(options, "SELECT MAX(version) FROM schema_version"), schema_version());
  EXPECT_EQ(number(options, "SELECT COUNT(*) FROM schema_version"), static_cast<int>(migrations().size()));

  // A migration that was killed in the middle is told again from its beginning.
  auto connection = connect(options);
  ASSERT_TRUE(connection->execute("DROP TABLE dead_letter, redemption, schema_version"));
  EXPECT_TRUE(prepare_database(options));
  EXPECT_EQ(number(options, "SELECT COUNT(*) FROM redemption"), 0);
  EXPECT_EQ(number(options, "SELECT COUNT(*) FROM fence_lock"), 1);

  ASSERT_TRUE(check_schema(*connection, options.name));
  ASSERT_TRUE(connection->execute("INSERT INTO schema_version VALUES (99)"));
  for (const auto& refused : {prepare_database(options), check_schema(*connection, options.name)}) {
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, ErrorCode::unsupported);
    EXPECT_EQ(refused.error().field, "database.name");
    EXPECT_THAT(refused.error().detail, HasSubstr("version 99"));
    EXPECT_THAT(refused.error().detail, HasSubstr("database.name"));
  }
  ASSERT_TRUE(connection->execute("DELETE FROM schema_version WHERE version > 1"));
  EXPECT_THAT(check_schema(*connection, options.name).error().detail,
              HasSubstr("version 1, this program reads"));
  EXPECT_TRUE(prepare_database(options)) << "an older one is brought up to date";
  EXPECT_TRUE(check_schema(*connection, options.name));
  EXPECT_TRUE(maker->execute("DROP DATABASE " + options.name));
}

TEST(SchemaTest, ADatabaseWithoutTablesIsNotRead) {
  auto connection = connect(test_server());
  const auto checked = check_schema(*connection, "doorbuster");
  ASSERT_FALSE(checked);
  EXPECT_EQ(checked.error().field, "database.name");
}

}  // namespace
}  // namespace doorbuster::mariadb
