// RedisLedger: look-ups, overdue events, and everything that concerns definitions.

#include <algorithm>
#include <set>

#include "adapters/redis/holder_pages.hpp"
#include "adapters/redis/redis_ledger.hpp"

namespace doorbuster {

using redis::Command;
using redis::failed;
using redis::LedgerCore;
using redis::Reply;
using redis::ScriptId;

namespace {

Timestamp time_of(redis::ReplyView reply) {
  return Timestamp{Duration{reply.number()}};
}

/// A creation takes less than this; its note goes by itself when it is given up.
constexpr std::string_view kPreparedSeconds = "600";

/// Nobody else makes the same one: a hold is ended by its token.
std::string new_token(RandomSource& random) {
  CouponCode::Bytes bytes;
  random.fill(bytes);
  return CouponCode(bytes).text();
}

}  // namespace

void RedisLedger::find(CampaignId id, UserId user, Done<std::optional<Decision>> done) {
  const auto& campaign = core_.campaign(id);
  Command command =
      LedgerCore::words({campaign.keys.definition, campaign.keys.holders, campaign.keys.outbox});
  command.add(campaign.guard).add(user.text());
  core_.connection.run(ScriptId::find, std::move(command),
                       [this, id, user, done = std::move(done)](Result<Reply> reply) mutable {
                         if (reply && (*reply)[0].text() == "absent" && core_.find(id) == nullptr) {
                           return done(std::optional<Decision>());
                         }
                         if (failed(core_, id, reply, done)) return;
                         if ((*reply)[3].is_nil()) return done(std::optional<Decision>());
                         auto held = redis::read_holder(user, (*reply)[3].text());
                         if (!held) return done(held.error());
                         held->durability =
                             (*reply)[1].text() == "ledger" ? Durability::ledger : Durability::log;
                         done(std::optional(std::move(*held)));
                       });
}

void RedisLedger::show(CampaignId id, Done<std::optional<CampaignView>> done) {
  const auto& campaign = core_.campaign(id);
  core_.connection.run(
      ScriptId::show, LedgerCore::words({campaign.keys.definition, campaign.keys.missing}),
      [this, id, done = std::move(done)](Result<Reply> reply) mutable {
        if (!reply) return done(reply.error());
        if (reply->is_error()) return done(error_of(*reply));
        const auto* known = core_.find(id);
        if (reply->size() == 1) {
          if (known == nullptr) return done(std::optional<CampaignView>());
        } else {
          auto stored = redis::read_campaign(id, *reply, 1, time_of((*reply)[0]));
          if (!stored) return done(stored.error());
          const auto epoch = stored->view.definition.epoch;
          const bool right_epoch = known == nullptr || known->definition.epoch == epoch;
          if (right_epoch && stored->guard == core_.guard_now(epoch)) {
            if (known != nullptr) core_.saw_revision(core_.campaign(id), stored->view.definition.revision);
            return done(std::optional(std::move(stored->view)));
          }
          if (known == nullptr || known->definition.epoch < epoch) core_.ask_refresh();
        }
        if (known != nullptr) core_.report(core_.campaign(id));
        done(make_error(ErrorCode::closed, "campaign " + std::string(id.text()) +
                                               " is closed until its ledger in Redis has been recovered"));
      });
}

void RedisLedger::list(Done<std::vector<CampaignView>> done) {
  core_.connection.send(
      {"SMEMBERS", redis::kCampaigns}, [this, done = std::move(done)](Result<Reply> reply) mutable {
        if (!reply) return done(reply.error());
        if (reply->is_error()) return done(error_of(*reply));
        std::set<CampaignId> ids;
        for (std::size_t i = 0; i < reply->size(); ++i) {
          if (const auto id = CampaignId::parse((*reply)[i].text())) ids.insert(*id);
        }
        for (const auto& id : core_.known()) ids.insert(id);
        if (ids.empty()) return done(std::vector<CampaignView>());
        struct Listing {
          Done<std::vector<CampaignView>> done;
          std::size_t open;
          std::vector<CampaignView> views;
          std::optional<Error> failure;
        };
        auto listing = std::make_shared<Listing>(Listing{std::move(done), ids.size(), {}, {}});
        for (const auto& id : ids) {
          show(id, [listing](Result<std::optional<CampaignView>> shown) {
            if (!shown) {
              listing->failure = shown.error();
            } else if (*shown) {
              listing->views.push_back(std::move(**shown));
            }
            if (--listing->open > 0) return;
            if (listing->failure) return listing->done(*listing->failure);
            listing->done(std::move(listing->views));
          });
        }
      });
}

void RedisLedger::take_overdue(Duration older_than, std::size_t max, Done<std::vector<PendingEvent>> done) {
  auto busy = std::make_shared<std::vector<CampaignId>>();
  const auto known = core_.known();
  if (known.empty() || max == 0) return done(std::vector<PendingEvent>());
  // Most campaigns have nothing in the outbox: those are asked for their counter alone.
  struct Asking {
    Done<std::vector<PendingEvent>> done;
    std::size_t open;
    std::optional<Error> failure;
  };
  auto asking = std::make_shared<Asking>(Asking{std::move(done), known.size(), {}});
  for (const auto& id : known) {
    core_.connection.send({"HGET", core_.campaign(id).keys.definition, "pending"},
                          [this, id, busy, asking, older_than, max](Result<Reply> reply) {
                            if (!reply) {
                              asking->failure = reply.error();
                            } else if (!reply->is_error() && reply->number() > 0) {
                              busy->push_back(id);
                            }
                            if (--asking->open > 0) return;
                            if (asking->failure) return asking->done(*asking->failure);
                            take_overdue_next(busy, older_than, max, {}, std::move(asking->done));
                          });
  }
}

void RedisLedger::take_overdue_next(std::shared_ptr<std::vector<CampaignId>> campaigns, Duration older_than,
                                    std::size_t max, std::vector<PendingEvent> taken,
                                    Done<std::vector<PendingEvent>> done) {
  if (campaigns->empty() || taken.size() >= max) return done(std::move(taken));
  const CampaignId id = campaigns->back();
  campaigns->pop_back();
  const auto& campaign = core_.campaign(id);
  Command command = LedgerCore::words(
      {campaign.keys.definition, campaign.keys.outbox, campaign.keys.claims, campaign.keys.holders});
  command.add(campaign.guard).add(older_than.count());
  command.add(static_cast<std::int64_t>(max - taken.size()));
  core_.connection.run(
      ScriptId::take_overdue, std::move(command),
      [this, id, campaigns, older_than, max, taken = std::move(taken),
       done = std::move(done)](Result<Reply> reply) mutable {
        if (reply && !reply->is_error() && (*reply)[0].text() == "ok") {
          for (std::size_t i = 1; i + 2 < reply->size(); i += 3) {
            const auto user = UserId::parse((*reply)[i + 1].text());
            if (!user) continue;
            const auto held = redis::read_holder(*user, (*reply)[i + 2].text());
            if (!held) return done(held.error());
            taken.push_back({{id, held->epoch, held->revision, held->refilled, held->coupon, {}},
                             redis::packed_entry((*reply)[i].text())});
          }
        } else if (!reply) {
          // What was taken is not lost: it is overdue again after a while.
          return done(reply.error());
        } else if (!reply->is_error()) {
          core_.judge(id, *reply);  // closed: its events wait for the recovery; the others go on
        }
        take_overdue_next(campaigns, older_than, max, std::move(taken), std::move(done));
      });
}

void RedisLedger::prepare(CampaignDefinition definition, Done<void> done) {
  const redis::CampaignKeys keys(definition.id);
  if (preparing_.empty()) preparing_ = new_token(random_);
  core_.connection.send({"SET", keys.prepared + preparing_, "1", "EX", kPreparedSeconds},
                        [done = std::move(done)](Result<Reply> reply) mutable {
                          if (!reply) return done(reply.error());
                          if (reply->is_error()) return done(error_of(*reply));
                          done({});
                        });
}

void RedisLedger::open(CampaignDefinition definition, Done<void> done) {
  const redis::CampaignKeys keys(definition.id);
  // Before the campaign itself: a name without a campaign is passed over, a campaign without a name would be
  // missed.
  core_.connection.send({"SADD", redis::kCampaigns, definition.id.text()}, [](Result<Reply>) {});
  Command command =
      LedgerCore::words({keys.definition, keys.holders, keys.outbox, keys.prepared + preparing_});
  command.add(core_.guard_now(definition.epoch));
  add_fields(command, definition);
  core_.connection.run(
      ScriptId::open, std::move(command),
      [this, definition, done = std::move(done)](Result<Reply> reply) mutable {
        if (reply && (*reply)[0].text() == "conflict") {
          return done(make_error(ErrorCode::conflict,
                                 "there is a campaign '" + std::string(definition.id.text()) + "' already",
                                 "id"));
        }
        if (failed(core_, definition.id, reply, done)) return;
        core_.know_opened(definition);
        done({});
      });
}

void RedisLedger::begin_change(CampaignId id, CampaignPatch patch, Done<CampaignDefinition> done) {
  const auto& campaign = core_.campaign(id);
  const auto token = new_token(random_);
  Command command = LedgerCore::words({campaign.keys.definition});
  command.add(campaign.guard).add(token).add(core_.connection.options().hold_lasts.count());
  core_.connection.run(
      ScriptId::begin_change, std::move(command),
      [this, id, token, patch = std::move(patch), done = std::move(done)](Result<Reply> reply) mutable {
        if (reply && (*reply)[0].text() == "held") {
          return done(make_error(ErrorCode::conflict, "campaign " + std::string(id.text()) +
                                                          " is being changed: ask again in a moment"));
        }
        if (failed(core_, id, reply, done)) return;
        auto& there = core_.campaign(id);
        there.hold = token;
        auto stored = redis::read_campaign(id, *reply, 2, time_of((*reply)[1]));
        if (!stored) return done(stored.error());
        auto next = patched(stored->view.definition, patch, stored->view.issued);
        if (next) return done(std::move(next));
        release_hold(stored->view.definition);
        done(next.error());
      });
}

void RedisLedger::release_hold(const CampaignDefinition& definition) {
  end_change(definition, [](Result<void>) {});
}

void RedisLedger::end_change(CampaignDefinition definition, Done<void> done) {
  auto& campaign = core_.campaign(definition.id);
  Command command = LedgerCore::words({campaign.keys.definition});
  // The definition names its epoch: one that was begun before a recovery must not be taken in after it.
  command.add(campaign.guard.empty() ? campaign.guard : core_.guard_now(definition.epoch)).add(campaign.hold);
  command.add(static_cast<std::int64_t>(definition.revision))
      .add(static_cast<std::int64_t>(definition.limit));
  add_fields(command, definition);
  core_.connection.run(
      ScriptId::end_change, std::move(command),
      [this, definition, done = std::move(done)](Result<Reply> reply) mutable {
        if (reply && (*reply)[0].text() == "conflict") {
          return done(make_error(ErrorCode::conflict,
                                 "the limit cannot be " + std::to_string(definition.limit) + ": " +
                                     std::string((*reply)[1].text()) + " coupons are issued already",
                                 "limit"));
        }
        if (failed(core_, definition.id, reply, done)) return;
        auto& there = core_.campaign(definition.id);
        there.hold.clear();
        if (there.definition.epoch == definition.epoch && there.definition.revision < definition.revision) {
          there.definition = definition;
        }
        done({});
      });
}

void RedisLedger::holders(CampaignId campaign, std::uint64_t after, std::size_t max,
                          Done<std::vector<Decision>> done) {
  pages_->page(campaign, after, max, std::move(done));
}

}  // namespace doorbuster
