#include "adapters/sqlite/sqlite_event_source.hpp"

#include <fmt/format.h>
#include <pthread.h>

#include <algorithm>
#include <array>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>

#include "adapters/sqlite/data_directory.hpp"

namespace doorbuster::sqlite {
namespace {

Result<Database> open_log(const std::string& path, const std::string& vfs) {
  auto database = Database::open(path, OpenMode::read_only, vfs);
  if (!database) return database.error();
  if (auto known = check_format(*database, kLogFormats, "an event log"); !known) return known.error();
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
  auto last = database_.query_integer("SELECT max(last) FROM batch");
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

namespace {

constexpr std::size_t kBatchRecords = 2'048;
constexpr std::size_t kBatches = 3;

/// A few batches that go round between the thread that reads and the one that takes the records in. They are
/// used again, so that reading allocates nothing.
class Batches {
 public:
  struct Batch {
    std::vector<LogRecord> records = std::vector<LogRecord>(kBatchRecords);
    std::size_t used = 0;
  };

  /// An empty batch to be filled; null when nobody takes any more.
  Batch* take_empty() { return take(empty_); }
  void put_full(Batch& batch) { put(full_, batch); }
  /// The next full one in order; null when there will be no more.
  Batch* take_full() { return take(full_); }
  void put_empty(Batch& batch) { put(empty_, batch); }

  /// The reader's last word: what is full is still taken.
  void finish() {
    const std::lock_guard lock(mutex_);
    finished_ = true;
    changed_.notify_all();
  }
  /// The taker's last word.
  void abandon() {
    const std::lock_guard lock(mutex_);
    finished_ = abandoned_ = true;
    changed_.notify_all();
  }

 private:
  Batch* take(std::deque<Batch*>& from) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return abandoned_ || !from.empty() || (finished_ && &from == &full_); });
    if (abandoned_ || from.empty()) return nullptr;
    auto* taken = from.front();
    from.pop_front();
    return taken;
  }
  void put(std::deque<Batch*>& to, Batch& batch) {
    const std::lock_guard lock(mutex_);
    to.push_back(&batch);
    changed_.notify_all();
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::array<Batch, kBatches> all_;
  std::deque<Batch*> empty_{&all_[0], &all_[1], &all_[2]};
  std::deque<Batch*> full_;
  bool finished_ = false;
  bool abandoned_ = false;
};

Result<LogPosition> read_all(LogReader& reader, Batches& batches) {
  while (auto* batch = batches.take_empty()) {
    batch->used = 0;
    Result<bool> more = true;
    while (batch->used < kBatchRecords) {
      more = reader.next(batch->records[batch->used]);
      if (!more || !*more) break;
      ++batch->used;
    }
    // However long the taker takes: the write-ahead log of a system that runs must start anew meanwhile.
    reader.pause();
    batches.put_full(*batch);
    if (!more) return more.error();
    if (!*more) break;
  }
  return reader.position();
}

}  // namespace

Result<LogPosition> rebuild(const std::string& path, UniqueFunction<Result<void>(LogRecord&&)> each) {
  auto database = open_log(path, {});
  if (!database) return database.error();
  auto reader = LogReader::make(*database);
  if (!reader) return reader.error();
  // Reading and checking a row costs four times as much as taking it in. With two threads a start takes as
  // long as the reading alone.
  Batches batches;
  Result<LogPosition> read = LogPosition{0};
  std::thread reading([&] {
    pthread_setname_np(pthread_self(), "rebuild");
    read = read_all(*reader, batches);
    batches.finish();
  });
  Result<void> taken;
  while (auto* batch = taken ? batches.take_full() : nullptr) {
    for (std::size_t i = 0; i < batch->used && taken; ++i) {
      const auto position = batch->records[i].position;
      taken = each(std::move(batch->records[i]));
      if (taken) continue;
      taken = make_error(taken.error().code,
                         fmt::format("{}: position {}: {}", path, position, taken.error().detail));
    }
    batches.put_empty(*batch);
  }
  batches.abandon();
  reading.join();
  if (!taken) return taken.error();
  return read;
}

}  // namespace doorbuster::sqlite
