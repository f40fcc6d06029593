#pragma once
// The reading side of log.db.

#include <string>
#include <vector>

#include "adapters/sqlite/log_schema.hpp"
#include "proto/event/event_bytes.hpp"

namespace doorbuster::sqlite {

/// Reads events in order and checks each row against the chain. One thread.
class LogReader {
 public:
  static Result<LogReader> make(Database& database);

  /// Continues behind `after`. \returns corrupt when there is no such position
  Result<void> seek(LogPosition after);
  /// False at the end. The read transaction stays open until pause(), seek() or the end.
  /// \returns corrupt with the position, unavailable
  Result<bool> next(LogRecord& record);
  /// Ends the read transaction, which otherwise keeps the write-ahead log from starting anew; next() goes on
  /// with a new one.
  void pause();

  LogPosition position() const { return position_; }
  /// Of the row that holds position(), whose other events next() may not have given yet.
  ChainEnd row_end() const { return row_end_; }

 private:
  Result<bool> next_row();
  Error broken(LogPosition position, std::string_view why) const;

  std::string path_;
  Statement scan_;
  Statement row_before_;
  ChainEnd row_end_;
  LogPosition position_ = 0;
  std::vector<char> bytes_;  // of the row, so that it outlives the read transaction
  event::BytesReader events_;
};

}  // namespace doorbuster::sqlite
