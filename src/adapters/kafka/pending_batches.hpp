#pragma once
// What has been handed to Kafka and not been answered: counts each append down to its completion, and knows
// how long the oldest waits. Thread-safe.

#include <atomic>
#include <list>
#include <mutex>
#include <string>

#include "base/clock.hpp"
#include "base/executor.hpp"

namespace doorbuster::kafka {

/// How one event ended.
enum class Delivery : std::uint8_t { acknowledged, not_sent, maybe_sent };

class PendingBatches {
 public:
  using Done = UniqueFunction<void(Result<void>)>;
  using Now = std::chrono::steady_clock::time_point;

  struct Batch {
    std::size_t events = 0;
    std::atomic<std::size_t> left{0};
    std::atomic<std::size_t> acknowledged{0};
    std::atomic<std::size_t> not_sent{0};
    Executor* on = nullptr;  ///< null: the completion runs where the last event is settled
    Done done;
    Now since{};
    std::list<Batch>::iterator self{};
  };

  explicit PendingBatches(std::size_t most_events) : most_events_(most_events) {}

  /// \returns null when the bound would be passed; `done` is untouched then
  Batch* begin(std::size_t events, Executor* on, Done& done);
  /// Tells the end of `count` events of a batch. The last one completes it, and the batch is gone.
  void settle(Batch* batch, Delivery delivery, const std::string& why = {}, std::size_t count = 1);
  /// Completes what is left, whatever its events do.
  void give_up(const std::string& why);

  std::size_t events() const { return events_.load(std::memory_order_relaxed); }
  bool nearly_full() const { return events() >= most_events_ - most_events_ / 8; }
  /// How long the oldest has waited; zero when there is none.
  Duration oldest_age() const;

  struct Counts {
    std::uint64_t events = 0, appends = 0, failures = 0;
    std::string last_error;
  };
  Counts counts() const;

 private:
  void complete(Batch* batch, const std::string& why);
  void note_oldest();  // mutex_ held

  const std::size_t most_events_;
  std::atomic<std::size_t> events_{0};
  std::atomic<std::int64_t> oldest_us_{0};  // of the steady clock; 0: none
  mutable std::mutex mutex_;                // guards what follows
  std::list<Batch> batches_;                // by the time of their begin
  Counts counts_;
};

}  // namespace doorbuster::kafka
