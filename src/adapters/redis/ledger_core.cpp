#include "adapters/redis/ledger_core.hpp"

#include "base/log.hpp"

namespace doorbuster::redis {
namespace {

/// A definition that this process wrote counts as known while the database was heard of so lately.
constexpr auto kHeardLately = std::chrono::seconds(5);

std::string quoted(const CampaignId& id) {
  return "campaign " + std::string(id.text());
}

}  // namespace

LedgerCore::LedgerCore(rt::Shard& the_shard, Options options, LedgerEvents the_events,
                       const ScriptSet& scripts)
    : shard(the_shard),
      events(std::move(the_events)),
      connection(the_shard, std::move(options),
                 {[this](const ServerFacts& facts) {
                    run_id_ = facts.run_id;
                    set_guards();
                    ask_refresh();
                  },
                  nullptr},
                 scripts) {}

LedgerCore::~LedgerCore() {
  stop();
}

void LedgerCore::stop() {
  connection.stop();
  events = {};
}

void LedgerCore::know(std::vector<CampaignDefinition> definitions) {
  std::set<CampaignId> there;
  for (auto& definition : definitions) {
    there.insert(definition.id);
    Campaign& campaign = campaigns_.try_emplace(definition.id, definition.id).first->second;
    // A change that was written here a moment ago may be newer than what was read from the database before
    // it.
    if (definition.epoch >= campaign.definition.epoch &&
        definition.revision >= campaign.definition.revision) {
      campaign.definition = std::move(definition);
    }
    campaign.reported = campaign.catching_up = false;
  }
  std::erase_if(campaigns_, [&there](const auto& entry) { return !there.contains(entry.first); });
  refresh_asked_ = false;
  known_at_ = std::chrono::steady_clock::now();
  set_guards();
  connection.look_again();
}

void LedgerCore::know_opened(const CampaignDefinition& definition) {
  if (events.refresh && std::chrono::steady_clock::now() - known_at_ > kHeardLately) return ask_refresh();
  Campaign& campaign = campaigns_.try_emplace(definition.id, definition.id).first->second;
  campaign.definition = definition;
  set_guards();
}

void LedgerCore::set_guards() {
  for (auto& [id, campaign] : campaigns_) campaign.guard = guard_now(campaign.definition.epoch);
}

std::string LedgerCore::guard_now(std::uint32_t epoch) const {
  return guard_of(epoch, run_id_);
}

LedgerCore::Campaign& LedgerCore::campaign(const CampaignId& id) {
  const auto found = campaigns_.find(id);
  if (found != campaigns_.end()) return found->second;
  unknown_ = Campaign(id);
  return unknown_;
}

const LedgerCore::Campaign* LedgerCore::find(const CampaignId& id) const {
  const auto found = campaigns_.find(id);
  return found == campaigns_.end() ? nullptr : &found->second;
}

std::vector<CampaignId> LedgerCore::known() const {
  std::vector<CampaignId> ids;
  ids.reserve(campaigns_.size());
  for (const auto& [id, campaign] : campaigns_) ids.push_back(id);
  return ids;
}

Outcome LedgerCore::judge(const CampaignId& id, ReplyView reply) {
  const auto status = reply[0].text();
  const auto found = campaigns_.find(id);
  if (found == campaigns_.end()) {
    if (status == "absent") return Outcome::unknown_campaign;
    // Somebody has just made it: it is decided as soon as the database has told of it.
    ask_refresh();
    return Outcome::held;
  }
  if (status != "absent" && reply[1].number() > static_cast<std::int64_t>(found->second.definition.epoch)) {
    ask_refresh();
  } else {
    report(found->second);
  }
  return Outcome::closed;
}

Error LedgerCore::refusal(const CampaignId& id, ReplyView reply) {
  switch (judge(id, reply)) {
    case Outcome::unknown_campaign:
      return make_error(ErrorCode::not_found, "there is no campaign '" + std::string(id.text()) + "'");
    case Outcome::held:
      return make_error(ErrorCode::not_ready, quoted(id) + " has just been made; ask again");
    default:
      return make_error(ErrorCode::closed,
                        quoted(id) + " is closed until its ledger in Redis has been recovered");
  }
}

void LedgerCore::report(Campaign& campaign) {
  if (std::exchange(campaign.reported, true)) return;
  log().warn("{}: Redis does not have it as epoch {} under the run of the server; it must be recovered",
             quoted(campaign.id), campaign.definition.epoch);
  if (events.needs_recovery) events.needs_recovery(campaign.id);
}

void LedgerCore::ask_refresh() {
  if (std::exchange(refresh_asked_, true)) return;
  if (events.refresh) events.refresh();
}

void LedgerCore::saw_revision(Campaign& campaign, std::uint32_t revision) {
  if (revision >= campaign.definition.revision || std::exchange(campaign.catching_up, true)) return;
  Command command = words({campaign.keys.definition});
  command.add(campaign.guard).add("").add(static_cast<std::int64_t>(campaign.definition.revision));
  command.add(static_cast<std::int64_t>(campaign.definition.limit));
  add_fields(command, campaign.definition);
  connection.run(ScriptId::end_change, std::move(command), [id = campaign.id](Result<Reply> reply) {
    if (reply && (*reply)[0].text() == "conflict") {
      log().error("{}: its limit in the database is below the coupons that are issued", quoted(id));
    }
  });
}

Command LedgerCore::words(std::initializer_list<std::string_view> keys) {
  Command command;
  command.add(static_cast<std::int64_t>(keys.size()));
  for (const auto key : keys) command.add(key);
  return command;
}

}  // namespace doorbuster::redis
