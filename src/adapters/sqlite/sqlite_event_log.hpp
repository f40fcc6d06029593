#pragma once
// The event log and the campaign catalog of the embedded system: log.db, written by one thread named `log`.
//
// Invariants
//  1. A completion says success only after the fsync of the commit that holds its events (synchronous=FULL).
//  2. Everything queued goes into one transaction, in the order of the calls.
//  3. After a failed commit the log is closed: what is queued fails with `unavailable`, what was in the
//  transaction
//     with `unknown_outcome`, and nothing is written until the file has been opened anew and read back (rule
//     8 of consistency.md).
//  4. A definition and its event are in the same transaction.

#include <atomic>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <unordered_map>
#include <variant>
#include <vector>

#include "adapters/sqlite/commit_signal.hpp"
#include "ports/campaign_catalog.hpp"
#include "ports/event_log.hpp"

namespace doorbuster::sqlite {

class LogFile;
class Checkpointer;

/// What the write-ahead log grows to with the checkpoint_bytes below: at four times these the log's thread
/// copies the rest itself, and the next commit starts anew. The last commits before need some room, too.
inline constexpr std::int64_t kMostWalBytes = std::int64_t{18} << 20;

struct EventLogOptions {
  /// Bound of the queue. Beyond it appends are refused with `overloaded`.
  std::size_t most_queued_events = 65536;
  /// How long the thread waits, after a commit, for the requests of those it has just answered. Their next
  /// requests come within that time; committed at once, the first few of them would pay for an fsync of their
  /// own, the rest would wait for it, and batches would stay small. Zero: never.
  Duration gather{200};
  /// It waits only when the last commit had more events than this: a lone user never pays for it.
  std::size_t gather_above = 8;
  /// A checkpoint is started when the write-ahead log has grown to this size.
  std::int64_t checkpoint_bytes = std::int64_t{4} << 20;
  /// Size that the write-ahead log gets beforehand, where the disk has room (wal_space.hpp). Zero: none.
  std::int64_t reserved_bytes = 0;
  Duration reopen_every = std::chrono::seconds(1);
  /// SQLite file system, for tests; empty: the default.
  std::string vfs;
  /// Told on the log's thread of each commit: how long it took, from BEGIN to the fsync, and its events.
  UniqueFunction<void(Duration, std::size_t)> on_commit;
};

struct EventLogStats {
  std::uint64_t commits = 0;
  std::uint64_t events = 0;    ///< committed by this process
  std::uint64_t failures = 0;  ///< how often a failed write has closed the log
  std::uint64_t checkpoints = 0;
  std::int64_t wal_bytes = 0;  ///< size in use of the write-ahead log
  std::size_t queued_events = 0;
  LogPosition position = 0;  ///< last safe one
  bool open = false;
  std::string last_error;  ///< stays after the log has opened again
};

/// Thread-safe. Executors that were given must live until stop() returns.
class SqliteEventLog final : public EventLog, public CampaignCatalog {
 public:
  /// Opens or makes log.db, checks its tail, starts the threads. The data folder must be locked by the
  /// caller. \returns unsupported, corrupt, unavailable
  static Result<std::unique_ptr<SqliteEventLog>> open(const std::string& path, EventLogOptions options = {});
  ~SqliteEventLog() override;
  SqliteEventLog(const SqliteEventLog&) = delete;
  SqliteEventLog& operator=(const SqliteEventLog&) = delete;

  void append(std::vector<CouponIssued> events, Executor& on, Appended done) override;
  bool accepting() const override;

  void put(CampaignDefinition definition, Executor& on, Done<void> done) override;
  /// While the log is closed: `unavailable`, because the truth has not been read back.
  void get(CampaignId id, Executor& on, Done<std::optional<CampaignDefinition>> done) override;
  void list(Executor& on, Done<std::vector<CampaignDefinition>> done) override;

  /// Commits what is queued, empties the write-ahead log into the file, ends the threads. Calls from then on
  /// are answered `unavailable`. Told again: no effect.
  void stop();

  EventLogStats stats() const;
  /// For an EventSource in this process.
  std::shared_ptr<CommitSignal> signal() const { return signal_; }

 private:
  struct Append {
    std::vector<CouponIssued> events;
    Executor* on;
    Appended done;
  };
  struct Put {
    CampaignDefinition definition;
    Executor* on;
    Done<void> done;
    std::optional<Error> refused;
  };
  using Item = std::variant<Append, Put>;
  enum class State : std::uint8_t { open, closed, stopped };

  SqliteEventLog(std::unique_ptr<LogFile> file, EventLogOptions options);
  static std::size_t events_in(const Item& item);
  static void answer(Item& item, const Result<void>& result);
  bool enqueue(Item& item, Error& refusal);
  void work();
  bool wait_for_items(std::deque<Item>& batch);
  void commit(std::deque<Item>& batch);
  Result<void> write(std::deque<Item>& batch, bool& reached_commit);
  void fail(const Error& error);
  bool reopen();
  void keep_wal_small();
  void publish_definitions();

  EventLogOptions options_;
  std::string path_;
  std::shared_ptr<CommitSignal> signal_ = std::make_shared<CommitSignal>();

  // Of the log thread.
  std::unique_ptr<LogFile> file_;
  std::size_t last_batch_events_ = 0;
  std::chrono::steady_clock::time_point last_commit_{};
  std::int64_t checkpoint_above_ = 0;  // size of the write-ahead log at which the next one starts

  mutable std::mutex mutex_;  // guards everything down to accepting_
  std::condition_variable changed_;
  std::deque<Item> queue_;
  std::size_t queued_events_ = 0;
  std::size_t wake_at_ = 1;  // the thread sleeps until so many events are queued
  State state_ = State::open;
  bool stopping_ = false;
  bool suspect_ = false;  // a checkpoint has failed: the file is to be read back
  EventLogStats stats_;
  std::unordered_map<CampaignId, CampaignDefinition> definitions_;

  std::atomic<bool> accepting_{true};
  std::unique_ptr<Checkpointer> checkpointer_;
  std::thread thread_;
};

}  // namespace doorbuster::sqlite
