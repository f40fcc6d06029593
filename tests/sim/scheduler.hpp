#pragma once
// One thread of control with virtual time: the order of everything that happens follows from one seed.

#include <map>
#include <set>
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
    if (ended_.contains(life)) return;
    Timestamp when = now_ + delay;
    if (const auto stopped = stopped_.find(life); stopped != stopped_.end() && when < stopped->second)
      when = stopped->second;
    events_.emplace(Key{when, next_++}, Entry{life, std::move(work)});
  }
  void end_life(Life life) {
    ended_.insert(life);
    std::erase_if(events_, [life](const auto& event) { return event.second.life == life; });
  }
  /// SIGSTOP: what belongs to `life` waits until `until`.
  void stop_life(Life life, Timestamp until) {
    stopped_[life] = until;
    std::vector<std::pair<Key, Entry>> waiting;
    for (auto event = events_.begin(); event != events_.end() && event->first.first < until;) {
      auto next = std::next(event);
      if (event->second.life == life) {
        auto taken = events_.extract(event);
        waiting.emplace_back(Key{until, taken.key().second}, std::move(taken.mapped()));
      }
      event = next;
    }
    for (auto& [key, entry] : waiting) events_.emplace(key, std::move(entry));
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
  /// When the next event happens. \pre !empty()
  Timestamp next_at() const { return events_.begin()->first.first; }
  /// Time goes on to `moment`, if it is later and nothing happens before it.
  void pass_to(Timestamp moment) {
    if (now_ < moment && (events_.empty() || moment <= next_at())) now_ = moment;
  }

 private:
  using Key = std::pair<Timestamp, std::uint64_t>;
  struct Entry {
    Life life;
    Work work;
  };
  std::map<Key, Entry> events_;
  std::set<Life> ended_;
  std::map<Life, Timestamp> stopped_;
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
