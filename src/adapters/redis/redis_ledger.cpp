#include "adapters/redis/redis_ledger.hpp"

#include <map>

#include "adapters/redis/holder_pages.hpp"

namespace doorbuster {

using redis::Command;
using redis::LedgerCore;
using redis::Reply;
using redis::ReplyView;
using redis::ScriptId;

namespace {

/// A longer batch is cut: one call holds the server for about a millisecond then, and Lua's stack has an end.
constexpr std::size_t kMostInOneCall = 512;
constexpr std::int64_t kSameBatch = -1000;

Outcome outcome_of(std::int64_t item) {
  switch (item) {
    case -1:
    case -2:
      return Outcome::sold_out;
    case -3:
      return Outcome::ended;
    case -4:
      return Outcome::paused;
    case -5:
      return Outcome::not_started;
    default:
      return Outcome::held;
  }
}

}  // namespace

/// The decisions of a batch, until all campaigns in it have answered.
struct RedisLedger::Gather {
  std::vector<IssueRequest> batch;
  std::vector<Decision> decisions;
  Done<std::vector<Decision>> done;
  std::size_t groups = 0;
  std::size_t failed_groups = 0;
  std::size_t open_groups = 0;
  Error failure;

  void finish_group() {
    if (--open_groups > 0) return;
    // Nothing is known of any: a failure. Of some: those keep `closed`, which is answered 503, too.
    if (failed_groups == groups && groups > 0) return done(failure);
    done(std::move(decisions));
  }
  void fail_group(Error error) {
    ++failed_groups;
    failure = std::move(error);
    finish_group();
  }
};

RedisLedger::RedisLedger(rt::Shard& shard, redis::Options options, RandomSource& random,
                         redis::LedgerEvents events, const redis::ScriptSet& scripts)
    : core_(shard, std::move(options), std::move(events), scripts),
      random_(random),
      pages_(std::make_unique<HolderPages>(core_)) {}
RedisLedger::~RedisLedger() = default;

void RedisLedger::start() {
  core_.start();
}
void RedisLedger::stop() {
  core_.stop();
}
void RedisLedger::know(std::vector<CampaignDefinition> definitions) {
  core_.know(std::move(definitions));
}

Result<void> RedisLedger::ready() const {
  if (!core_.connection.up()) return core_.connection.reason();
  return {};
}

redis::Persistence RedisLedger::persistence() const {
  const auto* facts = core_.connection.facts();
  return facts == nullptr ? redis::Persistence::none : facts->persistence;
}

void RedisLedger::decide(std::vector<IssueRequest> batch, Done<std::vector<Decision>> done) {
  if (batch.empty()) return done(std::vector<Decision>());
  auto gather = std::make_shared<Gather>();
  gather->batch = std::move(batch);
  gather->decisions.resize(gather->batch.size());  // each `closed`
  gather->done = std::move(done);

  // Mostly all are for one campaign.
  std::vector<std::pair<CampaignId, std::vector<std::size_t>>> groups;
  for (std::size_t i = 0; i < gather->batch.size(); ++i) {
    const auto& id = gather->batch[i].campaign;
    auto group = groups.begin();
    while (group != groups.end() && (group->first != id || group->second.size() >= kMostInOneCall)) ++group;
    if (group == groups.end()) group = groups.insert(group, {id, {}});
    group->second.push_back(i);
  }
  gather->groups = gather->open_groups = groups.size();
  for (auto& [id, places] : groups) decide_group(id, std::move(places), gather);
}

void RedisLedger::decide_group(const CampaignId& id, std::vector<std::size_t> places,
                               std::shared_ptr<Gather> gather) {
  const auto& campaign = core_.campaign(id);
  const auto n = places.size();
  Command command;
  command.reserve(256 + n * 48);
  command.add("4").add(campaign.keys.definition).add(campaign.keys.holders);
  command.add(campaign.keys.outbox).add(campaign.keys.missing);
  command.add(campaign.guard).add(static_cast<std::int64_t>(n));
  for (const auto place : places) command.add(gather->batch[place].user.text());
  std::vector<CouponCode> codes(n);
  std::string word;
  for (std::size_t i = 0; i < n; ++i) {
    CouponCode::Bytes bytes;
    random_.fill(bytes);
    codes[i] = CouponCode(bytes);
    word.clear();
    redis::append_number(word, static_cast<std::int64_t>(i + 1));
    word.resize(word.size() + 17, ' ');
    codes[i].write(word.data() + word.size() - 16);
    command.add(word);
  }
  core_.connection.run(
      ScriptId::decide, std::move(command),
      [this, id, gather = std::move(gather), places = std::move(places),
       codes = std::move(codes)](Result<Reply> result) {
        if (!result) return gather->fail_group(result.error());
        const auto& reply = *result;
        if (reply.is_error()) return gather->fail_group(error_of(reply));
        auto& decisions = gather->decisions;
        if (reply[0].text() != "ok") {
          const Outcome outcome = core_.judge(id, reply);
          for (const auto place : places) decisions[place].outcome = outcome;
          return gather->finish_group();
        }
        Decision common;
        common.epoch = static_cast<std::uint32_t>(reply[1].number());
        common.revision = static_cast<std::uint32_t>(reply[2].number());
        common.durability = reply[3].text() == "ledger" ? Durability::ledger : Durability::log;
        core_.saw_revision(core_.campaign(id), common.revision);
        const Timestamp decided_at{Duration{reply[4].number()}};
        const auto outbox = redis::packed_entry(reply[5].text());
        auto next_number = static_cast<std::uint64_t>(reply[6].number());
        std::vector<ReplyView> items(places.size());
        for (std::size_t said = 7; said + 1 < reply.size(); said += 2) {
          const auto place = static_cast<std::size_t>(reply[said].number());
          if (place >= 1 && place <= items.size()) items[place - 1] = reply[said + 1];
        }
        for (std::size_t i = 0; i < places.size(); ++i) {
          Decision& decision = decisions[places[i]];
          const auto& user = gather->batch[places[i]].user;
          const ReplyView item = items[i];
          decision = common;
          if (item.is_nil() || item.integer() > 0) {
            decision.outcome = Outcome::issued;
            decision.pending = true;
            decision.refilled = !item.is_nil();
            decision.outbox = outbox;
            const auto number = item.is_nil() ? next_number++ : static_cast<std::uint64_t>(item.integer());
            decision.coupon = {user, number, codes[i], decided_at};
          } else if (item.kind() == ReplyView::Kind::text) {
            auto held = redis::read_holder(user, item.text());
            if (!held) return gather->fail_group(held.error());
            decision = std::move(*held);
            decision.durability = common.durability;
          } else if (item.integer() < kSameBatch) {
            decision = decisions[places[static_cast<std::size_t>(kSameBatch - item.integer() - 1)]];
            decision.outcome = Outcome::already_issued;
          } else {
            decision.outcome = outcome_of(item.integer());
            decision.pending = item.integer() == -2;
          }
        }
        gather->finish_group();
      });
}

void RedisLedger::confirm(std::vector<CouponKey> batch, Done<void> done) {
  struct Confirmation {
    std::uint32_t epoch = 0;
    std::map<std::uint64_t, std::int64_t> entries;  // outbox -> coupons
  };
  std::map<CampaignId, Confirmation> campaigns;
  for (const auto& key : batch) {
    auto& confirmation = campaigns.try_emplace(key.campaign, Confirmation{key.epoch, {}}).first->second;
    const auto* campaign = core_.find(key.campaign);
    if (key.epoch != confirmation.epoch || (campaign != nullptr && campaign->definition.epoch != key.epoch)) {
      core_.ask_refresh();
      return done(make_error(ErrorCode::closed, "coupon " + std::to_string(key.sequence) + " of campaign " +
                                                    std::string(key.campaign.text()) +
                                                    " was decided in epoch " + std::to_string(key.epoch) +
                                                    ", which is over"));
    }
    ++confirmation.entries[key.outbox];
  }
  if (campaigns.empty()) return done({});

  struct Confirming {
    Done<void> done;
    std::size_t open;
    Result<void> result;
  };
  auto confirming = std::make_shared<Confirming>(Confirming{std::move(done), campaigns.size(), {}});
  for (const auto& [id, confirmation] : campaigns) {
    const auto& campaign = core_.campaign(id);
    Command command =
        LedgerCore::words({campaign.keys.definition, campaign.keys.outbox, campaign.keys.claims});
    command.add(core_.guard_now(confirmation.epoch));
    for (const auto& [outbox, coupons] : confirmation.entries)
      command.add(redis::entry_id(outbox)).add(coupons);
    core_.connection.run(
        ScriptId::confirm, std::move(command), [this, id = id, confirming](Result<Reply> reply) {
          const auto answer = [&confirming](Result<void> failure) {
            confirming->result = std::move(failure);
          };
          if (reply && !reply->is_error() && (*reply)[0].text() == "partial") {
            answer(make_error(ErrorCode::internal, "coupons of one outbox are confirmed together: " +
                                                       std::string((*reply)[1].text())));
          } else {
            failed(core_, id, reply, answer);
          }
          if (--confirming->open == 0) confirming->done(std::move(confirming->result));
        });
  }
}

}  // namespace doorbuster
