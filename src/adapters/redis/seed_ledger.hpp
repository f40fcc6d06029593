#pragma once
// How the seed decides, over the same keys and with the same numbers, codes and outbox, so that it can be
// compared (docs/strategies.md says what each promises and breaks):
//
//   set-incr   look, SADD, INCR, store: four calls, between which anything may happen
//   lock       the same while a distributed lock is held, for each user as in the seed, or for the campaign
//   fair-lock  the same under one that serves waiters in the order of asking
//
// Under `lock` and `fair-lock` the log is told after the answer, as in the seed ("asynchronous produce"): the
// decision says durability `ledger`, which is what holds then. All but the decision is RedisLedger's.
//
// One thread: the shard's.

#include "adapters/redis/lock/lock_client.hpp"
#include "adapters/redis/redis_ledger.hpp"

namespace doorbuster {

struct SeedOptions {
  Strategy strategy = Strategy::set_incr;  ///< set_incr, lock or fair_lock
  bool lock_campaign = false;              ///< one lock for all users, instead of one for each
  Duration lock_wait = std::chrono::seconds(3);
  Duration lock_lease = std::chrono::seconds(20);
  std::string process = "api";  ///< no two processes may share it
};

class SeedLedger final : public Ledger {
 public:
  /// \param base outlives this, is started by its owner, and is stopped before this ends
  SeedLedger(rt::Shard& shard, RedisLedger& base, RandomSource& random, SeedOptions options);
  ~SeedLedger() override;
  /// Connects what listens for locks.
  void start();

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
  void holders(CampaignId campaign, std::uint64_t after, std::size_t max,
               Done<std::vector<Decision>> done) override;

 private:
  struct Batch;
  struct Asking;
  using AskingPtr = std::shared_ptr<Asking>;

  void take_lock(const AskingPtr& asking);
  void look(const AskingPtr& asking);
  void mark(const AskingPtr& asking);
  void count(const AskingPtr& asking);
  void store(const AskingPtr& asking);
  /// Takes the mark and the count back from somebody who got nothing.
  void take_back(const AskingPtr& asking, bool counted, Outcome outcome);
  void hold(const AskingPtr& asking, std::string_view text);
  void finish(const AskingPtr& asking, Outcome outcome);
  void fail(const AskingPtr& asking, Error error);
  /// Judges a reply that is not `ok`. \returns whether it ended the asking
  bool ended_by(const AskingPtr& asking, const Result<redis::Reply>& reply);
  redis::Connection& connection() { return base_.core().connection; }

  RedisLedger& base_;
  RandomSource& random_;
  const SeedOptions options_;
  redis::Subscriber subscriber_;
  std::unique_ptr<redis::LockClient> locks_;
};

}  // namespace doorbuster
