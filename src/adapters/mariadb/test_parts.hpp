#pragma once
// What the tests of this folder share: a database of their own on the server that with_stack.py has started.

#include <gtest/gtest.h>
#include <unistd.h>

#include <memory>
#include <string>
#include <vector>

#include "adapters/mariadb/pool.hpp"
#include "adapters/mariadb/schema.hpp"
#include "tests/support/real_servers.hpp"
#include "tests/support/samples.hpp"

namespace doorbuster::mariadb {

inline constexpr const char* kTopic = "coupon-issued";

inline ServerOptions test_server() {
  ServerOptions options;
  const auto place = test::mariadb_place();
  options.host = place.host;
  options.port = place.port;
  options.user = test::mariadb_user();
  options.password = test::mariadb_password();
  options.name = test::mariadb_database();
  return options;
}

/// A database with empty tables; made once, emptied for each test that asks.
inline ServerOptions fresh_database() {
  static const ServerOptions made = [] {
    auto options = test_server();
    auto maker = Connection::open(options);
    EXPECT_TRUE(maker) << maker.error().detail;
    options.name = "doorbuster_test_" + std::to_string(::getpid());
    EXPECT_TRUE((*maker)->execute("CREATE DATABASE " + options.name));
    const auto prepared = prepare_database(options);
    EXPECT_TRUE(prepared) << prepared.error().detail;
    return options;
  }();
  auto connection = Connection::open(made);
  EXPECT_TRUE(connection) << connection.error().detail;
  for (const char* table : {"campaign", "campaign_revision", "coupon_issued_user", "coupon_watermark",
                            "redemption", "worker_offset", "dead_letter", "epoch_fence", "stock",
                            "stock_pending", "log_identity", "log_loss"}) {
    const auto emptied = (*connection)->execute(std::string("DELETE FROM ") + table);
    EXPECT_TRUE(emptied) << emptied.error().detail;
  }
  return made;
}

inline std::unique_ptr<Connection> connect(const ServerOptions& options, Access access = Access::read_write) {
  auto connection = Connection::open(options, access);
  EXPECT_TRUE(connection) << connection.error().detail;
  return connection ? std::move(*connection) : nullptr;
}

/// The first column of the first row; -1 without one.
inline std::int64_t number(const ServerOptions& options, const std::string& sql) {
  auto found = connect(options)->integer(sql);
  EXPECT_TRUE(found) << found.error().detail;
  return found->value_or(-1);
}

inline PoolOptions pool_of(const ServerOptions& server, Access access = Access::read_write) {
  PoolOptions options;
  options.server = server;
  options.access = access;
  return options;
}

inline LogRecord record(LogPosition position, Event event) {
  return {position, std::move(event)};
}
/// Coupons `first` to `last` of campaign sale at the positions of their numbers.
inline std::vector<LogRecord> records(std::uint64_t first, std::uint64_t last) {
  std::vector<LogRecord> all;
  for (auto i = first; i <= last; ++i) all.push_back({i, test::coupon_event("sale", i)});
  return all;
}

}  // namespace doorbuster::mariadb
