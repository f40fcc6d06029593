#include "adapters/sqlite/database.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sqlite3.h>
#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>
#include <mutex>
#include <utility>

namespace doorbuster::sqlite {
namespace {

constexpr int kBusyTimeoutMs = 5000;

void configure_once() {
  // Memory statistics put one lock of the process around every allocation of every connection.
  static std::once_flag once;
  std::call_once(once, [] { sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0); });
}

}  // namespace

Error sqlite_error(int code, std::string_view path, std::string_view doing) {
  std::string_view why;
  std::string_view instead;
  auto kind = ErrorCode::unavailable;
  switch (code & 0xff) {
    case SQLITE_FULL:
      why = "the disk is full";
      instead = "; make room";
      break;
    case SQLITE_IOERR:
      why = "the disk reports an input/output error";
      break;
    case SQLITE_READONLY:
      why = "the file or its folder is read-only";
      instead = "; make both writable for this user";
      break;
    case SQLITE_CORRUPT:
      why = "the file is damaged";
      instead = "; restore it from a backup";
      kind = ErrorCode::corrupt;
      break;
    case SQLITE_NOTADB:
      why = "this is not an SQLite file";
      kind = ErrorCode::corrupt;
      break;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      why = "another process holds the file";
      break;
    case SQLITE_CANTOPEN:
      why = "it cannot be opened or created";
      instead = "; does its folder exist, and may this user write there?";
      break;
    case SQLITE_PERM:
    case SQLITE_AUTH:
      why = "access is denied";
      break;
    default:
      why = sqlite3_errstr(code);
      kind = (code & 0xff) == SQLITE_CONSTRAINT ? ErrorCode::conflict : ErrorCode::unavailable;
  }
  return make_error(kind, fmt::format("{}: {} ({}, SQLite code {}){}", path, why, doing, code, instead));
}

Statement::Statement(Statement&& other) noexcept
    : statement_(std::exchange(other.statement_, nullptr)), path_(other.path_) {}

Statement& Statement::operator=(Statement&& other) noexcept {
  if (this != &other) {
    sqlite3_finalize(statement_);
    statement_ = std::exchange(other.statement_, nullptr);
    path_ = other.path_;
  }
  return *this;
}

Statement::~Statement() {
  sqlite3_finalize(statement_);
}

void Statement::bind(int index, std::int64_t value) {
  DOORBUSTER_ASSERT(sqlite3_bind_int64(statement_, index, value) == SQLITE_OK);
}

void Statement::bind_text(int index, std::string_view value) {
  // An empty view may have no address, and SQLite takes a null address for NULL.
  const char* data = value.data() == nullptr ? "" : value.data();
  DOORBUSTER_ASSERT(sqlite3_bind_text(statement_, index, data, static_cast<int>(value.size()), nullptr) ==
                    SQLITE_OK);
}

void Statement::bind_blob(int index, std::span<const std::uint8_t> value) {
  DOORBUSTER_ASSERT(sqlite3_bind_blob(statement_, index, value.data(), static_cast<int>(value.size()),
                                      nullptr) == SQLITE_OK);
}

void Statement::bind_null(int index) {
  DOORBUSTER_ASSERT(sqlite3_bind_null(statement_, index) == SQLITE_OK);
}

Result<bool> Statement::step() {
  const int code = sqlite3_step(statement_);
  if (code == SQLITE_ROW) return true;
  if (code == SQLITE_DONE) return false;
  const int extended = sqlite3_extended_errcode(sqlite3_db_handle(statement_));
  sqlite3_reset(statement_);
  return sqlite_error(extended, *path_, "while running a statement");
}

Result<void> Statement::run() {
  for (;;) {
    auto row = step();
    if (!row) return row.error();
    if (!*row) break;
  }
  sqlite3_reset(statement_);
  return {};
}

void Statement::reset() {
  if (statement_ != nullptr) sqlite3_reset(statement_);
}

std::int64_t Statement::integer(int column) const {
  return sqlite3_column_int64(statement_, column);
}

std::string_view Statement::text(int column) const {
  const auto* data = reinterpret_cast<const char*>(sqlite3_column_text(statement_, column));
  return data == nullptr
             ? std::string_view()
             : std::string_view(data, static_cast<std::size_t>(sqlite3_column_bytes(statement_, column)));
}

std::span<const std::uint8_t> Statement::blob(int column) const {
  const auto* data = static_cast<const std::uint8_t*>(sqlite3_column_blob(statement_, column));
  return {data, data == nullptr ? 0U : static_cast<std::size_t>(sqlite3_column_bytes(statement_, column))};
}

bool Statement::is_null(int column) const {
  return sqlite3_column_type(statement_, column) == SQLITE_NULL;
}

bool Statement::is_integer(int column) const {
  return sqlite3_column_type(statement_, column) == SQLITE_INTEGER;
}

Database::Database(Database&& other) noexcept
    : connection_(std::exchange(other.connection_, nullptr)), path_(std::exchange(other.path_, nullptr)) {}

Database& Database::operator=(Database&& other) noexcept {
  if (this != &other) {
    close();
    delete path_;
    connection_ = std::exchange(other.connection_, nullptr);
    path_ = std::exchange(other.path_, nullptr);
  }
  return *this;
}

Database::~Database() {
  close();
  delete path_;
}

Result<Database> Database::open(const std::string& path, OpenMode mode, const std::string& vfs) {
  configure_once();
  Database database;
  database.path_ = new std::string(path);
  int flags = SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
  if (mode == OpenMode::read_only) {
    flags |= SQLITE_OPEN_READONLY;
  } else {
    flags |= SQLITE_OPEN_READWRITE | (mode == OpenMode::create ? SQLITE_OPEN_CREATE : 0);
  }
  const int code =
      sqlite3_open_v2(path.c_str(), &database.connection_, flags, vfs.empty() ? nullptr : vfs.c_str());
  if (code != SQLITE_OK) return sqlite_error(code, path, "while opening");
  sqlite3_busy_timeout(database.connection_, kBusyTimeoutMs);
  sqlite3_db_config(database.connection_, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, nullptr);
  // Without this SQLite takes a misspelt column in double quotes for a text.
  sqlite3_db_config(database.connection_, SQLITE_DBCONFIG_DQS_DML, 0, nullptr);
  return database;
}

void Database::close() {
  if (connection_ == nullptr) return;
  const int code = sqlite3_close(connection_);
  DOORBUSTER_ASSERT(code == SQLITE_OK);  // a statement that outlives its connection is a defect
  connection_ = nullptr;
}

Result<void> Database::execute(const std::string& sql) {
  const int code = sqlite3_exec(connection_, sql.c_str(), nullptr, nullptr, nullptr);
  if (code != SQLITE_OK) return sqlite_error(code, *path_, sql.substr(0, 40));
  return {};
}

Result<Statement> Database::prepare(std::string_view sql) {
  sqlite3_stmt* statement = nullptr;
  const int code = sqlite3_prepare_v3(connection_, sql.data(), static_cast<int>(sql.size()),
                                      SQLITE_PREPARE_PERSISTENT, &statement, nullptr);
  if (code != SQLITE_OK) {
    auto error = sqlite_error(code, *path_, sql.substr(0, 40));
    if ((code & 0xff) == SQLITE_ERROR) {
      error.code = ErrorCode::corrupt;
      error.detail = fmt::format("{}: not one of our files: {}", *path_, sqlite3_errmsg(connection_));
    }
    return error;
  }
  return Statement(statement, path_);
}

Result<std::int64_t> Database::query_integer(std::string_view sql) {
  auto statement = prepare(sql);
  if (!statement) return statement.error();
  auto row = statement->step();
  if (!row) return row.error();
  return *row ? statement->integer(0) : 0;
}

Result<void> Database::begin() {
  return execute("BEGIN IMMEDIATE");
}

Result<void> Database::commit() {
  auto done = execute("COMMIT");
  if (!done) rollback();
  return done;
}

void Database::rollback() {
  if (connection_ != nullptr && sqlite3_get_autocommit(connection_) == 0) {
    sqlite3_exec(connection_, "ROLLBACK", nullptr, nullptr, nullptr);
  }
}

Result<Database::Checkpoint> Database::checkpoint() {
  int log = 0;
  int copied = 0;
  const int code = sqlite3_wal_checkpoint_v2(connection_, nullptr, SQLITE_CHECKPOINT_PASSIVE, &log, &copied);
  // Busy is no failure: somebody else is at it.
  if (code != SQLITE_OK && (code & 0xff) != SQLITE_BUSY) return sqlite_error(code, *path_, "checkpoint");
  return Checkpoint{log, copied};
}

Result<void> Database::checkpoint_and_truncate() {
  const int code =
      sqlite3_wal_checkpoint_v2(connection_, nullptr, SQLITE_CHECKPOINT_TRUNCATE, nullptr, nullptr);
  if (code != SQLITE_OK && (code & 0xff) != SQLITE_BUSY) return sqlite_error(code, *path_, "checkpoint");
  return {};
}

void Database::count_wal_pages(std::int64_t* where) {
  sqlite3_wal_hook(
      connection_,
      [](void* target, sqlite3*, const char*, int pages) {
        *static_cast<std::int64_t*>(target) = pages;
        return SQLITE_OK;
      },
      where);
}

std::int64_t Database::changes() const {
  return sqlite3_changes64(connection_);
}

Result<void> check_format(Database& database, FileFormats known, std::string_view what) {
  auto version = database.query_integer("PRAGMA user_version");
  if (!version) return version.error();
  if (*version > known.newest) {
    return make_error(
        ErrorCode::unsupported,
        fmt::format("{}: {} of format {}, this program knows formats up to {}; use a newer program",
                    database.path(), what, *version, known.newest));
  }
  if (*version != 0 && *version < known.oldest) {
    return make_error(
        ErrorCode::unsupported,
        fmt::format("{}: {} of format {}, this program knows formats from {}; use the program that wrote it",
                    database.path(), what, *version, known.oldest));
  }
  return {};
}

void drop_page_cache(const std::string& path) {
  std::error_code error;
  const auto wanted = std::filesystem::canonical(path, error);
  if (error) return;
  // SQLite's own descriptors are used: opening the file here and closing it again would drop the POSIX locks
  // that the connections of this process hold on it. They are found by their names: a call on a descriptor of
  // somebody else, such as a connection that is being closed, would be a race.
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd", error)) {
    std::error_code gone;
    const auto target = std::filesystem::read_symlink(entry.path(), gone);
    if (gone || target != wanted) continue;
    ::posix_fadvise(std::atoi(entry.path().filename().c_str()), 0, 0, POSIX_FADV_DONTNEED);
  }
}

}  // namespace doorbuster::sqlite
