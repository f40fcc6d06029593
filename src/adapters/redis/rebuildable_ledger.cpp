#include "adapters/redis/rebuildable_ledger.hpp"

#include <algorithm>

namespace doorbuster {

using redis::BlockingConnection;
using redis::CampaignKeys;
using redis::Command;
using redis::Reply;
using redis::ScriptId;

namespace {

constexpr std::size_t kCouponsInACall = 500;
constexpr std::size_t kCallsInTheAir = 16;

Error refused(const CampaignDefinition& definition) {
  return make_error(ErrorCode::conflict,
                    "campaign " + std::string(definition.id.text()) + ": Redis is not at epoch " +
                        std::to_string(definition.epoch) +
                        ", not closed, or was restarted: another recovery is at work, or begin "
                        "this one again");
}

Command keys_of(std::initializer_list<std::string_view> keys) {
  Command command;
  command.add(static_cast<std::int64_t>(keys.size()));
  for (const auto key : keys) command.add(key);
  return command;
}

}  // namespace

Result<void> RedisRebuildableLedger::connect() {
  if (connection_ != nullptr && !connection_->broken()) return {};
  auto made = BlockingConnection::open(options_, scripts_);
  if (!made) return made.error();
  connection_ = std::move(*made);
  return {};
}

Result<void> RedisRebuildableLedger::run(ScriptId script, const Command& words,
                                         const CampaignDefinition& definition) {
  if (const auto settled = settle(0); !settled) return settled;
  if (const auto there = connect(); !there) return there;
  const auto reply = connection_->run(script, words);
  if (!reply) return reply.error();
  return (*reply)[0].text() == "ok" ? Result<void>() : refused(definition);
}

/// Reads answers of add() until at most so many are missing.
Result<void> RedisRebuildableLedger::settle(std::size_t most_unanswered) {
  Result<void> result;
  while (connection_ != nullptr && connection_->unanswered() > most_unanswered) {
    const auto reply = connection_->receive();
    if (!reply) return reply.error();
    if (reply->is_error()) {
      result = error_of(*reply);
    } else if ((*reply)[0].text() != "ok" && result) {
      result = make_error(
          ErrorCode::conflict,
          "Redis is at another epoch, or was restarted: another recovery is at work, or begin this "
          "one again");
    }
  }
  return result;
}

Result<void> RedisRebuildableLedger::close(const CampaignDefinition& definition) {
  const CampaignKeys keys(definition.id);
  if (const auto settled = settle(0); !settled) return settled;
  if (const auto there = connect(); !there) return there;
  const auto listed = connection_->call({"SADD", redis::kCampaigns, definition.id.text()});
  if (!listed) return listed.error();
  Command command = keys_of({keys.definition});
  command.add(redis::closed_guard_of(definition.epoch)).add(static_cast<std::int64_t>(definition.epoch));
  add_fields(command, definition);
  return run(ScriptId::close, command, definition);
}

Result<void> RedisRebuildableLedger::read_holders(const CampaignId& campaign, Each<CouponIssued> each) {
  const CampaignKeys keys(campaign);
  if (const auto settled = settle(0); !settled) return settled;
  if (const auto there = connect(); !there) return there;
  if (const auto read = read_hash(campaign, keys.aside, each); !read) return read;
  return read_hash(campaign, keys.holders, each);
}

Result<void> RedisRebuildableLedger::read_hash(const CampaignId& campaign, const std::string& key,
                                               Each<CouponIssued>& each) {
  std::string cursor = "0";
  do {
    const auto reply = connection_->call({"HSCAN", key, cursor, "COUNT", "2000"});
    if (!reply) return reply.error();
    const auto items = (*reply)[1];
    for (std::size_t i = 0; i + 1 < items.size(); i += 2) {
      const auto user = UserId::parse(items[i].text());
      if (!user) return user.error();
      const auto held = redis::read_holder(*user, items[i + 1].text());
      if (!held) return held.error();
      CouponIssued event{campaign, held->epoch, held->revision, held->refilled, held->coupon, {}};
      if (const auto taken = each(std::move(event)); !taken) return taken;
    }
    cursor = (*reply)[0].text();
  } while (cursor != "0");
  return {};
}

Result<void> RedisRebuildableLedger::begin_rebuild(const CampaignDefinition& definition) {
  const CampaignKeys keys(definition.id);
  if (const auto there = connect(); !there) return there;
  Command command = keys_of(
      {keys.definition, keys.holders, keys.outbox, keys.claims, keys.missing, keys.aside, keys.members});
  command.add(redis::closed_guard_of(definition.epoch)).add(connection_->facts().run_id);
  return run(ScriptId::begin_rebuild, command, definition);
}

Result<void> RedisRebuildableLedger::add(const CampaignDefinition& definition,
                                         std::span<const CouponIssued> events, bool safe) {
  if (connection_ == nullptr || connection_->broken())
    return refused(definition);  // it was emptied by a call
  const CampaignKeys keys(definition.id);
  const auto guard = redis::closed_guard_of(definition.epoch);
  while (!events.empty()) {
    const auto part = events.first(std::min(events.size(), kCouponsInACall));
    events = events.subspan(part.size());
    std::uint64_t highest = 0;
    for (const auto& event : part) highest = std::max(highest, event.coupon.sequence);
    Command command = keys_of({keys.definition, keys.holders, keys.outbox});
    command.reserve(512 + part.size() * 100);
    command.add(guard).add(connection_->facts().run_id).add(safe ? "1" : "0");
    command.add(static_cast<std::int64_t>(highest)).add(static_cast<std::int64_t>(part.size()));
    for (const auto& event : part) {
      auto text = redis::holder_text(event);
      if (safe) {
        text += '-';
      } else if (event.epoch != definition.epoch) {
        // Behind the fence, events of the epoch before are void: it is appended under the new one.
        CouponIssued renewed = event;
        renewed.epoch = definition.epoch;
        text = redis::holder_text(renewed);
      }
      command.add(event.coupon.user.text()).add(text);
    }
    if (const auto sent = connection_->send(ScriptId::add, command); !sent) return sent;
    if (const auto settled = settle(kCallsInTheAir); !settled) return settled;
  }
  return {};
}

Result<void> RedisRebuildableLedger::finish_rebuild(const CampaignDefinition& definition,
                                                    std::span<const NumberRange> missing) {
  if (connection_ == nullptr || connection_->broken()) return refused(definition);
  const CampaignKeys keys(definition.id);
  const auto& run_id = connection_->facts().run_id;
  std::uint64_t count = 0;
  for (const auto& range : missing) count += range.last - range.first + 1;
  Command command = keys_of({keys.definition, keys.holders, keys.missing, keys.aside});
  command.add(redis::closed_guard_of(definition.epoch)).add(run_id);
  command.add(redis::guard_of(definition.epoch, run_id)).add(static_cast<std::int64_t>(count));
  command.add(missing.empty() ? 0 : static_cast<std::int64_t>(missing.back().last));
  for (const auto& range : missing)
    command.add(std::to_string(range.first) + "-" + std::to_string(range.last));
  return run(ScriptId::finish_rebuild, command, definition);
}

Result<bool> RedisRebuildableLedger::is_open(const CampaignDefinition& definition) {
  const CampaignKeys keys(definition.id);
  if (const auto settled = settle(0); !settled) return settled.error();
  if (const auto there = connect(); !there) return there.error();
  const auto reply = connection_->call({"HGET", keys.definition, "guard"});
  if (!reply) return reply.error();
  return reply->text() == redis::guard_of(definition.epoch, connection_->facts().run_id);
}

}  // namespace doorbuster
