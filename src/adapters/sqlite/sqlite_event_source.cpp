#include "adapters/sqlite/sqlite_event_source.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <thread>

#include "adapters/sqlite/data_directory.hpp"

namespace doorbuster::sqlite {
namespace {

Result<Database> open_log(const std::string& path, const std::string& vfs) {
  auto database = Database::open(path, OpenMode::read_only, vfs);
  if (!database) return database.error();
  if (auto known = check_format(*database, kDataFormat, "an event log"); !known) return known.error();
  return database;
}

}  // namespace

Result<std::unique_ptr<SqliteEventSource>> SqliteEventSource::open(const std::string& path,
                                                                   std::shared_ptr<CommitSignal> signal,
                                                                   std::string vfs) {
  std::unique_ptr<SqliteEventSource> source(new SqliteEventSource(path, std::move(signal), std::move(vfs)));
  if (auto connected = source->connect(); !connected) return connected.error();
  return source;
}

Result<void> SqliteEventSource::connect() {
  if (reader_) return {};
  auto database = open_log(path_, vfs_);
  if (!database) return database.error();
  database_ = std::move(*database);
  auto reader = LogReader::make(database_);
  if (!reader) {
    database_.close();
    return reader.error();
  }
  reader_ = std::move(*reader);
  return {};
}

void SqliteEventSource::disconnect() {
  reader_.reset();
  database_.close();
}

Result<std::vector<LogRecord>> SqliteEventSource::read(LogPosition after, std::size_t max) {
  if (auto connected = connect(); !connected) return connected.error();
  const auto failed = [this](const Error& error) {
    const Error copy = error;
    disconnect();  // the next call starts with a connection that has seen no failure
    return copy;
  };
  if (auto sought = reader_->seek(after); !sought) {
    // Behind the end there is nothing to read; whoever holds such a position compares it with end().
    if (auto last = end(); last && after > *last) return std::vector<LogRecord>();
    return failed(sought.error());
  }
  std::vector<LogRecord> records;
  while (records.size() < max) {
    auto more = reader_->next(records.emplace_back());
    if (!more) return failed(more.error());
    if (!*more) {
      records.pop_back();
      break;
    }
  }
  reader_->pause();
  return records;
}

Result<LogPosition> SqliteEventSource::end() {
  if (auto connected = connect(); !connected) return connected.error();
  auto last = database_.query_integer("SELECT max(position) FROM event");
  if (!last) {
    disconnect();
    return last.error();
  }
  return static_cast<LogPosition>(*last);
}

void SqliteEventSource::wait(LogPosition after, Duration timeout) {
  if (signal_) return signal_->wait(after, timeout);
  constexpr Duration kPoll = std::chrono::milliseconds(10);
  for (auto left = timeout; left > Duration::zero(); left -= kPoll) {
    const auto last = end();
    if (!last || *last > after) return;
    std::this_thread::sleep_for(std::min(kPoll, left));
  }
}

Result<LogPosition> rebuild(const std::string& path, UniqueFunction<Result<void>(LogRecord&&)> each) {
  auto database = open_log(path, {});
  if (!database) return database.error();
  auto reader = LogReader::make(*database);
  if (!reader) return reader.error();
  LogRecord record;
  for (;;) {
    auto more = reader->next(record);
    if (!more) return more.error();
    if (!*more) return reader->end().position;
    const auto position = record.position;
    if (auto taken = each(std::move(record)); !taken) {
      return make_error(taken.error().code,
                        fmt::format("{}: position {}: {}", path, position, taken.error().detail));
    }
  }
}

}  // namespace doorbuster::sqlite
