#pragma once
// A thin owner of a connection to MariaDB or MySQL: prepared statements with binary parameters, transactions,
// deadlines, and errors as Result. One thread at a time.
//
// Invariants
//  1. Every call ends within its deadline: connect, read and write have timeouts, locks are waited for at
//  most
//     lock_timeout.
//  2. A statement that wrote and whose answer was lost is `unknown_outcome` when it stood alone, and
//     `unavailable` inside a transaction: that was not committed. A lost COMMIT is `unknown_outcome`.
//  3. A connection that was lost is never used again: lost() stays true.
//
// Errors: conflict (a unique key has it already), unavailable (no connection, deadlock, lock not given in
// time, any other refusal of the server), unknown_outcome. The detail says which server; `field` is the key
// of the configuration when the connection could not be made.

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <variant>

#include "adapters/mariadb/server_options.hpp"
#include "base/error.hpp"

namespace doorbuster::mariadb {

enum class Access : std::uint8_t {
  read_write,
  read_only,  ///< the server refuses every write of this session
};

/// What a parameter is bound to. Text and bytes are not copied: they live until the call returns.
using Value = std::variant<std::nullptr_t, std::int64_t, std::uint64_t, std::string_view>;

/// A row of a result; it and its views live until the visitor returns. Columns count from 0.
class Row {
 public:
  virtual ~Row() = default;
  virtual bool is_null(unsigned column) const = 0;
  virtual std::int64_t integer(unsigned column) const = 0;
  virtual std::string_view text(unsigned column) const = 0;
  std::uint64_t number(unsigned column) const { return static_cast<std::uint64_t>(integer(column)); }
};

/// A failure ends the reading, and is what it returns.
using EachRow = std::function<Result<void>(const Row& row)>;

class Connection {
 public:
  /// \returns unavailable (nobody answers, wrong password, no such database), with the key in `field`
  static Result<std::unique_ptr<Connection>> open(const ServerOptions& options,
                                                  Access access = Access::read_write);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  /// Runs a statement that has no rows. Prepared once and kept. \returns how many rows it met
  Result<std::uint64_t> run(std::string_view sql, std::span<const Value> parameters);
  Result<std::uint64_t> run(std::string_view sql, std::initializer_list<Value> parameters = {}) {
    return run(sql, std::span(parameters.begin(), parameters.size()));
  }
  /// Reads the result to its end, which is held in memory.
  Result<void> rows(std::string_view sql, std::span<const Value> parameters, const EachRow& each);
  Result<void> rows(std::string_view sql, std::initializer_list<Value> parameters, const EachRow& each) {
    return rows(sql, std::span(parameters.begin(), parameters.size()), each);
  }
  /// The same, row by row as the server sends them: for results of any length. The visitor leaves this
  /// connection alone.
  Result<void> stream(std::string_view sql, std::initializer_list<Value> parameters, const EachRow& each);
  /// The first column of the first row; nullopt without rows or when it is NULL.
  Result<std::optional<std::int64_t>> integer(std::string_view sql,
                                              std::initializer_list<Value> parameters = {});
  /// As it is, without parameters, not prepared; for statements that are run once.
  Result<void> execute(std::string_view sql);

  Result<void> begin();
  /// A failure leaves no transaction open.
  Result<void> commit();
  /// Cannot fail in a way that matters: a lost connection has rolled back.
  void rollback();

  bool lost() const { return lost_; }
  /// The statement that failed last was refused for its values (too long, against a constraint or a trigger):
  /// another time it would be refused again.
  bool values_refused() const { return values_refused_; }
  /// False when the server has hung up since the last call. No message is sent.
  bool seems_alive() const;
  /// `127.0.0.1:3306`, for messages.
  const std::string& place() const { return place_; }

 private:
  struct Statement;
  struct Library;

  explicit Connection(const ServerOptions& options);
  Result<void> connect(const ServerOptions& options, Access access);
  Result<Statement*> prepared(std::string_view sql);
  Result<void> read(std::string_view sql, std::span<const Value> parameters, const EachRow& each,
                    bool streamed);
  Error connect_error(const ServerOptions& options) const;
  enum class Phase : std::uint8_t { reading, writing, committing };
  Error error(unsigned number, const char* state, const char* text, Phase phase);
  Error statement_error(const Statement& statement, Phase phase);
  Error own_error(Phase phase);

  std::unique_ptr<Library> library_;  // the connection of libmariadb
  std::unordered_map<std::string, std::unique_ptr<Statement>> statements_;
  std::string place_;
  bool in_transaction_ = false;
  bool lost_ = false;
  bool values_refused_ = false;
};

/// BEGIN by begin(), ROLLBACK at the end unless commit() was called.
class Transaction {
 public:
  explicit Transaction(Connection& connection) : connection_(connection) {}
  ~Transaction() {
    if (open_) connection_.rollback();
  }
  Transaction(const Transaction&) = delete;
  Transaction& operator=(const Transaction&) = delete;
  Result<void> begin() {
    auto begun = connection_.begin();
    open_ = begun.has_value();
    return begun;
  }
  Result<void> commit() {
    open_ = false;
    return connection_.commit();
  }

 private:
  Connection& connection_;
  bool open_ = false;
};

/// `(?,?),(?,?)`: `rows` times a list of `columns` parameters.
std::string placeholders(std::size_t rows, std::size_t columns);

}  // namespace doorbuster::mariadb
