#pragma once
// The ledger of the full stack, strategy `atomic`: one script decides for the whole batch of a campaign, on
// the server (scripts/decide.lua; docs/redis.md). Any number of processes and shards share it.
//
// The ledger must be told the database's definitions at start and about every second (know()). A campaign of
// which the database has told, and that Redis does not have under the same epoch and its present run, is
// `closed`; one that Redis has and the database has not told of is `held` while a refresh is asked for.
//
// One thread: the shard's. Calls and completions are on it. Completions that come after stop() are not
// called.

#include <memory>

#include "adapters/redis/ledger_core.hpp"
#include "base/random.hpp"
#include "ports/ledger.hpp"

namespace doorbuster {

class RedisLedger final : public Ledger {
 public:
  /// \param random makes the codes; \param scripts outlive the ledger
  RedisLedger(rt::Shard& shard, redis::Options options, RandomSource& random, redis::LedgerEvents events,
              const redis::ScriptSet& scripts = redis::ScriptSet::production());
  ~RedisLedger() override;

  /// Connects, and goes on trying.
  void start();
  void stop();
  /// What the database says, whole. Looks again at what the server is, too.
  void know(std::vector<CampaignDefinition> definitions);
  /// Connected, and the server is what it must be. \returns unavailable, unsupported (naming the key)
  Result<void> ready() const;
  /// What a reply under durability `ledger` may claim; `none` while the server is away.
  redis::Persistence persistence() const;
  /// For the strategies of the seed, which work on the same keys.
  redis::LedgerCore& core() { return core_; }

  void decide(std::vector<IssueRequest> batch, Done<std::vector<Decision>> done) override;
  void confirm(std::vector<CouponKey> batch, Done<void> done) override;
  void find(CampaignId campaign, UserId user, Done<std::optional<Decision>> done) override;
  void show(CampaignId campaign, Done<std::optional<CampaignView>> done) override;
  void list(Done<std::vector<CampaignView>> done) override;
  void take_overdue(Duration older_than, std::size_t max, Done<std::vector<PendingEvent>> done) override;
  void prepare(CampaignDefinition definition, Done<void> done) override;
  void open(CampaignDefinition definition, Done<void> done) override;
  void begin_change(CampaignId campaign, CampaignPatch patch, Done<CampaignDefinition> done) override;
  void end_change(CampaignDefinition definition, Done<void> done) override;
  /// The first page (`after` 0) reads the whole campaign; further ones are parts of it, until the last one or
  /// a minute has passed.
  void holders(CampaignId campaign, std::uint64_t after, std::size_t max,
               Done<std::vector<Decision>> done) override;

 private:
  struct Gather;
  class HolderPages;

  void decide_group(const CampaignId& campaign, std::vector<std::size_t> places,
                    std::shared_ptr<Gather> gather);
  void take_overdue_next(std::shared_ptr<std::vector<CampaignId>> campaigns, Duration older_than,
                         std::size_t max, std::vector<PendingEvent> taken,
                         Done<std::vector<PendingEvent>> done);
  void release_hold(const CampaignDefinition& definition);

  redis::LedgerCore core_;
  RandomSource& random_;
  std::unique_ptr<HolderPages> pages_;
  std::string preparing_;  // token of this object's notes that it will open a campaign
};

}  // namespace doorbuster
