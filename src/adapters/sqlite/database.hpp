#pragma once
// A thin owner of an SQLite connection: prepared statements, binding, columns, transactions, and errors as
// Result. A connection and its statements belong to one thread at a time (SQLITE_OPEN_NOMUTEX: no lock
// inside).

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "base/error.hpp"

struct sqlite3;
struct sqlite3_stmt;

namespace doorbuster::sqlite {

enum class OpenMode : std::uint8_t {
  create,      ///< read and write, made when it is not there
  read_write,  ///< must be there
  read_only,   ///< must be there
};

/// The error for an SQLite result code, naming the file: `corrupt` for CORRUPT and NOTADB, else
/// `unavailable`.
Error sqlite_error(int code, std::string_view path, std::string_view doing);

/// A prepared statement. Views that columns give end with the next step() or reset().
class Statement {
 public:
  Statement() = default;
  Statement(sqlite3_stmt* statement, const std::string* path) : statement_(statement), path_(path) {}
  Statement(Statement&& other) noexcept;
  Statement& operator=(Statement&& other) noexcept;
  ~Statement();

  /// Parameters count from 1. Text and blobs are not copied: they must live until reset().
  void bind(int index, std::int64_t value);
  void bind_text(int index, std::string_view value);
  void bind_blob(int index, std::span<const std::uint8_t> value);
  void bind_null(int index);

  /// True: a row is there. False: done. A failure has reset the statement.
  Result<bool> step();
  /// For statements without rows: runs to the end and resets.
  Result<void> run();
  /// Ends the statement's read transaction; bound values stay.
  void reset();

  /// Columns count from 0.
  std::int64_t integer(int column) const;
  std::string_view text(int column) const;
  std::span<const std::uint8_t> blob(int column) const;
  bool is_null(int column) const;
  bool is_integer(int column) const;

 private:
  sqlite3_stmt* statement_ = nullptr;
  const std::string* path_ = nullptr;  // of the connection, for errors
};

class Database {
 public:
  Database() = default;
  Database(Database&& other) noexcept;
  Database& operator=(Database&& other) noexcept;
  ~Database();

  /// \param vfs name of an SQLite file system (tests put one that fails here); empty: the default
  static Result<Database> open(const std::string& path, OpenMode mode, const std::string& vfs = {});
  /// Closes; statements must be gone. The write-ahead log stays as it is: a connection that is closed because
  /// a write failed must not copy pages it cannot trust.
  void close();
  bool is_open() const { return connection_ != nullptr; }
  const std::string& path() const { return *path_; }

  Result<void> execute(const std::string& sql);
  Result<Statement> prepare(std::string_view sql);
  /// The first column of the first row of `sql`.
  Result<std::int64_t> query_integer(std::string_view sql);

  Result<void> begin();
  /// A failure leaves no transaction open; it may or may not have happened (see unknown()).
  Result<void> commit();
  /// Ends the transaction if SQLite has not done so by itself. Cannot fail in a way that matters.
  void rollback();

  /// Copies pages from the write-ahead log to the file without waiting for anybody.
  struct Checkpoint {
    std::int64_t log_frames = 0;
    std::int64_t copied_frames = 0;
  };
  Result<Checkpoint> checkpoint();
  /// The same to the end and truncates the write-ahead log; for an orderly stop.
  Result<void> checkpoint_and_truncate();

  /// Keeps the number of pages in the write-ahead log at `where` after each commit of this connection. SQLite
  /// then starts no checkpoint by itself.
  void count_wal_pages(std::int64_t* where);

  std::int64_t changes() const;

 private:
  sqlite3* connection_ = nullptr;
  const std::string* path_ = nullptr;  // on the heap: statements keep its address
};

/// BEGIN now, ROLLBACK at the end unless commit() was called.
class Transaction {
 public:
  explicit Transaction(Database& database) : database_(database) {}
  ~Transaction() {
    if (open_) database_.rollback();
  }
  Transaction(const Transaction&) = delete;
  Transaction& operator=(const Transaction&) = delete;
  Result<void> begin() {
    auto begun = database_.begin();
    open_ = begun.has_value();
    return begun;
  }
  Result<void> commit() {
    open_ = false;
    return database_.commit();
  }

 private:
  Database& database_;
  bool open_ = false;
};

/// Which versions of a file this build reads; it writes the newest.
struct FileFormats {
  int oldest = 1;
  int newest = 1;
};

/// Holds `PRAGMA user_version` against what this build reads; 0 stands for a new file.
/// \returns unsupported for an earlier or later one, with the numbers and the file
Result<void> check_format(Database& database, FileFormats known, std::string_view what);

/// Has the kernel forget the clean pages it keeps of a file that this process has open, so that the next read
/// tells what the disk has.
void drop_page_cache(const std::string& path);

}  // namespace doorbuster::sqlite
