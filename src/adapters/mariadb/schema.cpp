#include "adapters/mariadb/schema.hpp"

#include <fmt/format.h>

namespace doorbuster::mariadb {
namespace {

/// Another process may be making tables for so long.
constexpr int kLockSeconds = 30;

Error newer(const Connection& connection, const std::string& name, std::int64_t found, int known) {
  return make_error(
      ErrorCode::unsupported,
      fmt::format("database '{}' at {} has tables of version {}, this program knows versions up to "
                  "{}: a newer program has been here (see database.name)",
                  name, connection.place(), found, known),
      "database.name");
}

/// Statements end with a semicolon at the end of a line.
Result<void> execute_all(Connection& connection, std::string_view sql) {
  while (!sql.empty()) {
    const auto end = sql.find(";\n");
    const auto statement = sql.substr(0, end);
    sql.remove_prefix(end == std::string_view::npos ? sql.size() : end + 2);
    if (statement.find_first_not_of(" \n") == std::string_view::npos) continue;
    if (auto done = connection.execute(statement); !done) return done;
  }
  return {};
}

Result<std::int64_t> version_of(Connection& connection) {
  auto version = connection.integer("SELECT CAST(MAX(version) AS SIGNED) FROM schema_version");
  if (!version) return version.error();
  return version->value_or(0);
}

/// A commit that is answered before it is on disk would lose redemptions in a power cut.
Result<void> check_durability(Connection& connection) {
  auto flushed = connection.integer("SELECT CAST(@@GLOBAL.innodb_flush_log_at_trx_commit AS SIGNED)");
  if (!flushed) return flushed.error();
  if (*flushed == 1) return {};
  return make_error(ErrorCode::unsupported,
                    fmt::format("MariaDB at {} answers commits before they are on disk: it runs with "
                                "innodb_flush_log_at_trx_commit={}, 1 is needed (see database.host)",
                                connection.place(), flushed->value_or(-1)),
                    "database.host");
}

/// Held by the session; ends with it, too. Names of locks belong to the whole server and are short.
class NamedLock {
 public:
  explicit NamedLock(Connection& connection) : connection_(connection) {}
  ~NamedLock() {
    if (held_) (void)connection_.execute("DO RELEASE_LOCK(SHA1(CONCAT('doorbuster.schema.', DATABASE())))");
  }
  NamedLock(const NamedLock&) = delete;
  NamedLock& operator=(const NamedLock&) = delete;
  Result<void> take() {
    // Read in slices: the connection would give up a server that is silent for longer than its timeout.
    for (int waited = 0; waited < kLockSeconds; ++waited) {
      auto got = connection_.integer("SELECT GET_LOCK(SHA1(CONCAT('doorbuster.schema.', DATABASE())), 1)");
      if (!got) return got.error();
      held_ = *got == 1;
      if (held_) return {};
    }
    return make_error(ErrorCode::unavailable,
                      fmt::format("another process has been making tables at {} for {} seconds",
                                  connection_.place(), kLockSeconds));
  }

 private:
  Connection& connection_;
  bool held_ = false;
};

}  // namespace

int schema_version() {
  return migrations().back().version;
}

Result<void> migrate(Connection& connection, std::span<const Migration> steps, const std::string& name) {
  NamedLock lock(connection);
  if (auto taken = lock.take(); !taken) return taken;
  auto made = connection.execute(
      "CREATE TABLE IF NOT EXISTS schema_version (version INT UNSIGNED NOT NULL PRIMARY KEY) ENGINE=InnoDB");
  if (!made) {
    auto error = made.error();
    error.field = "database.user";
    error.detail += " (see database.user: it makes the tables)";
    return error;
  }
  const auto found = version_of(connection);
  if (!found) return found.error();
  if (*found > steps.back().version) return newer(connection, name, *found, steps.back().version);
  for (const auto& step : steps) {
    if (step.version <= *found) continue;
    if (auto done = execute_all(connection, step.sql); !done) return done;
    auto noted = connection.execute(fmt::format("INSERT INTO schema_version VALUES ({})", step.version));
    if (!noted) return noted;
  }
  return {};
}

Result<void> check_schema(Connection& connection, const std::string& name) {
  const auto found = version_of(connection);
  if (!found) {
    return make_error(ErrorCode::unsupported,
                      fmt::format("database '{}' at {} has no tables of ours: {} (see database.name)", name,
                                  connection.place(), found.error().detail),
                      "database.name");
  }
  if (*found > schema_version()) return newer(connection, name, *found, schema_version());
  if (*found == schema_version()) return {};
  return make_error(
      ErrorCode::unsupported,
      fmt::format("database '{}' at {} has tables of version {}, this program reads version {}: start "
                  "an api or a worker of this program once, which brings them up to date (see "
                  "database.name)",
                  name, connection.place(), *found, schema_version()),
      "database.name");
}

Result<void> prepare_database(const ServerOptions& options) {
  auto connection = Connection::open(options);
  if (!connection) return connection.error();
  if (auto safe = check_durability(**connection); !safe) return safe;
  return migrate(**connection, migrations(), options.name);
}

}  // namespace doorbuster::mariadb
