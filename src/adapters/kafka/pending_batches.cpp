#include "adapters/kafka/pending_batches.hpp"

#include <fmt/format.h>

namespace doorbuster::kafka {
namespace {

std::int64_t in_microseconds(std::chrono::steady_clock::time_point time) {
  return std::chrono::duration_cast<Duration>(time.time_since_epoch()).count();
}

}  // namespace

PendingBatches::Batch* PendingBatches::begin(std::size_t events, Executor* on, Done& done) {
  if (events_.fetch_add(events, std::memory_order_relaxed) + events > most_events_) {
    events_.fetch_sub(events, std::memory_order_relaxed);
    return nullptr;
  }
  std::lock_guard lock(mutex_);
  const auto batch = batches_.emplace(batches_.end());
  batch->events = events;
  batch->left = events;
  batch->on = on;
  batch->done = std::move(done);
  batch->since = std::chrono::steady_clock::now();
  batch->self = batch;
  if (batches_.size() == 1) note_oldest();
  return &*batch;
}

void PendingBatches::settle(Batch* batch, Delivery delivery, const std::string& why, std::size_t count) {
  if (count == 0) return;
  if (delivery == Delivery::acknowledged) batch->acknowledged.fetch_add(count, std::memory_order_relaxed);
  if (delivery == Delivery::not_sent) batch->not_sent.fetch_add(count, std::memory_order_relaxed);
  if (batch->left.fetch_sub(count, std::memory_order_acq_rel) == count) complete(batch, why);
}

void PendingBatches::complete(Batch* batch, const std::string& why) {
  Result<void> result;
  Executor* on = nullptr;
  Done done;
  {
    std::lock_guard lock(mutex_);
    if (batch->not_sent == batch->events) {
      result = make_error(ErrorCode::unavailable, fmt::format("kafka: nothing was sent: {}", why));
    } else if (batch->acknowledged != batch->events) {
      result =
          make_error(ErrorCode::unknown_outcome,
                     fmt::format("kafka: {} of {} events are acknowledged; the others may be in the log: {}",
                                 batch->acknowledged.load(), batch->events, why));
    }
    on = batch->on;
    done = std::move(batch->done);
    events_.fetch_sub(batch->events, std::memory_order_relaxed);
    ++counts_.appends;
    counts_.events += batch->acknowledged;
    if (!result) {
      ++counts_.failures;
      counts_.last_error = result.error().detail;
    }
    const bool was_oldest = batch->self == batches_.begin();
    batches_.erase(batch->self);
    if (was_oldest) note_oldest();
  }
  if (on == nullptr) return done(std::move(result));
  on->post([done = std::move(done), result = std::move(result)]() mutable { done(std::move(result)); });
}

void PendingBatches::give_up(const std::string& why) {
  for (;;) {
    Batch* batch = nullptr;
    {
      std::lock_guard lock(mutex_);
      if (batches_.empty()) return;
      batch = &batches_.front();
    }
    complete(batch, why);
  }
}

void PendingBatches::note_oldest() {
  oldest_us_.store(batches_.empty() ? 0 : in_microseconds(batches_.front().since), std::memory_order_relaxed);
}

Duration PendingBatches::oldest_age() const {
  const auto since = oldest_us_.load(std::memory_order_relaxed);
  return since == 0 ? Duration{} : Duration{in_microseconds(std::chrono::steady_clock::now()) - since};
}

PendingBatches::Counts PendingBatches::counts() const {
  std::lock_guard lock(mutex_);
  return counts_;
}

}  // namespace doorbuster::kafka
