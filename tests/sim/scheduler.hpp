#pragma once
// One thread of control with virtual time: the order of everything that happens follows from one seed.

#include <map>
#include <utility>
#include <vector>

#include "base/executor.hpp"
#include "base/random.hpp"

namespace doorbuster::sim {

/// Runs events in order of their virtual time; events of the same time in the order in which they were added.
/// Events belong to a life of the process: a crash drops all that its life has scheduled.
class Scheduler final : public Clock {
 public:
  using Life = std::uint64_t;

  Timestamp now() override { return now_; }
  /// Life 0 belongs to the world outside (clients, disk); it never ends.
  void at(Duration delay, Life life, Work work) {
    events_.emplace(Key{now_ + delay, next_++}, Entry{life, std::move(work)});
  }
  void end_life(Life life) {
    std::erase_if(events_, [life](const auto& event) { return event.second.life == life; });
  }
  /// Runs the next event. \returns false when there is none
  bool step() {
    if (events_.empty()) return false;
    auto first = events_.extract(events_.begin());
    now_ = first.key().first;
    first.mapped().work();
    return true;
  }
  bool empty() const { return events_.empty(); }

 private:
  using Key = std::pair<Timestamp, std::uint64_t>;
  struct Entry {
    Life life;
    Work work;
  };
  std::map<Key, Entry> events_;
  std::uint64_t next_ = 0;
  Timestamp now_ = Timestamp(std::chrono::sys_days(std::chrono::year(2026) / 11 / 27));
};

/// The shard of one life of the process.
class LifeExecutor final : public Executor {
 public:
  LifeExecutor(Scheduler& scheduler, Scheduler::Life life, SeededRandom& random)
      : scheduler_(scheduler), life_(life), random_(random) {}
  void post(Work work) override { scheduler_.at(Duration(random_.below(20)), life_, std::move(work)); }
  void defer(Work work) override { scheduler_.at(Duration(random_.below(300)), life_, std::move(work)); }
  void after(Duration delay, Work work) override { scheduler_.at(delay, life_, std::move(work)); }

 private:
  Scheduler& scheduler_;
  Scheduler::Life life_;
  SeededRandom& random_;
};

}  // namespace doorbuster::sim
