#include "adapters/sqlite/sqlite_event_log.hpp"

#include <fmt/format.h>
#include <pthread.h>

#include "adapters/sqlite/checkpointer.hpp"
#include "adapters/sqlite/log_file.hpp"
#include "adapters/sqlite/wal_space.hpp"
#include "base/log.hpp"

namespace doorbuster::sqlite {
namespace {

using Steady = std::chrono::steady_clock;

Error closed_error(const std::string& path, const std::string& why) {
  return make_error(ErrorCode::unavailable, fmt::format("{}: the log is closed ({})", path, why));
}

}  // namespace

Result<std::unique_ptr<SqliteEventLog>> SqliteEventLog::open(const std::string& path,
                                                             EventLogOptions options) {
  auto file = LogFile::open(path, options.vfs);
  if (!file) return file.error();
  if (options.reserved_bytes > 0) reserve_wal(path, options.reserved_bytes);
  std::unique_ptr<SqliteEventLog> log(new SqliteEventLog(std::move(*file), std::move(options)));
  log->path_ = path;
  auto* self = log.get();
  log->checkpointer_ = std::make_unique<Checkpointer>(path, log->options_.vfs, [self](const Error& error) {
    {
      std::lock_guard lock(self->mutex_);
      self->suspect_ = true;
      self->stats_.last_error = error.detail;
    }
    self->changed_.notify_one();
  });
  log->thread_ = std::thread([self] {
    pthread_setname_np(pthread_self(), "log");
    self->work();
  });
  return log;
}

SqliteEventLog::SqliteEventLog(std::unique_ptr<LogFile> file, EventLogOptions options)
    : options_(std::move(options)), file_(std::move(file)) {
  stats_.open = true;
  publish_definitions();
}

SqliteEventLog::~SqliteEventLog() {
  stop();
}

void SqliteEventLog::stop() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
    accepting_.store(false, std::memory_order_relaxed);
  }
  changed_.notify_one();
  if (thread_.joinable()) thread_.join();
}

std::size_t SqliteEventLog::events_in(const Item& item) {
  const auto* append = std::get_if<Append>(&item);
  return append == nullptr ? 1 : append->events.size();
}

void SqliteEventLog::answer(Item& item, const Result<void>& result) {
  std::visit(
      [&](auto& one) {
        auto* on = one.on;
        on->post([done = std::move(one.done), result]() mutable { done(std::move(result)); });
      },
      item);
}

bool SqliteEventLog::enqueue(Item& item, Error& refusal) {
  const auto events = events_in(item);
  bool wake = false;
  {
    std::lock_guard lock(mutex_);
    if (stopping_ || state_ != State::open) {
      refusal = closed_error(path_, stopping_ ? "the program is stopping" : stats_.last_error);
      return false;
    }
    // An empty queue takes a batch of any size: it was decided and must get through some day.
    if (queued_events_ != 0 && queued_events_ + events > options_.most_queued_events) {
      refusal = make_error(ErrorCode::overloaded,
                           fmt::format("{}: {} events are waiting to be written", path_, queued_events_));
      return false;
    }
    queue_.push_back(std::move(item));
    queued_events_ += events;
    if (queued_events_ >= options_.most_queued_events) accepting_.store(false, std::memory_order_relaxed);
    wake = queued_events_ >= wake_at_;
  }
  if (wake) changed_.notify_one();
  return true;
}

void SqliteEventLog::append(std::vector<CouponIssued> events, Executor& on, Appended done) {
  Item item = Append{std::move(events), &on, std::move(done)};
  Error refusal;
  if (!enqueue(item, refusal)) answer(item, refusal);
}

bool SqliteEventLog::accepting() const {
  return accepting_.load(std::memory_order_relaxed);
}

void SqliteEventLog::put(CampaignDefinition definition, Executor& on, Done<void> done) {
  Item item = Put{std::move(definition), &on, std::move(done), {}};
  Error refusal;
  if (!enqueue(item, refusal)) answer(item, refusal);
}

void SqliteEventLog::get(CampaignId id, Executor& on, Done<std::optional<CampaignDefinition>> done) {
  Result<std::optional<CampaignDefinition>> result = std::optional<CampaignDefinition>();
  {
    std::lock_guard lock(mutex_);
    if (state_ == State::closed) {
      result = closed_error(path_, stats_.last_error);
    } else if (const auto found = definitions_.find(id); found != definitions_.end()) {
      result = std::optional(found->second);
    }
  }
  on.post([done = std::move(done), result = std::move(result)]() mutable { done(std::move(result)); });
}

void SqliteEventLog::list(Executor& on, Done<std::vector<CampaignDefinition>> done) {
  Result<std::vector<CampaignDefinition>> result = std::vector<CampaignDefinition>();
  {
    std::lock_guard lock(mutex_);
    if (state_ == State::closed) {
      result = closed_error(path_, stats_.last_error);
    } else {
      for (const auto& [id, definition] : definitions_) result->push_back(definition);
    }
  }
  on.post([done = std::move(done), result = std::move(result)]() mutable { done(std::move(result)); });
}

EventLogStats SqliteEventLog::stats() const {
  std::lock_guard lock(mutex_);
  auto copy = stats_;
  copy.queued_events = queued_events_;
  copy.checkpoints = checkpointer_->completed();
  return copy;
}

void SqliteEventLog::publish_definitions() {
  auto all = file_->definitions();
  const auto end = file_->safe().position;
  {
    std::lock_guard lock(mutex_);
    definitions_.clear();
    for (auto& definition : all) definitions_.insert_or_assign(definition.id, std::move(definition));
    stats_.position = end;
  }
  signal_->publish(end);
}

void SqliteEventLog::work() {
  std::deque<Item> batch;
  while (wait_for_items(batch)) {
    if (!batch.empty()) commit(batch);
    batch.clear();
  }
  checkpointer_->stop();
  bool healthy = false;
  {
    std::lock_guard lock(mutex_);
    healthy = state_ == State::open;
    state_ = State::stopped;
    stats_.open = false;
  }
  if (healthy) {
    if (auto emptied = file_->checkpoint_and_truncate(); !emptied) log().warn("{}", emptied.error().detail);
  }
  file_.reset();
}

bool SqliteEventLog::wait_for_items(std::deque<Item>& batch) {
  std::unique_lock lock(mutex_);
  const auto interrupted = [this] { return stopping_ || suspect_; };
  // A timed sleep, not a spin: on a small machine the threads that send the next requests need this core.
  if (last_batch_events_ > options_.gather_above && options_.gather > Duration::zero()) {
    wake_at_ = last_batch_events_;
    changed_.wait_until(lock, last_commit_ + options_.gather,
                        [&] { return interrupted() || queued_events_ >= wake_at_; });
  }
  wake_at_ = 1;
  changed_.wait(lock, [&] { return interrupted() || !queue_.empty(); });
  wake_at_ = options_.most_queued_events + 1;  // nobody need wake a thread that is not asleep
  if (std::exchange(suspect_, false)) {
    const auto error = make_error(ErrorCode::unavailable, stats_.last_error);
    lock.unlock();
    fail(error);
    return reopen();
  }
  if (queue_.empty()) return false;  // stopping, and everything is written
  batch.swap(queue_);
  queued_events_ = 0;
  if (!stopping_) accepting_.store(true, std::memory_order_relaxed);
  return true;
}

void SqliteEventLog::commit(std::deque<Item>& batch) {
  std::size_t events = 0;
  for (const auto& item : batch) events += events_in(item);
  const auto start = Steady::now();
  bool reached_commit = false;
  auto written = write(batch, reached_commit);
  last_commit_ = Steady::now();
  last_batch_events_ = events;
  if (!written) {
    // Before the COMMIT nothing can have happened; from there on it may have.
    auto error = make_error(reached_commit ? ErrorCode::unknown_outcome : ErrorCode::unavailable,
                            written.error().detail);
    fail(error);
    for (auto& item : batch) answer(item, error);
    reopen();
    return;
  }
  bool definitions_changed = false;
  for (const auto& item : batch) definitions_changed |= std::holds_alternative<Put>(item);
  if (definitions_changed) publish_definitions();
  const auto took = std::chrono::duration_cast<Duration>(last_commit_ - start);
  {
    std::lock_guard lock(mutex_);
    ++stats_.commits;
    stats_.events += events;
    stats_.position = file_->safe().position;
    stats_.wal_bytes = file_->wal_bytes();
  }
  for (auto& item : batch) {
    const auto* put = std::get_if<Put>(&item);
    answer(item, put != nullptr && put->refused ? Result<void>(*put->refused) : Result<void>());
  }
  signal_->publish(file_->safe().position);
  if (options_.on_commit) options_.on_commit(took, events);
  keep_wal_small();
}

Result<void> SqliteEventLog::write(std::deque<Item>& batch, bool& reached_commit) {
  if (auto begun = file_->begin(); !begun) return begun;
  for (auto& item : batch) {
    if (auto* append = std::get_if<Append>(&item)) {
      if (auto added = file_->add(append->events); !added) return added;
      continue;
    }
    auto& put = std::get<Put>(item);
    const auto* there = file_->definition(put.definition.id);
    const auto revision = there == nullptr ? 0 : there->revision;
    if (put.definition.revision != revision + 1) {
      put.refused = make_error(ErrorCode::conflict,
                               fmt::format("campaign {} is at revision {}, so {} cannot be next",
                                           put.definition.id.text(), revision, put.definition.revision));
      continue;
    }
    if (auto added = file_->add(put.definition); !added) return added;
  }
  reached_commit = true;
  return file_->commit();
}

void SqliteEventLog::fail(const Error& error) {
  std::deque<Item> queued;
  {
    std::lock_guard lock(mutex_);
    state_ = State::closed;
    accepting_.store(false, std::memory_order_relaxed);
    stats_.open = false;
    ++stats_.failures;
    stats_.last_error = error.detail;
    queued.swap(queue_);
    queued_events_ = 0;
  }
  log().error("the event log is closed until it has been read back: {}", error.detail);
  const auto unavailable = closed_error(path_, error.detail);
  for (auto& item : queued) answer(item, unavailable);
}

bool SqliteEventLog::reopen() {
  file_->close();
  for (;;) {
    {
      std::unique_lock lock(mutex_);
      changed_.wait_for(lock, options_.reopen_every, [this] { return stopping_; });
      if (stopping_) return false;
      suspect_ = false;
    }
    auto opened = file_->reopen();
    if (opened) break;
    log().error("the event log stays closed: {}", opened.error().detail);
    std::lock_guard lock(mutex_);
    stats_.last_error = opened.error().detail;
  }
  publish_definitions();
  last_batch_events_ = 0;
  {
    std::lock_guard lock(mutex_);
    state_ = State::open;
    stats_.open = true;
    accepting_.store(!stopping_, std::memory_order_relaxed);
  }
  log().warn("{}: the event log is open again at position {}", path_, file_->safe().position);
  return true;
}

void SqliteEventLog::keep_wal_small() {
  const auto bytes = file_->wal_bytes();
  if (bytes < options_.checkpoint_bytes) {
    checkpoint_above_ = options_.checkpoint_bytes;
    return;
  }
  if (bytes < checkpoint_above_ || checkpointer_->busy()) return;
  checkpoint_above_ = bytes + options_.checkpoint_bytes;
  if (bytes < 4 * options_.checkpoint_bytes) {
    checkpointer_->request();
    return;
  }
  // The write-ahead log starts anew only when a commit finds all of it copied, and under steady load the
  // other thread is always a few commits behind. So, seldom, this thread copies the small rest itself.
  if (auto done = file_->checkpoint(); !done) {
    std::lock_guard lock(mutex_);
    suspect_ = true;
    stats_.last_error = done.error().detail;
  }
}

}  // namespace doorbuster::sqlite
