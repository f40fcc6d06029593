#pragma once
// A log and a store in memory that fail when told to; for the tests of this folder.

#include <condition_variable>
#include <map>
#include <mutex>
#include <optional>

#include "ports/coupon_repository.hpp"
#include "ports/event_log.hpp"

namespace doorbuster::worker {

inline CouponIssued coupon_event(std::uint64_t sequence) {
  CouponIssued event;
  event.campaign = *CampaignId::parse("drop");
  event.coupon.sequence = sequence;
  event.coupon.user = UserId::from_integer(sequence);
  return event;
}

/// Thread-safe.
class FakeSource final : public EventSource {
 public:
  void grow(std::size_t records) {
    {
      std::lock_guard lock(mutex_);
      for (; records > 0; --records)
        records_.push_back({records_.size() + 1, coupon_event(records_.size() + 1)});
    }
    grown_.notify_all();
  }
  void fail_with(std::optional<Error> error) {
    std::lock_guard lock(mutex_);
    error_ = std::move(error);
  }

  Result<std::vector<LogRecord>> read(LogPosition after, std::size_t max) override {
    std::lock_guard lock(mutex_);
    if (error_) return *error_;
    std::vector<LogRecord> found;
    for (auto at = after; at < records_.size() && found.size() < max; ++at) found.push_back(records_[at]);
    return found;
  }
  Result<LogPosition> end() override {
    std::lock_guard lock(mutex_);
    if (error_) return *error_;
    return records_.size();
  }
  void wait(LogPosition after, Duration timeout) override {
    std::unique_lock lock(mutex_);
    grown_.wait_for(lock, timeout, [&] { return records_.size() > after; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable grown_;
  std::vector<LogRecord> records_;
  std::optional<Error> error_;
};

/// Thread-safe.
class FakeStore final : public CouponStore {
 public:
  void fail_next(std::size_t times) {
    std::lock_guard lock(mutex_);
    failures_ = times;
  }
  void start_at(LogPosition position) { position_ = position; }
  bool wait_for_rows(std::size_t rows) {
    std::unique_lock lock(mutex_);
    return stored_.wait_for(lock, std::chrono::seconds(20), [&] { return rows_.size() >= rows; });
  }
  bool wait_for_failures_used_up() {
    std::unique_lock lock(mutex_);
    return stored_.wait_for(lock, std::chrono::seconds(20), [&] { return failures_ == 0; });
  }
  std::map<LogPosition, LogRecord> rows() {
    std::lock_guard lock(mutex_);
    return rows_;
  }

  Result<void> store(const std::vector<LogRecord>& records) override {
    std::lock_guard lock(mutex_);
    if (failures_ > 0) {
      --failures_;
      stored_.notify_all();
      return make_error(ErrorCode::unavailable, "told to fail");
    }
    for (const auto& record : records) rows_.insert_or_assign(record.position, record);
    position_ = std::max(position_, records.back().position);
    stored_.notify_all();
    return {};
  }
  Result<LogPosition> stored_through() override {
    std::lock_guard lock(mutex_);
    return position_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable stored_;
  std::map<LogPosition, LogRecord> rows_;
  LogPosition position_ = 0;
  std::size_t failures_ = 0;
};

}  // namespace doorbuster::worker
