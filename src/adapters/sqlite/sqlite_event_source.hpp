#pragma once
// The reading side of log.db: for the worker, for audit, and for the rebuild of the ledger at start.
// Readers see a commit only after its fsync: SQLite puts it into the index of the write-ahead log afterwards.

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "adapters/sqlite/commit_signal.hpp"
#include "adapters/sqlite/log_reader.hpp"
#include "ports/event_log.hpp"

namespace doorbuster::sqlite {

/// One thread. Each read() is a transaction of its own, so that the write-ahead log can start anew behind it.
class SqliteEventSource final : public EventSource {
 public:
  /// \param signal of the log in this process; without one the source asks the file every 10 ms
  /// \returns unavailable (no such file), unsupported, corrupt
  static Result<std::unique_ptr<SqliteEventSource>> open(const std::string& path,
                                                         std::shared_ptr<CommitSignal> signal = nullptr,
                                                         std::string vfs = {});

  Result<std::vector<LogRecord>> read(LogPosition after, std::size_t max) override;
  Result<LogPosition> end() override;
  void wait(LogPosition after, Duration timeout) override;

 private:
  SqliteEventSource(std::string path, std::shared_ptr<CommitSignal> signal, std::string vfs)
      : path_(std::move(path)), signal_(std::move(signal)), vfs_(std::move(vfs)) {}
  Result<void> connect();
  void disconnect();

  std::string path_;
  std::shared_ptr<CommitSignal> signal_;
  std::string vfs_;
  Database database_;
  std::optional<LogReader> reader_;
};

/// Reads the whole log on a thread of its own, checking the chain, and gives each record to `each` on this
/// one; a failure of `each` ends it. Copy or move out what is kept: the objects are used again.
/// \returns the last position; corrupt with file and position, unsupported, unavailable
Result<LogPosition> rebuild(const std::string& path, UniqueFunction<Result<void>(LogRecord&&)> each);

}  // namespace doorbuster::sqlite
