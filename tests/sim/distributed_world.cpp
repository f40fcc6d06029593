#include "tests/sim/distributed_world.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "services/api/campaign_service.hpp"
#include "services/issuing/definition_keeper.hpp"
#include "services/issuing/latching_ledger.hpp"
#include "services/issuing/strategy_ledger.hpp"
#include "services/recovery/recovery_supervisor.hpp"
#include "services/worker/worker.hpp"
#include "tests/sim/run_seed.hpp"

namespace doorbuster::sim {

using namespace std::chrono_literals;

namespace {

constexpr std::uint64_t kFirstNewcomer = 1'000'000;
constexpr Duration kSpan = 2500ms;

issuing::LatchOptions latch_options() {
  issuing::LatchOptions options;
  options.page = 7;
  options.filter_key = 42;
  return options;
}

issuing::KeeperOptions keeper_options() {
  return {.refresh_every = 300ms, .look_every = 1s, .mend_after = 2500ms};
}

recovery::SupervisorOptions supervisor_options(std::function<Result<void>(Duration)> pause) {
  recovery::SupervisorOptions options;
  options.first_back_off = 50ms;
  options.longest_back_off = 400ms;
  options.check_log_every = 200ms;
  options.recovery.batch = 5;
  options.recovery.pause = std::move(pause);
  return options;
}

api::IssueOptions issue_options(bool gathers) {
  api::IssueOptions options;
  if (gathers) options.longest_gathering = 5ms;
  return options;
}

api::CampaignOptions campaign_options() {
  api::CampaignOptions options;
  options.limit_settles = SoldOutLatch::kTrust;
  return options;
}

}  // namespace

DistributedOptions DistributedOptions::draw(SeededRandom& random) {
  DistributedOptions options;
  options.users = 2 + random.below(50);
  options.limit = 1 + random.below(25);
  options.requests = 60 + random.below(140);
  options.instances = 1 + random.below(3);
  options.partitions = 1 + random.below(3);
  options.crashes = random.below(4);
  options.stops = random.below(3);
  options.changes = random.below(4);
  options.rebalances = random.below(4);
  options.store_fail_percent = random.below(2) * 20;
  options.kafka_stops = random.below(3);
  switch (random.below(4)) {
    case 0:
      options.redis_restarts = 0;
      break;
    case 1:
      options.redis_restarts = 1;
      break;
    case 2:
      options.redis_restarts = 1 + random.below(3);
      options.redis_loses = true;
      break;
    default:
      options.redis_restarts = random.below(2);
      options.kafka_loses = true;
  }
  options.kill_percent = random.below(2) * 8;
  if (random.below(2) == 0) {
    options.weather.redis_lost_percent = random.below(8);
    options.weather.kafka_slow_percent = random.below(30);
    options.weather.kafka_lost_percent = random.below(15);
    options.weather.kafka_twice_percent = random.below(20);
    options.weather.database_fail_percent = random.below(20);
  }
  return options;
}

struct DistributedWorld::Instance {
  Instance(DistributedWorld& world, std::size_t the_slot, Scheduler::Life the_life)
      : slot(the_slot),
        life(the_life),
        site{world.scheduler_, life, world.random_, world.options_.weather},
        executor(world.scheduler_, life, world.random_),
        redis(site, world.redis_, [this](const CampaignId& campaign) { supervisor.notice(campaign); }),
        strategies({{Strategy::atomic, &redis}}),
        latch(executor, world.scheduler_, strategies, latch_options()),
        log(site, world.kafka_),
        catalog(site, world.database_),
        issue(executor, world.scheduler_, latch, log, issue_options(world.random_.below(2) == 0)),
        campaigns(executor, world.scheduler_, latch, catalog, campaign_options()),
        keeper(
            {executor, world.scheduler_, catalog, latch},
            [this](const std::vector<CampaignDefinition>& all) {
              strategies.know_all(all);
              for (const auto& definition : all) redis.know(definition);
            },
            [this](const CampaignId& campaign) { campaigns.change(campaign, {}, [](auto) {}); },
            keeper_options()),
        store(world.database_, [this, &world](const char* what) { return world.before_call(*this, what); }),
        reader(world.kafka_, [this, &world](const char* what) { return world.before_call(*this, what); }),
        rebuild(world.redis_, [this, &world](const char* what) { return world.before_call(*this, what); }),
        supervisor({store, reader, rebuild}, world.scheduler_,
                   supervisor_options([this, &world](Duration time) { return world.pause(*this, time); })) {
    strategies.ask_before_unknown(world.scheduler_, [this] { keeper.refresh(); });
  }

  const std::size_t slot;
  const Scheduler::Life life;
  int busy = 0;         // blocking calls on the stack
  bool doomed = false;  // has died within one of them
  bool serving = false;
  Site site;
  LifeExecutor executor;
  SimRedisLedger redis;
  issuing::StrategyLedger strategies;
  issuing::LatchingLedger latch;
  SimKafkaLog log;
  SimCatalog catalog;
  api::IssueService issue;
  api::CampaignService campaigns;
  issuing::DefinitionKeeper keeper;
  model::DatabaseRecovery store;
  model::KafkaReader reader;
  model::RedisRebuild rebuild;
  recovery::RecoverySupervisor supervisor;
};

struct DistributedWorld::WorkerLife {
  WorkerLife(DistributedWorld& world, std::size_t the_partition, Scheduler::Life the_life)
      : partition(the_partition),
        life(the_life),
        source(world.kafka_, partition),
        store(world.database_, partition,
              [this, &world] {
                if (world.random_.below(10) == 0) world.interlude();
                if (ended) throw Killed{};
                const auto dice = world.random_.below(100);
                if (dice >= world.options_.store_fail_percent) return model::DatabaseStore::Fate::committed;
                return dice % 2 == 0 ? model::DatabaseStore::Fate::rolled_back
                                     : model::DatabaseStore::Fate::committed_unheard;
              }),
        worker(source, store, {.batch = 1 + static_cast<std::size_t>(world.random_.below(20))}) {}

  const std::size_t partition;
  const Scheduler::Life life;
  bool ended = false;
  bool busy = false;
  model::KafkaSource source;
  model::DatabaseStore store;
  worker::Worker worker;
};

DistributedWorld::DistributedWorld(std::uint64_t seed, const DistributedOptions& options)
    : random_(seed),
      options_(options),
      redis_(scheduler_, random_),
      kafka_(options.partitions),
      database_(options.partitions),
      instances_(options.instances) {
  kafka_.appended = [this](std::size_t partition, LogPosition position) { check_event(partition, position); };
  database_.changed = [this](const CampaignDefinition& definition) {
    if (!created_at_) created_at_ = scheduler_.now();
    limits_.push_back(definition.limit);
  };
}
DistributedWorld::~DistributedWorld() = default;

std::optional<std::string> DistributedWorld::run() {
  for (std::size_t slot = 0; slot < instances_.size(); ++slot) start_instance(slot);
  for (std::size_t partition = 0; partition < options_.partitions; ++partition) start_worker(partition);
  create_campaign();
  for (std::uint64_t i = 0; i < options_.requests; ++i) {
    const auto user = random_.below(options_.users);
    scheduler_.at(sometime(kSpan), 0, [this, user] { ask(user); });
  }
  plan_faults(kSpan);
  run_for(kSpan + 500ms);
  heal();
  run_for(4s);
  sell_the_rest();
  if (!failure_) check_quiet();
  return failure_;
}

Duration DistributedWorld::sometime(Duration span) {
  return Duration(random_.below(static_cast<std::uint64_t>(span.count())));
}

void DistributedWorld::run_for(Duration time) {
  const Timestamp end = scheduler_.now() + time;
  while (!failure_ && !scheduler_.empty() && scheduler_.next_at() <= end) step();
  scheduler_.pass_to(end);
}

void DistributedWorld::step() {
  scheduler_.step();
  if (depth_ == 0) bury();
  if (!database_.letters.empty()) fail("promise 6: a dead letter: " + database_.letters.front().reason);
  if (database_.rows.size() > valid_.size()) fail("promise 4: a row that was never in the log");
}

void DistributedWorld::interlude() {
  if (depth_ >= 3) return;
  ++depth_;
  run_for(random_.below(20) == 0 ? sometime(300ms) : sometime(2ms));
  --depth_;
}

// ---- instances

void DistributedWorld::start_instance(std::size_t slot) {
  if (instances_[slot]) return;
  instances_[slot] = std::make_unique<Instance>(*this, slot, ++lives_);
  Instance& instance = *instances_[slot];
  // As the program does: it looks at the log and reads the catalog before it listens, and ends when it
  // cannot.
  scheduler_.at(sometime(5ms), instance.life, [this, &instance] {
    Result<void> looked = make_error(ErrorCode::unavailable, "killed");
    ++instance.busy;
    try {
      looked = instance.supervisor.look_at_log();
    } catch (const Killed&) {
    }
    --instance.busy;
    if (instance.doomed) return;
    if (!looked) return crash_instance(instance.slot);
    instance.keeper.start([this, &instance](Result<void> refreshed) {
      instance.serving = refreshed.has_value();
      if (!refreshed) crash_instance(instance.slot);
    });
    schedule_relay(instance);
    schedule_supervisor(instance);
  });
}

void DistributedWorld::crash_instance(std::size_t slot) {
  if (!instances_[slot]) return;
  scheduler_.end_life(instances_[slot]->life);
  instances_[slot]->doomed = true;
  dying_.push_back(std::move(instances_[slot]));
  scheduler_.at(sometime(100ms), 0, [this, slot] { start_instance(slot); });
}

void DistributedWorld::stop_instance(std::size_t slot) {
  Instance* instance = instances_[slot].get();
  if (instance == nullptr || instance->busy > 0) return;
  scheduler_.stop_life(instance->life, scheduler_.now() + sometime(1500ms));
}

void DistributedWorld::bury() {
  std::erase_if(dying_, [](const auto& instance) { return instance->busy == 0; });
  std::erase_if(workers_, [](const auto& worker) { return worker->ended && !worker->busy; });
}

void DistributedWorld::schedule_relay(Instance& instance) {
  scheduler_.at(100ms, instance.life, [this, &instance] {
    instance.issue.relay();
    schedule_relay(instance);
  });
}

void DistributedWorld::schedule_supervisor(Instance& instance) {
  scheduler_.at(20ms + sometime(20ms), instance.life, [this, &instance] { supervise(instance); });
}

void DistributedWorld::supervise(Instance& instance) {
  ++instance.busy;
  try {
    instance.supervisor.run_due();
  } catch (const Killed&) {  // its locks go with its connection, which bury() closes
  }
  --instance.busy;
  if (!instance.doomed) schedule_supervisor(instance);
}

Result<void> DistributedWorld::before_call(Instance& instance, const char* what) {
  interlude();
  if (!instance.doomed && random_.below(100) < options_.kill_percent) crash_instance(instance.slot);
  if (instance.doomed) throw Killed{};
  const bool redis = std::string_view(what).starts_with("redis");
  if (redis && !options_.weather.redis_up) return make_error(ErrorCode::unavailable, "redis does not answer");
  if (random_.below(200) < options_.weather.database_fail_percent)
    return make_error(ErrorCode::unavailable, "no answer");
  return {};
}

Result<void> DistributedWorld::pause(Instance& instance, Duration time) {
  ++depth_;
  run_for(time);
  --depth_;
  if (instance.doomed) throw Killed{};
  return {};
}

// ---- workers

void DistributedWorld::start_worker(std::size_t partition) {
  workers_.push_back(std::make_unique<WorkerLife>(*this, partition, ++lives_));
  schedule_worker(*workers_.back(), sometime(5ms));
}

void DistributedWorld::schedule_worker(WorkerLife& life, Duration in) {
  scheduler_.at(in, life.life, [this, &life] {
    life.busy = true;
    Result<std::size_t> stored = std::size_t{0};
    try {
      stored = life.worker.step();
    } catch (const Killed&) {
    }
    life.busy = false;
    if (!life.ended) schedule_worker(life, stored && *stored > 0 ? sometime(3ms) : 5ms + sometime(30ms));
  });
}

void DistributedWorld::end_worker(Scheduler::Life life) {
  scheduler_.end_life(life);
  for (const auto& worker : workers_) {
    if (worker->life == life) worker->ended = true;
  }
}

// ---- faults

void DistributedWorld::plan_faults(Duration span) {
  const auto plan = [&](std::uint64_t times, auto what) {
    for (std::uint64_t i = 0; i < times; ++i) scheduler_.at(sometime(span), 0, what);
  };
  plan(options_.crashes, [this] { crash_instance(random_.below(instances_.size())); });
  plan(options_.stops, [this] { stop_instance(random_.below(instances_.size())); });
  plan(options_.changes, [this] { change_campaign(); });
  plan(options_.redis_restarts, [this] { disturb_redis(); });
  plan(options_.kafka_stops, [this] { disturb_kafka(); });
  plan(options_.rebalances, [this] {
    // The partition is given to another worker; the one before goes on for a while.
    const auto& worker = *workers_[random_.below(workers_.size())];
    scheduler_.at(sometime(200ms), 0, [this, life = worker.life] { end_worker(life); });
    if (!worker.ended) start_worker(worker.partition);
  });
  if (options_.kafka_loses) {
    plan(1, [this] {
      kafka_.wipe();
      disturb_kafka();
    });
  }
}

void DistributedWorld::disturb_redis() {
  if (options_.redis_loses && random_.below(2) == 0) return redis_.flush();
  const std::size_t lost = options_.redis_loses ? random_.below(30) : 0;
  options_.weather.redis_up = false;
  scheduler_.at(sometime(200ms), 0, [this, lost] {
    redis_.restart(lost);
    options_.weather.redis_up = true;
  });
}

void DistributedWorld::disturb_kafka() {
  kafka_.available = false;
  scheduler_.at(sometime(1s), 0, [this] { kafka_.available = true; });
}

// ---- people

DistributedWorld::Instance* DistributedWorld::someone() {
  Instance* instance = instances_[random_.below(instances_.size())].get();
  return instance != nullptr && instance->serving ? instance : nullptr;
}

void DistributedWorld::create_campaign() {
  CampaignDefinition definition;
  definition.id = campaign_;
  definition.name = "drop";
  definition.limit = options_.limit;
  if (Instance* instance = someone()) instance->campaigns.create(definition, [](auto) {});
  scheduler_.at(50ms, 0, [this] {
    if (!created_at_) create_campaign();
  });
}

void DistributedWorld::change_campaign() {
  Instance* instance = someone();
  if (instance == nullptr) return;
  CampaignPatch patch;
  if (random_.below(4) == 0) {
    patch.status = random_.below(2) == 0 ? CampaignStatus::paused : CampaignStatus::open;
  } else {
    patch.limit = 1 + random_.below(options_.limit * 2);
  }
  const bool of_limit = patch.limit.has_value();
  instance->campaigns.change(campaign_, patch, [this, of_limit](Result<CampaignView> view) {
    if (view && of_limit)
      acknowledged_revision_ = std::max(acknowledged_revision_, view->definition.revision);
  });
}

void DistributedWorld::ask(std::uint64_t number, std::function<void(bool)> then) {
  Instance* instance = someone();
  if (instance == nullptr) return;
  const auto user = UserId::from_integer(number);
  instance->issue.submit({campaign_, user},
                         [this, user, held = told_.contains(user), told = acknowledged_revision_,
                          then = std::move(then)](Result<api::IssueAnswer> answer) {
                           answered(user, held, told, answer);
                           if (then) then(answer.has_value());
                         });
}

void DistributedWorld::answered(const UserId& user, bool held_before, std::uint32_t told_revision,
                                const Result<api::IssueAnswer>& answer) {
  if (!answer) return;
  switch (answer->outcome) {
    case Outcome::issued:
    case Outcome::already_issued:
      return check_safe(user, answer->decision.coupon);
    case Outcome::unknown_campaign:
      // Until every instance has read the catalog since the creation, a Redis that is wiped makes one forget.
      if (!created_at_ || scheduler_.now() < *created_at_ + 8 * keeper_options().refresh_every) return;
      return fail("the campaign is unknown");
    case Outcome::sold_out:
      if (valid_.size() < least_limit_since(told_revision)) {
        fail(fmt::format("promise 5: sold out was said with {} of {} safe", valid_.size(),
                         least_limit_since(told_revision)));
      }
      [[fallthrough]];
    default:
      if (held_before) fail(fmt::format("promise 2: holder {} was refused", user.text()));
  }
}

void DistributedWorld::check_safe(const UserId& user, const Coupon& coupon) {
  const auto event = valid_.find(user);
  if (event == valid_.end())
    return fail(fmt::format("promise 3: user {} was told of a coupon that is not safe", user.text()));
  if (event->second != coupon)
    return fail(fmt::format("promise 2: user {} was told of another coupon", user.text()));
  told_.emplace(user, coupon);
}

void DistributedWorld::check_event(std::size_t partition, LogPosition position) {
  const auto& event = kafka_.partitions[partition][position - 1];
  if (database_.is_void_here(event, partition, position)) return;
  const auto [known, first] = valid_.emplace(event.coupon.user, event.coupon);
  if (!first) {
    if (known->second != event.coupon)
      fail(fmt::format("promise 2: the log holds two coupons of user {}", event.coupon.user.text()));
    return;
  }
  if (!numbers_.emplace(event.coupon.sequence, event.coupon.user).second)
    fail(fmt::format("promise 4: number {} was given out twice", event.coupon.sequence));
  if (valid_.size() > limit_now())
    fail(fmt::format("promise 1: {} coupons of {}", valid_.size(), limit_now()));
}

std::uint64_t DistributedWorld::limit_now() const {
  return limits_.empty() ? 0 : limits_.back();
}

std::uint64_t DistributedWorld::least_limit_since(std::uint32_t revision) const {
  const auto from = limits_.begin() + std::min<std::ptrdiff_t>(revision, std::ssize(limits_)) - 1;
  return limits_.empty() ? 0 : *std::min_element(from, limits_.end());
}

// ---- the end

void DistributedWorld::heal() {
  options_.weather = {};
  options_.kill_percent = 0;
  options_.store_fail_percent = 0;
  kafka_.available = true;
}

void DistributedWorld::sell_the_rest() {
  // A limit lowered onto the count while a number was missing leaves the gap for good: make room for it.
  bool open = false;
  for (int tries = 0; tries < 10 && !open && !failure_; ++tries) {
    CampaignPatch patch;
    patch.status = CampaignStatus::open;
    if (!numbers_.empty()) patch.limit = std::max(limit_now(), numbers_.rbegin()->first);
    if (Instance* instance = someone())
      instance->campaigns.change(campaign_, patch, [&](auto view) { open = view.has_value(); });
    run_for(1600ms);
  }
  if (failure_) return;
  if (!open) return fail("the campaign cannot be changed although all is well");
  const auto left = limit_now() - std::min<std::uint64_t>(limit_now(), valid_.size());
  std::set<std::uint64_t> waiting;
  for (std::uint64_t i = 0; i < left + 2; ++i) waiting.insert(kFirstNewcomer + i);
  for (int tries = 0; tries < 10 && !waiting.empty() && !failure_; ++tries) {
    for (const auto user : waiting) {
      ask(user, [user, &waiting](bool got) {
        if (got) waiting.erase(user);
      });
    }
    run_for(1200ms);
  }
  if (!waiting.empty()) fail("somebody gets no answer although all is well");
}

void DistributedWorld::check_quiet() {
  for (std::size_t partition = 0; partition < kafka_.partitions.size(); ++partition) {
    if (database_.stored_through[partition] != kafka_.partitions[partition].size())
      return fail(fmt::format("not quiet: partition {} is stored up to {} of {}", partition,
                              database_.stored_through[partition], kafka_.partitions[partition].size()));
  }
  for (const auto& [user, coupon] : told_) {
    const auto row = database_.rows.find({campaign_, user});
    if (row == database_.rows.end() || row->second.coupon != coupon)
      return fail(fmt::format("promise 3: the coupon of user {} is not in the database", user.text()));
  }
  for (const auto& [key, row] : database_.rows) {
    const auto event = valid_.find(key.second);
    if (event == valid_.end() || event->second != row.coupon)
      return fail(fmt::format("promise 4: the row of user {} was never in the log", key.second.text()));
  }
  if (database_.rows.size() != valid_.size())
    return fail(fmt::format("promise 6: {} rows, {} in the log", database_.rows.size(), valid_.size()));
  if (valid_.size() != limit_now())
    return fail(
        fmt::format("{} coupons of {} were given to those who asked for all", valid_.size(), limit_now()));
  if (!numbers_.empty() && numbers_.rbegin()->first != numbers_.size())
    return fail(
        fmt::format("promise 4: {} coupons, highest number {}", numbers_.size(), numbers_.rbegin()->first));
  const auto view = redis_.show({}, campaign_);
  if (!view || !*view) return fail("the ledger does not answer");
  if ((*view)->issued != valid_.size() || (*view)->durable != valid_.size())
    fail(fmt::format("promise 6: ledger {} ({} safe), log {}", (*view)->issued, (*view)->durable,
                     valid_.size()));
}

void DistributedWorld::fail(std::string what) {
  if (!failure_) failure_ = std::move(what);
}

std::optional<std::string> run_seed(std::uint64_t seed) {
  SeededRandom draw(seed);
  return DistributedWorld(seed * 2 + 1, DistributedOptions::draw(draw)).run();
}

}  // namespace doorbuster::sim
