#include "adapters/memory/memory_event_log.hpp"

#include <algorithm>
#include <utility>

namespace doorbuster {

void MemoryEventLog::append(std::vector<CouponIssued> events, Executor& on, Appended done) {
  std::vector<Event> all;
  all.reserve(events.size());
  for (CouponIssued& event : events) all.emplace_back(std::move(event));
  append_if([](const auto&) { return Result<void>(); }, std::move(all), on, std::move(done));
}

void MemoryEventLog::append_if(const Admit& admit, std::vector<Event> events, Executor& on, Appended done) {
  std::vector<Waiting> safe;
  {
    std::unique_lock lock(mutex_);
    Result<void> admitted;
    if (refusal_) {
      admitted = make_error(*std::exchange(refusal_, std::nullopt), "the log refuses this append");
    } else if (!open_) {
      admitted = make_error(ErrorCode::unavailable, "the log is closed");
    } else if (waiting_.size() >= most_waiting_) {
      admitted = make_error(ErrorCode::overloaded, "too many appends wait for the log");
    } else {
      admitted = admit(written_);
    }
    if (!admitted) {
      lock.unlock();
      return answer({&on, std::move(done)}, std::move(admitted));
    }
    std::move(events.begin(), events.end(), std::back_inserter(written_));
    waiting_.push_back({&on, std::move(done)});
    if (!held_) safe = make_safe();
  }
  for (Waiting& waiting : safe) answer(std::move(waiting), {});
}

bool MemoryEventLog::accepting() const {
  std::lock_guard lock(mutex_);
  return open_ && waiting_.size() < most_waiting_;
}

Result<std::vector<LogRecord>> MemoryEventLog::read(LogPosition after, std::size_t max) {
  std::lock_guard lock(mutex_);
  std::vector<LogRecord> records;
  for (std::size_t i = after; i < safe_ && records.size() < max; ++i) records.push_back({i + 1, written_[i]});
  return records;
}

Result<LogPosition> MemoryEventLog::end() {
  std::lock_guard lock(mutex_);
  return LogPosition{safe_};
}

void MemoryEventLog::wait(LogPosition after, Duration timeout) {
  std::unique_lock lock(mutex_);
  grown_.wait_for(lock, timeout, [&] { return safe_ > after; });
}

void MemoryEventLog::hold() {
  std::lock_guard lock(mutex_);
  held_ = true;
}

void MemoryEventLog::release() {
  {
    std::lock_guard lock(mutex_);
    held_ = false;
  }
  sync();
}

std::size_t MemoryEventLog::sync() {
  std::vector<Waiting> safe;
  {
    std::lock_guard lock(mutex_);
    safe = make_safe();
  }
  for (Waiting& waiting : safe) answer(std::move(waiting), {});
  return safe.size();
}

void MemoryEventLog::fail_sync(bool keep_written) {
  std::vector<Waiting> told;
  {
    std::lock_guard lock(mutex_);
    if (keep_written) {
      told = make_safe();
    } else {
      written_.resize(safe_);
      told = std::exchange(waiting_, {});
    }
  }
  for (Waiting& waiting : told) {
    answer(std::move(waiting),
           make_error(ErrorCode::unknown_outcome, "it is not known whether the log has it"));
  }
}

void MemoryEventLog::refuse_next(ErrorCode code) {
  std::lock_guard lock(mutex_);
  refusal_ = code;
}

void MemoryEventLog::set_open(bool open) {
  std::lock_guard lock(mutex_);
  open_ = open;
}

void MemoryEventLog::crash() {
  std::vector<Waiting> unanswered;  // destroyed when the lock is free again: a completion may own anything
  std::lock_guard lock(mutex_);
  written_.resize(safe_);
  unanswered.swap(waiting_);
  refusal_.reset();
  held_ = false;
  open_ = true;
}

std::size_t MemoryEventLog::waiting() const {
  std::lock_guard lock(mutex_);
  return waiting_.size();
}

void MemoryEventLog::answer(Waiting waiting, Result<void> result) {
  waiting.on->post(
      [done = std::move(waiting.done), result = std::move(result)]() mutable { done(std::move(result)); });
}

std::vector<MemoryEventLog::Waiting> MemoryEventLog::make_safe() {
  safe_ = written_.size();
  grown_.notify_all();
  return std::exchange(waiting_, {});
}

}  // namespace doorbuster
