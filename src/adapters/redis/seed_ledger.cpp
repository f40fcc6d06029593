#include "adapters/redis/seed_ledger.hpp"

namespace doorbuster {

using redis::Command;
using redis::LedgerCore;
using redis::Reply;
using redis::ScriptId;

struct SeedLedger::Batch {
  std::vector<Decision> decisions;
  Done<std::vector<Decision>> done;
  std::size_t open;
  std::size_t failed = 0;
  Error failure;

  void finish_one() {
    if (--open > 0) return;
    if (failed == decisions.size()) return done(failure);
    done(std::move(decisions));
  }
};

/// One request on its way through the calls.
struct SeedLedger::Asking {
  IssueRequest request;
  redis::CampaignKeys keys;
  std::shared_ptr<Batch> batch;
  std::size_t place;
  CouponCode code{};
  std::uint64_t limit = 0;
  std::optional<redis::HeldLock> lock{};

  Decision& decision() { return batch->decisions[place]; }
};

SeedLedger::SeedLedger(rt::Shard& shard, RedisLedger& base, RandomSource& random, SeedOptions options)
    : base_(base),
      random_(random),
      options_(std::move(options)),
      subscriber_(shard, base.core().connection.options()) {
  if (options_.strategy == Strategy::set_incr) return;
  redis::LockOptions lock_options;
  lock_options.fair = options_.strategy == Strategy::fair_lock;
  lock_options.lease = options_.lock_lease;
  lock_options.watchdog = false;  // the seed names a lease, which turns Redisson's off
  lock_options.process = options_.process;
  locks_ = std::make_unique<redis::LockClient>(shard, connection(), subscriber_, std::move(lock_options));
}
SeedLedger::~SeedLedger() = default;

void SeedLedger::start() {
  if (locks_) subscriber_.start();
}

void SeedLedger::decide(std::vector<IssueRequest> batch, Done<std::vector<Decision>> done) {
  if (batch.empty()) return done(std::vector<Decision>());
  auto shared = std::make_shared<Batch>(
      Batch{std::vector<Decision>(batch.size()), std::move(done), batch.size(), 0, {}});
  for (std::size_t i = 0; i < batch.size(); ++i) {
    auto asking =
        std::make_shared<Asking>(Asking{batch[i], redis::CampaignKeys(batch[i].campaign), shared, i});
    CouponCode::Bytes bytes;
    random_.fill(bytes);
    asking->code = CouponCode(bytes);
    if (locks_) {
      take_lock(asking);
    } else {
      look(asking);
    }
  }
}

void SeedLedger::take_lock(const AskingPtr& asking) {
  redis::LockName name;
  name.lock = asking->keys.members + ":lock";
  name.fence = asking->keys.members + ":fence";
  if (!options_.lock_campaign) name.lock += ":" + std::string(asking->request.user.text());
  locks_->acquire(std::move(name), options_.lock_wait, [this, asking](Result<redis::HeldLock> held) {
    if (!held && held.error().code == ErrorCode::not_ready) return finish(asking, Outcome::held);
    if (!held) return fail(asking, held.error());
    asking->lock = std::move(*held);
    look(asking);
  });
}

void SeedLedger::look(const AskingPtr& asking) {
  const auto& campaign = base_.core().campaign(asking->request.campaign);
  Command command = LedgerCore::words({asking->keys.definition, asking->keys.holders, asking->keys.outbox});
  command.add(campaign.guard).add(asking->request.user.text());
  connection().run(ScriptId::look, std::move(command), [this, asking](Result<Reply> reply) {
    if (ended_by(asking, reply)) return;
    Decision& decision = asking->decision();
    decision.epoch = static_cast<std::uint32_t>((*reply)[1].number());
    decision.revision = static_cast<std::uint32_t>((*reply)[2].number());
    const bool answers_first = locks_ != nullptr || (*reply)[3].text() == "ledger";
    decision.durability = answers_first ? Durability::ledger : Durability::log;
    base_.core().saw_revision(base_.core().campaign(asking->request.campaign), decision.revision);
    asking->limit = static_cast<std::uint64_t>((*reply)[4].number());
    if (!(*reply)[6].is_nil()) return hold(asking, (*reply)[6].text());
    switch ((*reply)[5].integer()) {
      case 0:
        return mark(asking);
      case -1:
        return finish(asking, Outcome::sold_out);
      case -2:
        decision.pending = true;
        return finish(asking, Outcome::sold_out);
      case -3:
        return finish(asking, Outcome::ended);
      case -4:
        return finish(asking, Outcome::paused);
      case -5:
        return finish(asking, Outcome::not_started);
      default:
        return finish(asking, Outcome::held);
    }
  });
}

void SeedLedger::mark(const AskingPtr& asking) {
  connection().send({"SADD", asking->keys.members, asking->request.user.text()},
                    [this, asking](Result<Reply> reply) {
                      if (!reply) return fail(asking, reply.error());
                      if (reply->is_error()) return fail(asking, error_of(*reply));
                      // Marked and without a coupon: another request is on its way, or a process has died
                      // there, and then for ever.
                      if (reply->integer() == 0) return finish(asking, Outcome::held);
                      count(asking);
                    });
}

void SeedLedger::count(const AskingPtr& asking) {
  connection().send({"HINCRBY", asking->keys.definition, "issued", "1"}, [this, asking](Result<Reply> reply) {
    if (!reply) return fail(asking, reply.error());
    if (reply->is_error()) return fail(asking, error_of(*reply));
    if (static_cast<std::uint64_t>(reply->integer()) <= asking->limit) return store(asking);
    // All are counted, though perhaps not stored: not final.
    asking->decision().pending = true;
    take_back(asking, true, Outcome::sold_out);
  });
}

void SeedLedger::store(const AskingPtr& asking) {
  const auto& campaign = base_.core().campaign(asking->request.campaign);
  Command command = LedgerCore::words({asking->keys.definition, asking->keys.holders, asking->keys.outbox,
                                       asking->lock ? asking->lock->name.lock : asking->keys.members});
  command.add(campaign.guard).add(asking->request.user.text()).add("0 " + asking->code.text());
  command.add(asking->lock ? std::string_view(asking->lock->owner) : std::string_view());
  connection().run(ScriptId::store, std::move(command), [this, asking](Result<Reply> reply) {
    const auto status = reply && !reply->is_error() ? (*reply)[0].text() : std::string_view();
    if (status == "stale") return take_back(asking, true, Outcome::held);
    if (status == "held") return hold(asking, (*reply)[1].text());
    if (ended_by(asking, reply)) return;
    Decision& decision = asking->decision();
    decision.pending = true;
    decision.outbox = redis::packed_entry((*reply)[2].text());
    decision.coupon = {asking->request.user, static_cast<std::uint64_t>((*reply)[3].number()), asking->code,
                       Timestamp{Duration{(*reply)[1].number()}}};
    finish(asking, Outcome::issued);
  });
}

void SeedLedger::take_back(const AskingPtr& asking, bool counted, Outcome outcome) {
  if (counted) connection().send({"HINCRBY", asking->keys.definition, "issued", "-1"}, [](Result<Reply>) {});
  connection().send({"SREM", asking->keys.members, asking->request.user.text()},
                    [this, asking, outcome](Result<Reply>) { finish(asking, outcome); });
}

void SeedLedger::hold(const AskingPtr& asking, std::string_view text) {
  auto held = redis::read_holder(asking->request.user, text);
  if (!held) return fail(asking, held.error());
  held->durability = asking->decision().durability;
  asking->decision() = std::move(*held);
  finish(asking, Outcome::already_issued);
}

bool SeedLedger::ended_by(const AskingPtr& asking, const Result<Reply>& reply) {
  if (!reply) {
    fail(asking, reply.error());
  } else if (reply->is_error()) {
    fail(asking, error_of(*reply));
  } else if ((*reply)[0].text() != "ok") {
    finish(asking, base_.core().judge(asking->request.campaign, *reply));
  } else {
    return false;
  }
  return true;
}

void SeedLedger::finish(const AskingPtr& asking, Outcome outcome) {
  asking->decision().outcome = outcome;
  if (!asking->lock) return asking->batch->finish_one();
  locks_->release(*asking->lock, [asking](Result<bool>) { asking->batch->finish_one(); });
}

void SeedLedger::fail(const AskingPtr& asking, Error error) {
  ++asking->batch->failed;
  asking->batch->failure = std::move(error);
  finish(asking, Outcome::closed);
}

void SeedLedger::confirm(std::vector<CouponKey> batch, Done<void> done) {
  base_.confirm(std::move(batch), std::move(done));
}
void SeedLedger::find(CampaignId campaign, UserId user, Done<std::optional<Decision>> done) {
  base_.find(campaign, user, std::move(done));
}
void SeedLedger::show(CampaignId campaign, Done<std::optional<CampaignView>> done) {
  base_.show(campaign, std::move(done));
}
void SeedLedger::list(Done<std::vector<CampaignView>> done) {
  base_.list(std::move(done));
}
void SeedLedger::take_overdue(Duration older_than, std::size_t max, Done<std::vector<PendingEvent>> done) {
  base_.take_overdue(older_than, max, std::move(done));
}
void SeedLedger::prepare(CampaignDefinition definition, Done<void> done) {
  base_.prepare(std::move(definition), std::move(done));
}
void SeedLedger::open(CampaignDefinition definition, Done<void> done) {
  base_.open(std::move(definition), std::move(done));
}
void SeedLedger::begin_change(CampaignId campaign, CampaignPatch patch, Done<CampaignDefinition> done) {
  base_.begin_change(campaign, std::move(patch), std::move(done));
}
void SeedLedger::end_change(CampaignDefinition definition, Done<void> done) {
  base_.end_change(std::move(definition), std::move(done));
}
void SeedLedger::holders(CampaignId campaign, std::uint64_t after, std::size_t max,
                         Done<std::vector<Decision>> done) {
  base_.holders(campaign, after, max, std::move(done));
}

}  // namespace doorbuster
