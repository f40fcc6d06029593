#include "tests/sim/model_redis.hpp"

#include <algorithm>

namespace doorbuster::model {
namespace {

Error closed() {
  return make_error(ErrorCode::closed, "the campaign is closed until its ledger has been recovered");
}
Error later_epoch() {
  return make_error(ErrorCode::conflict, "the ledger is at a later epoch");
}

CouponIssued event_of(const CampaignId& campaign, const Decision& holder) {
  return {campaign, holder.epoch, holder.revision, holder.refilled, holder.coupon, {}};
}

}  // namespace

Redis::Campaign* Redis::of(const CampaignId& campaign) {
  const auto found = campaigns_.find(campaign);
  return found == campaigns_.end() ? nullptr : &found->second;
}

Redis::Campaign* Redis::usable(const CampaignId& campaign, const Known& known) {
  Campaign* there = of(campaign);
  if (there == nullptr || there->closed || there->run != run_) return nullptr;
  const auto learned = known.find(campaign);
  if (learned != known.end() && learned->second.epoch > there->definition.epoch) return nullptr;
  return there;
}

void Redis::write(Entry entry) {
  apply(entry);
  file_.push_back(std::move(entry));
}

void Redis::apply(const Entry& entry) {
  Campaign& campaign = campaigns_[entry.definition.id];
  switch (entry.kind) {
    case Kind::open:
      campaign.definition = entry.definition;
      campaign.ledger = std::make_unique<CampaignLedger>(entry.definition);
      campaign.run = entry.run;
      return;
    case Kind::change:
      campaign.ledger->end_change(entry.definition);
      campaign.definition = entry.definition;
      return;
    case Kind::close:
      campaign.definition = entry.definition;
      campaign.closed = true;
      if (!campaign.ledger) campaign.ledger = std::make_unique<CampaignLedger>(entry.definition);
      return;
    case Kind::empty:
      if (!campaign.aside) {
        campaign.aside.emplace();
        for (const auto& holder : campaign.ledger->holders(0, SIZE_MAX))
          campaign.aside->push_back(event_of(entry.definition.id, holder));
      }
      campaign.definition = entry.definition;
      campaign.ledger = std::make_unique<CampaignLedger>(entry.definition);
      campaign.rebuild_run = entry.run;
      return;
    case Kind::add_safe:
    case Kind::add_pending:
      for (const auto& event : entry.events) {
        const auto added = entry.kind == Kind::add_safe ? campaign.ledger->restore(event)
                                                        : campaign.ledger->restore(event, clock_.now());
        DOORBUSTER_ASSERT(added.has_value());
      }
      return;
    case Kind::opened:
      campaign.ledger->finish_restore();
      campaign.aside.reset();
      campaign.closed = false;
      campaign.run = entry.run;
      return;
    case Kind::confirm:
      for (const auto sequence : entry.sequences) campaign.ledger->confirm(sequence);
      return;
  }
}

std::vector<Decision> Redis::decide(const Known& known, const std::vector<IssueRequest>& batch) {
  std::vector<Decision> decisions;
  std::map<CampaignId, std::vector<CouponIssued>> admitted;
  const Timestamp now = clock_.now();
  for (const auto& request : batch) {
    Campaign* campaign = usable(request.campaign, known);
    if (campaign == nullptr) {
      Decision none;
      none.outcome = of(request.campaign) == nullptr && !known.contains(request.campaign)
                         ? Outcome::unknown_campaign
                         : Outcome::closed;
      decisions.push_back(none);
      continue;
    }
    decisions.push_back(campaign->ledger->decide(request.user, now, random_));
    if (decisions.back().outcome == Outcome::issued)
      admitted[request.campaign].push_back(event_of(request.campaign, decisions.back()));
  }
  for (auto& [id, events] : admitted)
    file_.push_back({Kind::add_pending, of(id)->definition, std::move(events)});
  return decisions;
}

Result<void> Redis::confirm(const std::vector<CouponKey>& batch) {
  for (const auto& key : batch) {
    Campaign* campaign = of(key.campaign);
    if (campaign == nullptr || campaign->closed || campaign->run != run_) return closed();
    if (campaign->definition.epoch != key.epoch) return closed();
  }
  std::map<CampaignId, std::vector<std::uint64_t>> sequences;
  for (const auto& key : batch) sequences[key.campaign].push_back(key.sequence);
  for (auto& [id, numbers] : sequences) write({Kind::confirm, of(id)->definition, {}, 0, std::move(numbers)});
  return {};
}

Result<std::optional<Decision>> Redis::find(const Known& known, const CampaignId& campaign,
                                            const UserId& user) {
  Campaign* there = usable(campaign, known);
  if (there != nullptr) return there->ledger->find(user);
  if (of(campaign) == nullptr && !known.contains(campaign)) return std::optional<Decision>();
  return closed();
}

Result<std::optional<CampaignView>> Redis::show(const Known& known, const CampaignId& campaign) {
  Campaign* there = usable(campaign, known);
  if (there != nullptr) return std::optional(there->ledger->view(clock_.now()));
  if (of(campaign) == nullptr && !known.contains(campaign)) return std::optional<CampaignView>();
  return closed();
}

std::vector<PendingEvent> Redis::take_overdue(const Known& known, Duration older_than, std::size_t max) {
  std::vector<PendingEvent> overdue;
  const Timestamp now = clock_.now();
  for (auto& [id, unused] : campaigns_) {
    Campaign* campaign = usable(id, known);
    if (campaign == nullptr) continue;
    for (auto& event : campaign->ledger->take_overdue(now - older_than, now, max))
      overdue.push_back({std::move(event), 0});
  }
  return overdue;
}

Result<void> Redis::open(const CampaignDefinition& definition, std::uint64_t who) {
  if (of(definition.id) != nullptr)
    return make_error(ErrorCode::conflict, "the campaign is there already", "id");
  if (prepared_.erase({definition.id, who}) == 0) return closed();
  write({Kind::open, definition, {}, run_});
  return {};
}

Result<CampaignDefinition> Redis::begin_change(const CampaignId& id, const CampaignPatch& patch,
                                               std::uint64_t who) {
  Campaign* campaign = usable(id, {});
  if (campaign == nullptr) return closed();
  const Timestamp now = clock_.now();
  const bool take_over = campaign->ledger->changing() && now - campaign->held_since >= kHoldLasts;
  if (take_over) campaign->ledger->end_change(campaign->ledger->definition());
  auto begun = campaign->ledger->begin_change(patch);
  if (!begun) {
    // Held on: a patch that is refused releases nobody else's hold.
    if (take_over) DOORBUSTER_ASSERT(campaign->ledger->begin_change({}));
    return begun;
  }
  campaign->held_since = now;
  campaign->held_by = who;
  campaign->taken_over = take_over;
  return begun;
}

Result<void> Redis::end_change(const CampaignDefinition& definition, std::uint64_t who) {
  Campaign* campaign = usable(definition.id, {});
  if (campaign == nullptr || campaign->definition.epoch != definition.epoch) return closed();
  if (definition.revision <= campaign->definition.revision) {
    const bool mine = campaign->held_by == who && !campaign->taken_over;
    if (campaign->ledger->changing() && mine) campaign->ledger->end_change(campaign->ledger->definition());
    return {};
  }
  if (definition.limit < campaign->ledger->issued())
    return make_error(ErrorCode::conflict, "the limit would be below what is issued", "limit");
  write({Kind::change, definition});
  return {};
}

Result<std::vector<Decision>> Redis::holders(const CampaignId& id, std::uint64_t after, std::size_t max) {
  Campaign* campaign = usable(id, {});
  if (campaign == nullptr) return closed();
  return campaign->ledger->holders(after, max);
}

Result<void> Redis::close(const CampaignDefinition& definition) {
  Campaign* campaign = of(definition.id);
  if (campaign != nullptr && campaign->definition.epoch > definition.epoch) return later_epoch();
  write({Kind::close, definition});
  return {};
}

std::vector<CouponIssued> Redis::everything(const CampaignId& id) const {
  std::vector<CouponIssued> all;
  const auto found = campaigns_.find(id);
  if (found == campaigns_.end()) return all;
  for (const auto& holder : found->second.ledger->holders(0, SIZE_MAX)) all.push_back(event_of(id, holder));
  if (found->second.aside) all.insert(all.end(), found->second.aside->begin(), found->second.aside->end());
  return all;
}

Result<Redis::Campaign*> Redis::rebuilding(const CampaignDefinition& definition) {
  Campaign* campaign = of(definition.id);
  if (campaign == nullptr || !campaign->closed)
    return make_error(ErrorCode::conflict, "the campaign is not being rebuilt");
  if (campaign->definition.epoch != definition.epoch) return later_epoch();
  return campaign;
}

Result<void> Redis::begin_rebuild(const CampaignDefinition& definition) {
  const auto campaign = rebuilding(definition);
  if (!campaign) return campaign.error();
  write({Kind::empty, definition, {}, run_});
  return {};
}

Result<void> Redis::add(const CampaignDefinition& definition, std::span<const CouponIssued> events,
                        bool safe) {
  const auto campaign = rebuilding(definition);
  if (!campaign) return campaign.error();
  if ((*campaign)->rebuild_run != run_) return make_error(ErrorCode::conflict, "another run");
  write({safe ? Kind::add_safe : Kind::add_pending, definition, {events.begin(), events.end()}});
  return {};
}

Result<void> Redis::finish_rebuild(const CampaignDefinition& definition,
                                   std::span<const NumberRange> missing) {
  const auto campaign = rebuilding(definition);
  if (!campaign) return campaign.error();
  if ((*campaign)->rebuild_run != run_) return make_error(ErrorCode::conflict, "another run");
  write({Kind::opened, definition, {}, run_});
  // The ledger here finds the missing numbers by itself; a real one is told of them.
  std::uint64_t told = 0;
  for (const auto& range : missing) told += range.last - range.first + 1;
  const auto all = (*campaign)->ledger->holders(0, SIZE_MAX);
  DOORBUSTER_ASSERT(told + all.size() == (all.empty() ? 0 : all.back().coupon.sequence));
  return {};
}

bool Redis::is_open(const CampaignId& id, std::uint32_t epoch) const {
  const auto found = campaigns_.find(id);
  return found != campaigns_.end() && !found->second.closed && found->second.run == run_ &&
         found->second.definition.epoch == epoch;
}

void Redis::restart(std::size_t lost) {
  ++run_;
  campaigns_.clear();
  prepared_.clear();
  file_.resize(file_.size() - std::min(lost, file_.size()));
  for (const auto& entry : file_) apply(entry);
  for (auto& [id, campaign] : campaigns_) campaign.ledger->finish_restore();
}

void Redis::flush() {
  campaigns_.clear();
  prepared_.clear();
  file_.clear();
}

Result<void> RedisRebuild::close(const CampaignDefinition& definition) {
  if (const auto fine = before_("redis close"); !fine) return fine;
  return redis_.close(definition);
}
Result<void> RedisRebuild::read_holders(const CampaignId& campaign, Each<CouponIssued> each) {
  if (const auto fine = before_("redis read_holders"); !fine) return fine;
  for (auto& event : redis_.everything(campaign)) {
    if (const auto taken = each(std::move(event)); !taken) return taken;
  }
  return {};
}
Result<void> RedisRebuild::begin_rebuild(const CampaignDefinition& definition) {
  if (const auto fine = before_("redis begin_rebuild"); !fine) return fine;
  return redis_.begin_rebuild(definition);
}
Result<void> RedisRebuild::add(const CampaignDefinition& definition, std::span<const CouponIssued> events,
                               bool safe) {
  if (const auto fine = before_("redis add"); !fine) return fine;
  return redis_.add(definition, events, safe);
}
Result<void> RedisRebuild::finish_rebuild(const CampaignDefinition& definition,
                                          std::span<const NumberRange> missing) {
  if (const auto fine = before_("redis finish_rebuild"); !fine) return fine;
  return redis_.finish_rebuild(definition, missing);
}
Result<bool> RedisRebuild::is_open(const CampaignDefinition& definition) {
  if (const auto fine = before_("redis is_open"); !fine) return fine.error();
  return redis_.is_open(definition.id, definition.epoch);
}

}  // namespace doorbuster::model
