#pragma once
// The tables: made and brought up to date by numbered files (migrations/*.sql), which are part of the
// program.

#include <span>
#include <string_view>

#include "adapters/mariadb/connection.hpp"

namespace doorbuster::mariadb {

struct Migration {
  int version = 0;
  std::string_view sql;
};

/// Ascending by version, from 1.
std::span<const Migration> migrations();
int schema_version();

/// Brings the database up to this program's version, under a lock: many processes may start at once. Checks
/// that a commit is on disk before it is answered. Told again: no change.
/// \returns unsupported (tables of a newer program, commits not on disk), unavailable; one line each that
/// names
///          the key of the configuration
Result<void> prepare_database(const ServerOptions& options);

/// The parts of prepare_database(), for tests and for programs that only read.
Result<void> migrate(Connection& connection, std::span<const Migration> steps, const std::string& name);
Result<void> check_schema(Connection& connection, const std::string& name);

}  // namespace doorbuster::mariadb
