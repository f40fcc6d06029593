#pragma once
// What one instance of the api sees of the modelled Redis, Kafka and database: each call takes time, may get
// lost on the way there or back, and goes on when its instance has died.

#include <functional>
#include <memory>

#include "ports/campaign_catalog.hpp"
#include "ports/event_log.hpp"
#include "ports/ledger.hpp"
#include "tests/sim/model_database.hpp"
#include "tests/sim/model_kafka.hpp"
#include "tests/sim/model_redis.hpp"
#include "tests/sim/scheduler.hpp"

namespace doorbuster::sim {

/// How badly the parts behave.
struct Weather {
  std::uint64_t redis_lost_percent = 0;     ///< of commands fail on the way there or back
  std::uint64_t kafka_slow_percent = 0;     ///< of appends take up to `slowest_append`
  std::uint64_t kafka_lost_percent = 0;     ///< of appends never arrive
  std::uint64_t kafka_twice_percent = 0;    ///< of appends arrive twice
  std::uint64_t database_fail_percent = 0;  ///< of transactions fail, half of them committed
  Duration slowest_append = std::chrono::seconds(3);
  bool redis_up = true;
};

/// What all parts of one instance share.
struct Site {
  Scheduler& scheduler;
  Scheduler::Life life;
  SeededRandom& random;
  Weather& weather;

  bool happens(std::uint64_t percent) const { return random.below(100) < percent; }
  Duration some(std::uint64_t most_us) const { return Duration(20 + random.below(most_us)); }
};

class SimRedisLedger final : public Ledger {
 public:
  /// \param closed is called when a campaign is found closed
  SimRedisLedger(Site site, model::Redis& redis, std::function<void(const CampaignId&)> closed)
      : site_(site), redis_(redis), closed_(std::move(closed)) {}

  void know(const CampaignDefinition& definition) { known_[definition.id] = definition; }

  void decide(std::vector<IssueRequest> batch, Done<std::vector<Decision>> done) override {
    command<std::vector<Decision>>(
        [batch, known = known_](model::Redis& redis) -> Result<std::vector<Decision>> {
          return redis.decide(known, batch);
        },
        [this, batch, done = std::move(done)](Result<std::vector<Decision>> decisions) mutable {
          for (std::size_t i = 0; decisions && i < batch.size(); ++i) {
            if ((*decisions)[i].outcome == Outcome::closed) closed_(batch[i].campaign);
          }
          done(std::move(decisions));
        });
  }
  void confirm(std::vector<CouponKey> batch, Done<void> done) override {
    command<void>([batch = std::move(batch)](model::Redis& redis) { return redis.confirm(batch); },
                  std::move(done));
  }
  void find(CampaignId campaign, UserId user, Done<std::optional<Decision>> done) override {
    command<std::optional<Decision>>(
        [campaign, user, known = known_](model::Redis& redis) { return redis.find(known, campaign, user); },
        std::move(done));
  }
  void show(CampaignId campaign, Done<std::optional<CampaignView>> done) override {
    command<std::optional<CampaignView>>(
        [campaign, known = known_](model::Redis& redis) { return redis.show(known, campaign); },
        [this, campaign, done = std::move(done)](Result<std::optional<CampaignView>> view) mutable {
          if (!view && view.error().code == ErrorCode::closed) closed_(campaign);
          done(std::move(view));
        });
  }
  void list(Done<std::vector<CampaignView>> done) override { done(std::vector<CampaignView>()); }
  void take_overdue(Duration older_than, std::size_t max, Done<std::vector<PendingEvent>> done) override {
    command<std::vector<PendingEvent>>(
        [older_than, max, known = known_](model::Redis& redis) -> Result<std::vector<PendingEvent>> {
          return redis.take_overdue(known, older_than, max);
        },
        std::move(done));
  }
  void prepare(CampaignDefinition definition, Done<void> done) override {
    command<void>(
        [id = definition.id, who = site_.life](model::Redis& redis) {
          redis.prepare(id, who);
          return Result<void>();
        },
        std::move(done));
  }
  void open(CampaignDefinition definition, Done<void> done) override {
    command<void>([definition, who = site_.life](model::Redis& redis) { return redis.open(definition, who); },
                  std::move(done));
  }
  void begin_change(CampaignId campaign, CampaignPatch patch, Done<CampaignDefinition> done) override {
    command<CampaignDefinition>([campaign, patch, who = site_.life](
                                    model::Redis& redis) { return redis.begin_change(campaign, patch, who); },
                                std::move(done));
  }
  void end_change(CampaignDefinition definition, Done<void> done) override {
    command<void>(
        [definition, who = site_.life](model::Redis& redis) { return redis.end_change(definition, who); },
        std::move(done));
  }
  void holders(CampaignId campaign, std::uint64_t after, std::size_t max,
               Done<std::vector<Decision>> done) override {
    command<std::vector<Decision>>(
        [campaign, after, max](model::Redis& redis) { return redis.holders(campaign, after, max); },
        std::move(done));
  }

 private:
  /// The command is on the wire: it arrives whether or not this instance lives then.
  template <class T, class Run, class Then>
  void command(Run run, Then then) {
    const bool lost_there = site_.happens(site_.weather.redis_lost_percent);
    const bool lost_back = site_.happens(site_.weather.redis_lost_percent);
    const Duration back = site_.some(400);
    auto answer = std::make_shared<Then>(std::move(then));
    site_.scheduler.at(site_.some(400), 0,
                       [this_site = site_, &redis = redis_, run = std::move(run), answer, lost_there,
                        lost_back, back]() mutable {
                         Result<T> result = make_error(ErrorCode::unavailable, "redis does not answer");
                         if (this_site.weather.redis_up && !lost_there) result = run(redis);
                         if (lost_there || lost_back)
                           result = make_error(ErrorCode::unknown_outcome, "the connection broke");
                         this_site.scheduler.at(back, this_site.life,
                                                [answer, result = std::move(result)]() mutable {
                                                  (*answer)(std::move(result));
                                                });
                       });
  }

  Site site_;
  model::Redis& redis_;
  std::function<void(const CampaignId&)> closed_;
  model::Known known_;
};

/// The producer of one instance.
class SimKafkaLog final : public EventLog {
 public:
  static constexpr Duration kTimeout = std::chrono::milliseconds(1500);

  SimKafkaLog(Site site, model::Kafka& kafka) : site_(site), kafka_(kafka) {}

  void append(std::vector<CouponIssued> events, Executor& on, Appended done) override {
    auto call = std::make_shared<Call>();
    call->on = &on;
    call->done = std::move(done);
    std::map<std::size_t, std::vector<CouponIssued>> by_partition;
    for (auto& event : events) by_partition[kafka_.partition_of(event)].push_back(std::move(event));
    call->open = by_partition.size();
    ++in_flight_;
    for (auto& [partition, batch] : by_partition) send(call, partition, std::move(batch));
    site_.scheduler.at(kTimeout, site_.life, [this, call] {
      finish(*call, make_error(ErrorCode::unknown_outcome, "no acknowledgement in time"));
    });
  }
  bool accepting() const override { return in_flight_ < 32; }

 private:
  struct Call {
    Executor* on = nullptr;
    Appended done;
    std::size_t open = 0;
  };

  void send(std::shared_ptr<Call> call, std::size_t partition, std::vector<CouponIssued> batch) {
    if (site_.happens(site_.weather.kafka_lost_percent)) return;
    const bool slow = site_.happens(site_.weather.kafka_slow_percent);
    const auto longest = slow ? static_cast<std::uint64_t>(site_.weather.slowest_append.count()) : 3'000U;
    arrive(std::move(call), partition, std::move(batch), site_.some(longest),
           site_.happens(site_.weather.kafka_twice_percent));
  }

  /// Once it is in the socket it arrives, whoever has died meanwhile; a broker that is away takes it later.
  void arrive(std::shared_ptr<Call> call, std::size_t partition, std::vector<CouponIssued> batch, Duration in,
              bool twice) {
    site_.scheduler.at(in, 0,
                       [this_site = site_, &kafka = kafka_, this, call, partition, batch = std::move(batch),
                        twice]() mutable {
                         if (!kafka.available) {
                           // The client keeps what it could not send; when it has died, that is gone.
                           this_site.scheduler.at(
                               Duration(50'000), this_site.life,
                               [this, call, partition, batch = std::move(batch)]() mutable {
                                 arrive(std::move(call), partition, std::move(batch), Duration(100), false);
                               });
                           return;
                         }
                         for (const auto& event : batch) kafka.append(partition, event);
                         if (twice) {
                           for (const auto& event : batch) kafka.append(partition, event);
                         }
                         this_site.scheduler.at(this_site.some(400), this_site.life, [this, call] {
                           if (--call->open == 0) finish(*call, {});
                         });
                       });
  }

  void finish(Call& call, Result<void> result) {
    if (!call.done) return;
    --in_flight_;
    call.on->post(
        [done = std::move(call.done), result = std::move(result)]() mutable { done(std::move(result)); });
    call.done = nullptr;
  }

  Site site_;
  model::Kafka& kafka_;
  std::size_t in_flight_ = 0;
};

class SimCatalog final : public CampaignCatalog {
 public:
  SimCatalog(Site site, model::Database& database) : site_(site), database_(database) {}

  void put(CampaignDefinition definition, Executor& on, Done<void> done) override {
    const bool fails = site_.happens(site_.weather.database_fail_percent);
    const bool commits = !fails || site_.happens(50);
    auto answer = std::make_shared<Done<void>>(std::move(done));
    // The statement is on the wire: it is committed even if this instance has died.
    site_.scheduler.at(site_.some(site_.happens(10) ? 1'500'000 : 3'000), 0,
                       [this_site = site_, &database = database_, definition, fails, commits, answer, &on] {
                         Result<void> result;
                         if (commits) result = database.put(definition);
                         if (fails) result = make_error(ErrorCode::unknown_outcome, "the connection broke");
                         this_site.scheduler.at(
                             Duration(200), this_site.life, [answer, result, &on]() mutable {
                               on.post([answer, result]() mutable { (*answer)(std::move(result)); });
                             });
                       });
  }
  void get(CampaignId id, Executor& on, Done<std::optional<CampaignDefinition>> done) override {
    read<std::optional<CampaignDefinition>>(on, std::move(done), [id](const model::Database& database) {
      const auto found = database.campaigns.find(id);
      return found == database.campaigns.end() ? std::nullopt : std::optional(found->second);
    });
  }
  void list(Executor& on, Done<std::vector<CampaignDefinition>> done) override {
    read<std::vector<CampaignDefinition>>(on, std::move(done), [](const model::Database& database) {
      std::vector<CampaignDefinition> all;
      for (const auto& [id, definition] : database.campaigns) all.push_back(definition);
      return all;
    });
  }

 private:
  template <class T, class Look>
  void read(Executor& on, Done<T> done, Look look) {
    const bool fails = site_.happens(site_.weather.database_fail_percent);
    site_.scheduler.at(
        site_.some(3'000), site_.life, [this, &on, fails, look, done = std::move(done)]() mutable {
          Result<T> result = make_error(ErrorCode::unavailable, "the database does not answer");
          if (!fails) result = look(database_);
          on.post(
              [done = std::move(done), result = std::move(result)]() mutable { done(std::move(result)); });
        });
  }

  Site site_;
  model::Database& database_;
};

}  // namespace doorbuster::sim
