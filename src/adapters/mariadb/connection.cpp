#include "adapters/mariadb/connection.hpp"

#include <errmsg.h>
#include <fmt/format.h>
#include <mysql.h>
#include <mysqld_error.h>
#include <poll.h>

#include <algorithm>
#include <mutex>

namespace doorbuster::mariadb {
namespace {

// Numbers that MariaDB's and MySQL's headers do not both have.
constexpr unsigned kConnectionKilled = 1927;
constexpr unsigned kServerLostExtended = 2055;
constexpr unsigned kClientTimedOut = 4031;
constexpr unsigned kAccessDeniedNoPassword = 1698;

/// Different statements on one connection: texts are fixed, multi-row inserts come in a few sizes.
constexpr std::size_t kMostStatements = 200;

bool is_loss(unsigned number) {
  switch (number) {
    case CR_SERVER_GONE_ERROR:
    case CR_SERVER_LOST:
    case kServerLostExtended:
    case CR_COMMANDS_OUT_OF_SYNC:
    case CR_MALFORMED_PACKET:
    case CR_UNKNOWN_ERROR:
    case ER_SERVER_SHUTDOWN:
    case ER_NORMAL_SHUTDOWN:
    case kConnectionKilled:
    case kClientTimedOut:
      return true;
    default:
      return false;
  }
}

/// Classes of SQLSTATE: a value out of range or too long, a constraint, a view's check, a SIGNAL of a
/// trigger.
bool is_about_values(std::string_view state) {
  const auto kind = state.substr(0, 2);
  return kind == "22" || kind == "23" || kind == "44" || kind == "45";
}

unsigned seconds(Duration time) {
  return static_cast<unsigned>(
      std::max<std::int64_t>(1, std::chrono::duration_cast<std::chrono::seconds>(time).count()));
}

/// Ids, names and codes fit; longer values are fetched once more with more room.
constexpr std::size_t kFirstRoom = 256;

bool is_integer(enum_field_types type) {
  switch (type) {
    case MYSQL_TYPE_TINY:
    case MYSQL_TYPE_SHORT:
    case MYSQL_TYPE_INT24:
    case MYSQL_TYPE_LONG:
    case MYSQL_TYPE_LONGLONG:
    case MYSQL_TYPE_YEAR:
      return true;
    default:
      return false;
  }
}

}  // namespace

struct Connection::Library {
  MYSQL* handle = nullptr;
  ~Library() {
    if (handle != nullptr) mysql_close(handle);
  }
};

/// A prepared statement with the buffers of its parameters and columns.
struct Connection::Statement final : Row {
  explicit Statement(MYSQL_STMT* of) : statement(of) {}
  ~Statement() override { mysql_stmt_close(statement); }
  Statement(const Statement&) = delete;
  Statement& operator=(const Statement&) = delete;

  /// Binds and runs. \returns false when the library or the server refuse: error number and text are in
  /// `statement`
  bool execute(std::span<const Value> parameters);
  /// Makes room for the columns of the result, if there is one.
  bool bind_columns();
  /// The next row; false at the end, or after a failure (then failed is set).
  bool next();

  bool is_null(unsigned column) const override { return columns[column].null != 0; }
  std::int64_t integer(unsigned column) const override { return columns[column].number; }
  std::string_view text(unsigned column) const override {
    const auto& at = columns[column];
    return {at.bytes.data(), at.length};
  }

  struct Column {
    bool is_number = false;
    std::int64_t number = 0;
    std::vector<char> bytes;
    unsigned long length = 0;
    my_bool null = 0;
    my_bool cut_off = 0;
  };

  MYSQL_STMT* statement;
  std::vector<MYSQL_BIND> parameter_binds;
  std::vector<std::int64_t> numbers;
  std::vector<unsigned long> lengths;
  std::vector<Column> columns;
  std::vector<MYSQL_BIND> column_binds;
  bool failed = false;
};

bool Connection::Statement::execute(std::span<const Value> parameters) {
  DOORBUSTER_ASSERT(parameters.size() == mysql_stmt_param_count(statement));
  parameter_binds.assign(parameters.size(), MYSQL_BIND{});
  numbers.resize(parameters.size());
  lengths.resize(parameters.size());
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    auto& bind = parameter_binds[i];
    if (const auto* text = std::get_if<std::string_view>(&parameters[i])) {
      // The server converts to the column's character set, and bytes stay bytes for binary columns.
      bind.buffer_type = MYSQL_TYPE_STRING;
      bind.buffer = const_cast<char*>(text->data());  // the library only reads parameters
      lengths[i] = text->size();
      bind.length = &lengths[i];
    } else if (const auto* integer = std::get_if<std::int64_t>(&parameters[i])) {
      numbers[i] = *integer;
      bind.buffer_type = MYSQL_TYPE_LONGLONG;
      bind.buffer = &numbers[i];
    } else if (const auto* number = std::get_if<std::uint64_t>(&parameters[i])) {
      numbers[i] = static_cast<std::int64_t>(*number);
      bind.buffer_type = MYSQL_TYPE_LONGLONG;
      bind.is_unsigned = 1;
      bind.buffer = &numbers[i];
    } else {
      bind.buffer_type = MYSQL_TYPE_NULL;
    }
  }
  if (!parameters.empty() && mysql_stmt_bind_param(statement, parameter_binds.data()) != 0) return false;
  failed = false;
  return mysql_stmt_execute(statement) == 0;
}

bool Connection::Statement::bind_columns() {
  MYSQL_RES* result = mysql_stmt_result_metadata(statement);
  if (result == nullptr) return false;
  const unsigned count = mysql_num_fields(result);
  const MYSQL_FIELD* fields = mysql_fetch_fields(result);
  if (columns.size() != count) columns = std::vector<Column>(count);
  column_binds.assign(count, MYSQL_BIND{});
  for (unsigned i = 0; i < count; ++i) {
    auto& column = columns[i];
    auto& bind = column_binds[i];
    column.is_number = is_integer(fields[i].type);
    if (column.is_number) {
      bind.buffer_type = MYSQL_TYPE_LONGLONG;
      bind.is_unsigned = (fields[i].flags & UNSIGNED_FLAG) != 0;
      bind.buffer = &column.number;
    } else {
      if (column.bytes.empty()) column.bytes.resize(kFirstRoom);
      bind.buffer_type = MYSQL_TYPE_BLOB;  // bytes as they are
      bind.buffer = column.bytes.data();
      bind.buffer_length = column.bytes.size();
    }
    bind.length = &column.length;
    bind.is_null = &column.null;
    bind.error = &column.cut_off;
  }
  mysql_free_result(result);
  return mysql_stmt_bind_result(statement, column_binds.data()) == 0;
}

bool Connection::Statement::next() {
  const int fetched = mysql_stmt_fetch(statement);
  if (fetched == MYSQL_NO_DATA) return false;
  failed = fetched == 1;
  if (failed) return false;
  bool grown = false;
  for (unsigned i = 0; i < columns.size(); ++i) {
    auto& column = columns[i];
    if (column.is_number || column.null != 0 || column.length <= column.bytes.size()) continue;
    column.bytes.resize(column.length);
    column_binds[i].buffer = column.bytes.data();
    column_binds[i].buffer_length = column.bytes.size();
    if (mysql_stmt_fetch_column(statement, &column_binds[i], i, 0) != 0) {
      failed = true;
      return false;
    }
    grown = true;
  }
  // Later rows are written into the new room.
  if (grown && mysql_stmt_bind_result(statement, column_binds.data()) != 0) failed = true;
  return !failed;
}

Connection::Connection(const ServerOptions& options)
    : library_(std::make_unique<Library>()), place_(fmt::format("{}:{}", options.host, options.port)) {}

Connection::~Connection() {
  statements_.clear();  // before the connection that they belong to
}

Result<std::unique_ptr<Connection>> Connection::open(const ServerOptions& options, Access access) {
  static std::once_flag once;
  std::call_once(once, [] { mysql_library_init(0, nullptr, nullptr); });
  std::unique_ptr<Connection> connection(new Connection(options));
  if (auto made = connection->connect(options, access); !made) return made.error();
  return connection;
}

Result<void> Connection::connect(const ServerOptions& options, Access access) {
  MYSQL* handle = mysql_init(nullptr);
  DOORBUSTER_ASSERT(handle != nullptr);
  library_->handle = handle;
  const unsigned connect_seconds = seconds(options.connect_timeout);
  const unsigned answer_seconds = seconds(options.answer_timeout);
  const unsigned tcp = MYSQL_PROTOCOL_TCP;  // else "localhost" would mean a socket file
  const unsigned off = 0;
  mysql_options(handle, MYSQL_OPT_CONNECT_TIMEOUT, &connect_seconds);
  mysql_options(handle, MYSQL_OPT_READ_TIMEOUT, &answer_seconds);
  mysql_options(handle, MYSQL_OPT_WRITE_TIMEOUT, &answer_seconds);
  mysql_options(handle, MYSQL_OPT_PROTOCOL, &tcp);
  mysql_options(handle, MYSQL_OPT_LOCAL_INFILE, &off);
  mysql_options(handle, MYSQL_SET_CHARSET_NAME, "utf8mb4");
  // Rows that were met, not rows that were changed: what a compare-and-set asks.
  if (mysql_real_connect(handle, options.host.c_str(), options.user.c_str(), options.password.c_str(),
                         options.name.c_str(), options.port, nullptr, CLIENT_FOUND_ROWS) == nullptr) {
    return connect_error(options);
  }
  const auto session = fmt::format(
      "SET SESSION sql_mode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION', time_zone = '+00:00', "
      "innodb_lock_wait_timeout = {}",
      seconds(options.lock_timeout));
  if (auto set = execute(session); !set) return set;
  if (auto set = execute("SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED"); !set) return set;
  if (access == Access::read_only) return execute("SET SESSION TRANSACTION READ ONLY");
  return {};
}

Error Connection::connect_error(const ServerOptions& options) const {
  const unsigned number = mysql_errno(library_->handle);
  std::string key = "database.host";
  if (number == ER_ACCESS_DENIED_ERROR || number == kAccessDeniedNoPassword) {
    key = "database.password";
  } else if (number == ER_BAD_DB_ERROR || number == ER_DBACCESS_DENIED_ERROR) {
    key = "database.name";
  } else if (number == CR_CONN_HOST_ERROR) {
    key = "database.port";
  }
  return make_error(
      ErrorCode::unavailable,
      fmt::format("no connection to MariaDB at {} as '{}' to '{}': {} (error {}; see {})", place_,
                  options.user, options.name, mysql_error(library_->handle), number, key),
      key);
}

Error Connection::error(unsigned number, const char* state, const char* text, Phase phase) {
  const bool lost = is_loss(number);
  lost_ = lost_ || lost;
  values_refused_ = phase == Phase::writing && number != ER_DUP_ENTRY && is_about_values(state);
  ErrorCode code = ErrorCode::unavailable;
  if (number == ER_DUP_ENTRY) {
    code = ErrorCode::conflict;
  } else if (lost && (phase == Phase::committing || (phase == Phase::writing && !in_transaction_))) {
    code = ErrorCode::unknown_outcome;
  }
  return make_error(code, fmt::format("MariaDB at {}: {} (error {})", place_, text, number));
}

Error Connection::statement_error(const Statement& statement, Phase phase) {
  MYSQL_STMT* handle = statement.statement;
  return error(mysql_stmt_errno(handle), mysql_stmt_sqlstate(handle), mysql_stmt_error(handle), phase);
}

Error Connection::own_error(Phase phase) {
  MYSQL* handle = library_->handle;
  return error(mysql_errno(handle), mysql_sqlstate(handle), mysql_error(handle), phase);
}

Result<Connection::Statement*> Connection::prepared(std::string_view sql) {
  const std::string text(sql);
  if (const auto known = statements_.find(text); known != statements_.end()) return known->second.get();
  DOORBUSTER_ASSERT(statements_.size() < kMostStatements);
  MYSQL_STMT* handle = mysql_stmt_init(library_->handle);
  DOORBUSTER_ASSERT(handle != nullptr);
  auto statement = std::make_unique<Statement>(handle);
  if (mysql_stmt_prepare(handle, sql.data(), sql.size()) != 0) {
    return statement_error(*statement, Phase::reading);  // nothing was run
  }
  return statements_.emplace(text, std::move(statement)).first->second.get();
}

Result<std::uint64_t> Connection::run(std::string_view sql, std::span<const Value> parameters) {
  auto statement = prepared(sql);
  if (!statement) return statement.error();
  MYSQL_STMT* handle = (*statement)->statement;
  if (!(*statement)->execute(parameters)) {
    return statement_error(**statement, Phase::writing);
  }
  return mysql_stmt_affected_rows(handle);
}

Result<void> Connection::rows(std::string_view sql, std::span<const Value> parameters, const EachRow& each) {
  return read(sql, parameters, each, false);
}

Result<void> Connection::stream(std::string_view sql, std::initializer_list<Value> parameters,
                                const EachRow& each) {
  return read(sql, std::span(parameters.begin(), parameters.size()), each, true);
}

Result<void> Connection::read(std::string_view sql, std::span<const Value> parameters, const EachRow& each,
                              bool streamed) {
  auto found = prepared(sql);
  if (!found) return found.error();
  auto& statement = **found;
  MYSQL_STMT* handle = statement.statement;
  const auto failure = [&] {
    auto failed = statement_error(statement, Phase::reading);
    mysql_stmt_free_result(handle);
    return failed;
  };
  if (!statement.execute(parameters) || !statement.bind_columns()) return failure();
  if (!streamed && mysql_stmt_store_result(handle) != 0) return failure();
  while (statement.next()) {
    auto visited = each(statement);
    if (!visited) {
      mysql_stmt_free_result(handle);
      return visited;
    }
  }
  if (statement.failed) return failure();
  mysql_stmt_free_result(handle);
  return {};
}

Result<std::optional<std::int64_t>> Connection::integer(std::string_view sql,
                                                        std::initializer_list<Value> parameters) {
  std::optional<std::int64_t> first;
  bool seen = false;
  auto done = rows(sql, parameters, [&](const Row& row) -> Result<void> {
    if (!seen && !row.is_null(0)) first = row.integer(0);
    seen = true;
    return {};
  });
  if (!done) return done.error();
  return first;
}

Result<void> Connection::execute(std::string_view sql) {
  if (mysql_real_query(library_->handle, sql.data(), sql.size()) == 0) {
    // A statement of this kind has no rows that anybody wants.
    if (MYSQL_RES* result = mysql_store_result(library_->handle); result != nullptr)
      mysql_free_result(result);
    return {};
  }
  return own_error(Phase::writing);
}

Result<void> Connection::begin() {
  DOORBUSTER_ASSERT(!in_transaction_);
  in_transaction_ = true;  // what fails here has changed nothing
  auto begun = execute("BEGIN");
  in_transaction_ = begun.has_value();
  return begun;
}

Result<void> Connection::commit() {
  DOORBUSTER_ASSERT(in_transaction_);
  in_transaction_ = false;
  if (mysql_real_query(library_->handle, "COMMIT", 6) == 0) return {};
  auto failed = own_error(Phase::committing);
  if (!lost_) (void)execute("ROLLBACK");
  return failed;
}

void Connection::rollback() {
  if (!in_transaction_) return;
  in_transaction_ = false;
  if (!lost_ && !execute("ROLLBACK")) lost_ = true;
}

bool Connection::seems_alive() const {
  if (lost_) return false;
  // Between two statements nothing is to be read: something is the end, or a server that says goodbye.
  pollfd socket{static_cast<int>(mysql_get_socket(library_->handle)), POLLIN, 0};
  return ::poll(&socket, 1, 0) == 0;
}

std::string placeholders(std::size_t rows, std::size_t columns) {
  std::string one = "(";
  for (std::size_t i = 0; i < columns; ++i) one += i == 0 ? "?" : ",?";
  one += ')';
  std::string all;
  all.reserve(rows * (one.size() + 1));
  for (std::size_t i = 0; i < rows; ++i) {
    if (i > 0) all += ',';
    all += one;
  }
  return all;
}

}  // namespace doorbuster::mariadb
