#include "tests/sim/world.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "services/issuing/ended_campaigns.hpp"
#include "tests/sim/run_seed.hpp"
#include "tests/sim/sim_archive.hpp"

namespace doorbuster::sim {

using namespace std::chrono_literals;

namespace {

constexpr std::uint64_t kFirstNewcomer = 1'000'000;

issuing::UnloadOptions unload_options(SeededRandom& random) {
  issuing::UnloadOptions options;
  options.after = Duration(random.below(10'000));
  options.look_every = 5ms;
  options.page = 1 + random.below(8);
  return options;
}

}  // namespace

WorldOptions WorldOptions::draw(SeededRandom& random) {
  WorldOptions options;
  options.users = 2 + random.below(60);
  options.limit = 1 + random.below(30);
  options.requests = 50 + random.below(200);
  options.crashes = random.below(5);
  options.changes = random.below(5);
  options.store_fail_percent = random.below(2) == 0 ? 0 : 30;
  if (random.below(2) == 0) {
    options.disk.unknown_percent = random.below(30);
    options.disk.refused_percent = random.below(30);
  }
  options.disk.slowest_commit = random.below(4) == 0 ? Duration(400ms) : Duration(3ms);
  options.ends = random.below(4) == 0;
  // A worker that is far behind while holders ask for a campaign that has ended.
  if (options.ends && random.below(2) == 0) options.slowest_step = 80ms;
  return options;
}

struct World::Process {
  Process(Scheduler& scheduler, Scheduler::Life life, SeededRandom& random, Disk& disk,
          const WorldOptions& options)
      : executor(scheduler, life, random),
        log(scheduler, life, random, disk, options.disk),
        ledger(scheduler, random),
        issue(executor, scheduler, ledger, log, {}),
        campaigns(executor, scheduler, ledger, log),
        source(disk),
        store(disk, random, options.store_fail_percent),
        worker(source, store),
        archive(executor, disk, random, options.store_fail_percent),
        ended(executor, scheduler, ledger, archive, unload_options(random)) {
    if (options.ends) ended.start();
  }

  LifeExecutor executor;
  SimLog log;
  MemoryLedger ledger;
  api::IssueService issue;
  api::CampaignService campaigns;
  SimSource source;
  SimStore store;
  worker::Worker worker;
  SimArchive archive;
  issuing::EndedCampaigns ended;
};

World::World(std::uint64_t seed, const WorldOptions& options) : random_(seed), options_(options) {}
World::~World() = default;

std::optional<std::string> World::run() {
  start();
  create_campaign();
  const Duration span = 300ms;
  const auto sometime = [&] { return Duration(random_.below(static_cast<std::uint64_t>(span.count()))); };
  for (std::uint64_t i = 0; i < options_.requests; ++i) {
    const auto user = random_.below(options_.users);
    scheduler_.at(sometime(), 0, [this, user] { ask(user); });
  }
  for (std::uint64_t i = 0; i < options_.changes; ++i)
    scheduler_.at(sometime(), 0, [this] { change_limit(); });
  if (options_.ends) scheduler_.at(sometime(), 0, [this] { end_campaign(); });
  for (std::uint64_t i = 0; i < options_.crashes; ++i) scheduler_.at(sometime(), 0, [this] { crash(); });

  run_until(scheduler_.now() + 8s);
  // The disk is well again, and newcomers ask for everything that is left: numbers lost in a crash go to them
  // first, so that in the end there is no gap.
  options_.disk = {};
  options_.store_fail_percent = 0;
  if (!failure_) crash();  // a start with a disk that is well
  if (ended_on_disk()) {
    check_unloaded();
  } else {
    give_what_is_left();
  }
  if (!failure_) check_quiet();
  return failure_;
}

void World::give_what_is_left() {
  CampaignPatch open;
  open.status = CampaignStatus::open;
  // A limit lowered onto the count while a number was missing leaves the gap for good: make room for it.
  if (!numbers_.empty()) open.limit = std::max(limit_on_disk_, numbers_.rbegin()->first);
  process_->campaigns.change(campaign_, open, [](auto) {});
  run_until(scheduler_.now() + 1s);
  const auto left = limit_on_disk_ - std::min(limit_on_disk_, distinct_on_disk());
  for (std::uint64_t i = 0; i < left + 2; ++i) ask(kFirstNewcomer + i);
  run_until(scheduler_.now() + 3s);
}

/// The campaign has ended and was read back: it leaves the memory, and every holder gets the same coupon.
void World::check_unloaded() {
  run_until(scheduler_.now() + 1s);
  if (failure_) return;
  std::size_t answered_again = 0;
  for (const auto& each : distinct_) {
    const UserId user = each.first;
    process_->issue.submit({campaign_, user}, [this, user, &answered_again](Result<api::IssueAnswer> answer) {
      answered(user, answer);
      if (answer && answer->outcome == Outcome::already_issued) ++answered_again;
    });
  }
  ask(kFirstNewcomer);
  run_until(scheduler_.now() + 1s);
  if (answered_again != distinct_.size()) {
    fail(fmt::format("promise 2: {} of {} holders got their coupon after the end", answered_again,
                     distinct_.size()));
  }
  // A number that was lost stays missing after the end; such a campaign is never unloaded.
  const bool whole = numbers_.empty() || numbers_.rbegin()->first == numbers_.size();
  if (process_->ledger.unloaded() != (whole ? 1 : 0))
    fail("an ended campaign is in memory, or one with a gap is not");
}

void World::run_until(Timestamp moment) {
  while (!failure_ && scheduler_.now() < moment && scheduler_.step()) check_disk();
}

void World::start() {
  ++life_;
  process_ = std::make_unique<Process>(scheduler_, life_, random_, disk_, options_);
  LogPosition position = 0;
  for (const auto& event : disk_.log) {
    const auto restored = process_->ledger.restore(LogRecord{++position, event});
    if (!restored) fail("the log cannot be read back: " + restored.error().detail);
  }
  process_->ledger.finish_restore();
  schedule_worker();
  schedule_relay();
}

void World::crash() {
  process_->log.crash();
  scheduler_.end_life(life_);
  process_ = nullptr;
  start();
}

void World::schedule_worker() {
  const auto most = static_cast<std::uint64_t>(options_.slowest_step.count());
  scheduler_.at(Duration(random_.below(most)), life_, [this] {
    (void)process_->worker.step();  // a failure is tried again at the next step
    schedule_worker();
  });
}

void World::schedule_relay() {
  scheduler_.at(100ms, life_, [this] {
    process_->issue.relay();
    schedule_relay();
  });
}

void World::create_campaign() {
  CampaignDefinition definition;
  definition.id = campaign_;
  definition.name = "drop";
  definition.limit = options_.limit;
  process_->campaigns.create(definition, [](auto) {});
}

void World::change_limit() {
  CampaignPatch patch;
  const auto dice = random_.below(4);
  if (dice == 0) {
    patch.status = random_.below(2) == 0 ? CampaignStatus::paused : CampaignStatus::open;
  } else {
    patch.limit = 1 + random_.below(options_.limit * 2);
  }
  process_->campaigns.change(campaign_, patch, [](auto) {});
}

void World::end_campaign() {
  CampaignPatch patch;
  patch.status = CampaignStatus::ended;
  process_->campaigns.change(campaign_, patch, [](auto) {});
}

bool World::ended_on_disk() const {
  const auto there = disk_.catalog.find(campaign_);
  return there != disk_.catalog.end() && there->second.status == CampaignStatus::ended;
}

void World::ask(std::uint64_t number) {
  const auto user = UserId::from_integer(number);
  process_->issue.submit({campaign_, user},
                         [this, user](Result<api::IssueAnswer> answer) { answered(user, answer); });
}

void World::answered(const UserId& user, const Result<api::IssueAnswer>& answer) {
  check_disk();
  if (!answer) return;
  switch (answer->outcome) {
    case Outcome::issued:
    case Outcome::already_issued:
      check_safe(user, answer->decision.coupon);
      return;
    case Outcome::sold_out:
      if (distinct_on_disk() < limit_on_disk_) {
        fail(fmt::format("promise 5: sold out was said with {} of {} safe", distinct_on_disk(),
                         limit_on_disk_));
      }
      [[fallthrough]];
    default:
      if (told_.contains(user)) fail(fmt::format("promise 2: holder {} was refused", user.text()));
  }
}

void World::check_safe(const UserId& user, const Coupon& coupon) {
  const auto* event = on_disk(user);
  if (event == nullptr)
    return fail(fmt::format("promise 3: user {} was told of a coupon that is not safe", user.text()));
  if (!(event->coupon == coupon))
    return fail(fmt::format("promise 2: user {} was told of another coupon", user.text()));
  const auto [known, first] = told_.emplace(user, coupon);
  if (!first && !(known->second == coupon))
    fail(fmt::format("promise 2: user {} has two coupons", user.text()));
}

const CouponIssued* World::on_disk(const UserId& user) const {
  const auto found = distinct_.find(user);
  return found == distinct_.end() ? nullptr : &found->second;
}

void World::check_disk() {
  for (; checked_ < disk_.log.size(); ++checked_) {
    const auto& record = disk_.log[checked_];
    if (const auto* changed = std::get_if<CampaignChanged>(&record)) {
      limit_on_disk_ = changed->definition.limit;
      continue;
    }
    const auto& event = std::get<CouponIssued>(record);
    const auto [known, first] = distinct_.emplace(event.coupon.user, event);
    if (!first) {
      if (!(known->second.coupon == event.coupon)) {
        fail(fmt::format("promise 2: the log holds two coupons of user {}", event.coupon.user.text()));
      }
      continue;
    }
    if (!numbers_.emplace(event.coupon.sequence, event.coupon.user).second) {
      fail(fmt::format("promise 4: number {} was given out twice", event.coupon.sequence));
    }
    if (distinct_.size() > limit_on_disk_) {
      fail(fmt::format("promise 1: {} coupons of {}", distinct_.size(), limit_on_disk_));
    }
  }
  if (!disk_.dead_letters.empty()) fail("promise 6: a dead letter: " + disk_.dead_letters.front().reason);
}

void World::check_quiet() {
  // A crash may have come before the campaign was written; then nothing may be there.
  if (disk_.stored_through != disk_.log.size()) {
    return fail(fmt::format("not quiet: stored {} of {}", disk_.stored_through, disk_.log.size()));
  }
  for (const auto& [user, coupon] : told_) {
    const auto row = disk_.rows.find({campaign_, user});
    if (row == disk_.rows.end() || !(row->second.coupon == coupon)) {
      return fail(fmt::format("promise 3: the coupon of user {} is not in the database", user.text()));
    }
  }
  if (disk_.rows.size() != distinct_.size()) {
    return fail(fmt::format("promise 6: {} rows, {} in the log", disk_.rows.size(), distinct_.size()));
  }
  if (!ended_on_disk() && distinct_.size() != limit_on_disk_) {
    return fail(fmt::format("{} coupons of {} were given to those who asked for all", distinct_.size(),
                            limit_on_disk_));
  }
  if (!ended_on_disk() && !numbers_.empty() && numbers_.rbegin()->first != numbers_.size()) {
    return fail(
        fmt::format("promise 4: {} coupons, highest number {}", numbers_.size(), numbers_.rbegin()->first));
  }
  process_->ledger.show(campaign_, [this](Result<std::optional<CampaignView>> view) {
    if (!view) return fail("the ledger does not answer");
    if (!*view) {
      if (!distinct_.empty()) fail("promise 6: the ledger forgot the campaign");
      return;
    }
    if ((*view)->issued != distinct_.size() || (*view)->durable != distinct_.size()) {
      fail(fmt::format("promise 6: ledger {} ({} safe), log {}", (*view)->issued, (*view)->durable,
                       distinct_.size()));
    }
  });
}

void World::fail(std::string what) {
  if (!failure_) failure_ = std::move(what);
}

std::optional<std::string> run_seed(std::uint64_t seed) {
  SeededRandom draw(seed);
  return World(seed * 2 + 1, WorldOptions::draw(draw)).run();
}

}  // namespace doorbuster::sim
