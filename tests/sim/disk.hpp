#pragma once
// What outlives the process in the simulator: a log and a repository, each with what is safe and what is not
// yet.

#include <deque>
#include <map>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "ports/campaign_catalog.hpp"
#include "ports/coupon_repository.hpp"
#include "ports/event_log.hpp"
#include "tests/sim/scheduler.hpp"

namespace doorbuster::sim {

/// The files. A crash keeps what is here.
struct Disk {
  std::vector<Event> log;  // safe; position = index + 1
  std::map<CampaignId, CampaignDefinition> catalog;
  std::map<std::pair<CampaignId, UserId>, StoredCoupon> rows;
  std::set<std::pair<CampaignId, std::uint64_t>> sequences;
  LogPosition stored_through = 0;
  std::vector<DeadLetter> dead_letters;
};

/// How badly the disk behaves.
struct DiskFaults {
  std::uint64_t unknown_percent = 0;  ///< of commits end without an answer, half of them written
  std::uint64_t refused_percent = 0;  ///< of commits are refused, not written
  Duration slowest_commit = std::chrono::milliseconds(5);
};

/// Event log and catalog with group commit on a modelled disk: what is queued while a commit runs is the next
/// one.
class SimLog final : public EventLog, public CampaignCatalog {
 public:
  SimLog(Scheduler& scheduler, Scheduler::Life life, SeededRandom& random, Disk& disk,
         const DiskFaults& faults)
      : scheduler_(scheduler), life_(life), random_(random), disk_(disk), faults_(faults) {}

  void append(std::vector<CouponIssued> events, Executor& on, Appended done) override {
    Entry entry;
    entry.on = &on;
    entry.done = std::move(done);
    for (auto& event : events) entry.events.emplace_back(std::move(event));
    enqueue(std::move(entry));
  }
  bool accepting() const override { return closed_until_ <= scheduler_.now() && queue_.size() < 64; }

  void put(CampaignDefinition definition, Executor& on, Done<void> done) override {
    Entry entry;
    entry.on = &on;
    entry.done = std::move(done);
    entry.definition = definition;
    entry.events.emplace_back(CampaignChanged{definition});
    enqueue(std::move(entry));
  }
  void get(CampaignId id, Executor& on, Done<std::optional<CampaignDefinition>> done) override {
    const bool fails = random_.below(100) < faults_.refused_percent;
    scheduler_.at(
        Duration(random_.below(3000)), life_, [this, id, fails, &on, done = std::move(done)]() mutable {
          Result<std::optional<CampaignDefinition>> result = std::optional<CampaignDefinition>();
          if (fails || !queue_.empty() || committing_) {
            result = make_error(ErrorCode::unavailable, "the disk is busy failing");
          } else if (const auto found = disk_.catalog.find(id); found != disk_.catalog.end()) {
            result = std::optional(found->second);
          }
          on.post(
              [done = std::move(done), result = std::move(result)]() mutable { done(std::move(result)); });
        });
  }
  void list(Executor& on, Done<std::vector<CampaignDefinition>> done) override {
    std::vector<CampaignDefinition> all;
    for (const auto& [id, definition] : disk_.catalog) all.push_back(definition);
    on.post([done = std::move(done), all = std::move(all)]() mutable { done(std::move(all)); });
  }

  /// The process dies now: of the commit that runs, all or nothing is on the disk.
  void crash() {
    if (committing_ && random_.below(2) == 0) write_batch();
  }

 private:
  struct Entry {
    std::vector<Event> events;
    std::optional<CampaignDefinition> definition;
    Executor* on = nullptr;
    Appended done;
  };

  void enqueue(Entry entry) {
    queue_.push_back(std::move(entry));
    if (!committing_) commit();
  }

  void commit() {
    committing_ = true;
    batch_ = std::exchange(queue_, {});
    const auto longest = static_cast<std::uint64_t>(faults_.slowest_commit.count());
    scheduler_.at(Duration(50 + random_.below(longest)), life_, [this] { committed(); });
  }

  void committed() {
    const auto dice = random_.below(100);
    std::optional<Error> error;
    if (dice < faults_.unknown_percent) {
      if (random_.below(2) == 0) write_batch();
      error = make_error(ErrorCode::unknown_outcome, "the commit's outcome is not known");
    } else if (dice < faults_.unknown_percent + faults_.refused_percent) {
      error = make_error(ErrorCode::unavailable, "the disk is full");
    } else {
      write_batch();
    }
    if (error) closed_until_ = scheduler_.now() + Duration(random_.below(20'000));
    for (auto& entry : batch_) {
      Result<void> result;
      if (error) {
        result = *error;
      } else if (entry.events.empty()) {
        result = make_error(ErrorCode::conflict, "the revision does not follow");
      }
      entry.on->post(
          [done = std::move(entry.done), result = std::move(result)]() mutable { done(std::move(result)); });
    }
    batch_.clear();
    committing_ = false;
    if (!queue_.empty()) commit();
  }

  void write_batch() {
    for (auto& entry : batch_) {
      if (entry.definition) {
        const auto there = disk_.catalog.find(entry.definition->id);
        const std::uint32_t before = there == disk_.catalog.end() ? 0 : there->second.revision;
        if (entry.definition->revision != before + 1) {
          entry.events.clear();  // read as a conflict in committed()
          continue;
        }
        disk_.catalog[entry.definition->id] = *entry.definition;
      }
      for (const auto& event : entry.events) disk_.log.push_back(event);
    }
  }

  Scheduler& scheduler_;
  Scheduler::Life life_;
  SeededRandom& random_;
  Disk& disk_;
  const DiskFaults& faults_;
  std::vector<Entry> queue_;
  std::vector<Entry> batch_;
  bool committing_ = false;
  Timestamp closed_until_{};
};

/// What the worker reads.
class SimSource final : public EventSource {
 public:
  explicit SimSource(const Disk& disk) : disk_(disk) {}
  Result<std::vector<LogRecord>> read(LogPosition after, std::size_t max) override {
    std::vector<LogRecord> records;
    for (auto at = after; at < disk_.log.size() && records.size() < max; ++at)
      records.push_back({at + 1, disk_.log[at]});
    return records;
  }
  Result<LogPosition> end() override { return disk_.log.size(); }
  void wait(LogPosition, Duration) override {}

 private:
  const Disk& disk_;
};

/// One transaction each call; a share of them fails and leaves nothing.
class SimStore final : public CouponStore {
 public:
  SimStore(Disk& disk, SeededRandom& random, std::uint64_t fail_percent)
      : disk_(disk), random_(random), fail_percent_(fail_percent) {}

  Result<void> store(const std::vector<LogRecord>& records) override {
    if (random_.below(100) < fail_percent_)
      return make_error(ErrorCode::unavailable, "the database does not answer");
    for (const auto& record : records) {
      if (const auto* issued = std::get_if<CouponIssued>(&record.event)) insert(record.position, *issued);
      disk_.stored_through = record.position;
    }
    return {};
  }
  Result<LogPosition> stored_through() override { return disk_.stored_through; }

 private:
  void insert(LogPosition position, const CouponIssued& event) {
    const auto key = std::pair(event.campaign, event.coupon.user);
    if (const auto there = disk_.rows.find(key); there != disk_.rows.end()) {
      if (there->second.coupon == event.coupon) return;
      disk_.dead_letters.push_back({position, "conflict: user", {}});
      return;
    }
    if (!disk_.sequences.insert({event.campaign, event.coupon.sequence}).second) {
      disk_.dead_letters.push_back({position, "conflict: sequence", {}});
      return;
    }
    disk_.rows[key] =
        StoredCoupon{event.campaign, event.coupon, event.refilled, {}, event.epoch, event.revision};
  }

  Disk& disk_;
  SeededRandom& random_;
  std::uint64_t fail_percent_;
};

}  // namespace doorbuster::sim
