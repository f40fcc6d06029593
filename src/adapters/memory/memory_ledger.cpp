#include "adapters/memory/memory_ledger.hpp"

#include <algorithm>

namespace doorbuster {
namespace {

Error closed() {
  return make_error(ErrorCode::closed,
                    "the ledger is closed until its campaigns have been read back from the log");
}
Error not_found(const CampaignId& campaign) {
  return make_error(ErrorCode::not_found, "there is no campaign '" + std::string(campaign.text()) + "'");
}
Error other_epoch(const CouponKey& key) {
  return make_error(ErrorCode::closed, "coupon " + std::to_string(key.sequence) + " of campaign " +
                                           std::string(key.campaign.text()) + " was decided in epoch " +
                                           std::to_string(key.epoch) + ", which is over");
}

bool is_unloadable(const CampaignLedger& ledger) {
  return ledger.definition().status == CampaignStatus::ended && !ledger.changing() && ledger.pending() == 0;
}

/// What CampaignLedger::find() said of the coupon before its campaign was unloaded.
Decision held_by(const StoredCoupon& stored, Durability durability) {
  return {.outcome = Outcome::already_issued,
          .pending = false,
          .refilled = stored.refilled,
          .epoch = stored.epoch,
          .revision = stored.revision,
          .durability = durability,
          .coupon = stored.coupon};
}

/// A user that the archive does not have is no holder if it has all of them, which it had when the campaign
/// was unloaded. One that was lost since and is being filled again from the log does not tell.
void nobody_if_whole(HolderArchive& archive, const CampaignId& campaign, std::uint64_t issued,
                     Ledger::Done<std::optional<Decision>> done) {
  archive.list(
      campaign, issued - 1, 1,
      [campaign, done = std::move(done)](Result<std::vector<StoredCoupon>> last) mutable {
        if (!last) return done(last.error());
        if (!last->empty()) return done(std::optional<Decision>());
        done(make_error(ErrorCode::unavailable, "the repository does not have all coupons of campaign " +
                                                    std::string(campaign.text()) + " at present"));
      });
}

}  // namespace

MemoryLedger::MemoryLedger(Clock& clock, RandomSource& random) : clock_(clock), random_(random) {}

CampaignLedger* MemoryLedger::ledger_of(const CampaignId& campaign) {
  if (last_used_ != nullptr && last_used_->definition().id == campaign) return last_used_;
  const auto found = campaigns_.find(campaign);
  if (found == campaigns_.end()) return nullptr;
  last_used_ = found->second.get();
  return last_used_;
}

MemoryLedger::Unloaded* MemoryLedger::unloaded_of(const CampaignId& campaign) {
  const auto found = unloaded_.find(campaign);
  return found == unloaded_.end() ? nullptr : &found->second;
}

const CampaignDefinition* MemoryLedger::definition_of(const CampaignId& campaign) {
  if (const CampaignLedger* ledger = ledger_of(campaign)) return &ledger->definition();
  if (const Unloaded* unloaded = unloaded_of(campaign)) return &unloaded->campaign.definition();
  return nullptr;
}

Result<void> MemoryLedger::restore(const LogRecord& record) {
  DOORBUSTER_ASSERT(!open_);
  const auto at_position = [&record](Result<void> result) {
    if (result) return result;
    Error error = std::move(result).error();
    error.detail = "log position " + std::to_string(record.position) + ": " + error.detail;
    return Result<void>(std::move(error));
  };
  if (const auto* changed = std::get_if<CampaignChanged>(&record.event)) {
    CampaignLedger* ledger = ledger_of(changed->definition.id);
    if (ledger != nullptr) return at_position(ledger->restore(*changed));
    campaigns_.emplace(changed->definition.id, std::make_unique<CampaignLedger>(changed->definition));
    return {};
  }
  const auto& issued = std::get<CouponIssued>(record.event);
  CampaignLedger* ledger = ledger_of(issued.campaign);
  if (ledger == nullptr) {
    return at_position(
        make_error(ErrorCode::corrupt,
                   "a coupon of campaign " + std::string(issued.campaign.text()) + " before its definition"));
  }
  return at_position(ledger->restore(issued));
}

void MemoryLedger::finish_restore() {
  DOORBUSTER_ASSERT(!open_);
  for (const auto& [id, ledger] : campaigns_) ledger->finish_restore();
  open_ = true;
}

Decision MemoryLedger::decide_one(const IssueRequest& request, Timestamp now) {
  CampaignLedger* ledger = ledger_of(request.campaign);
  if (ledger != nullptr) return ledger->decide(request.user, now, random_);
  if (const Unloaded* unloaded = unloaded_of(request.campaign))
    return unloaded->campaign.decide(request.user);
  Decision unknown;
  unknown.outcome = Outcome::unknown_campaign;
  return unknown;
}

#ifndef DOORBUSTER_PLANT_TWO_STEP_DECISION

void MemoryLedger::decide(std::vector<IssueRequest> batch, Done<std::vector<Decision>> done) {
  if (!open_) return done(std::vector<Decision>(batch.size()));  // each `closed`
  const Timestamp now = clock_.now();
  std::vector<Decision> decisions;
  decisions.reserve(batch.size());
  for (const IssueRequest& request : batch) decisions.push_back(decide_one(request, now));
  done(std::move(decisions));
}

#else  // a defect for the simulator to find: all are checked before the first is counted

void MemoryLedger::decide(std::vector<IssueRequest> batch, Done<std::vector<Decision>> done) {
  if (!open_) return done(std::vector<Decision>(batch.size()));
  const Timestamp now = clock_.now();
  std::vector<std::optional<Decision>> refusals;
  for (const IssueRequest& request : batch) {
    CampaignLedger* ledger = ledger_of(request.campaign);
    if (ledger == nullptr) {
      refusals.push_back(decide_one(request, now));
    } else {
      refusals.push_back(ledger->refuse(ledger->key_of(request.user), now));
    }
  }
  std::vector<Decision> decisions;
  for (std::size_t i = 0; i < batch.size(); ++i) {
    if (refusals[i]) {
      decisions.push_back(*refusals[i]);
      continue;
    }
    CampaignLedger* ledger = ledger_of(batch[i].campaign);
    decisions.push_back(ledger->admit(batch[i].user, ledger->key_of(batch[i].user), now, random_));
  }
  done(std::move(decisions));
}

#endif

void MemoryLedger::confirm(std::vector<CouponKey> batch, Done<void> done) {
  if (!open_) return done(closed());
  for (const CouponKey& key : batch) {
    const CampaignDefinition* definition = definition_of(key.campaign);
    if (definition == nullptr) return done(not_found(key.campaign));
    if (definition->epoch != key.epoch) return done(other_epoch(key));
  }
  for (const CouponKey& key : batch) {
    // Of an unloaded campaign every coupon is safe already: an append and the relay's may both confirm one.
    if (CampaignLedger* ledger = ledger_of(key.campaign)) ledger->confirm(key.sequence);
  }
  done({});
}

void MemoryLedger::find(CampaignId campaign, UserId user, Done<std::optional<Decision>> done) {
  if (!open_) return done(closed());
  if (const CampaignLedger* ledger = ledger_of(campaign)) return done(ledger->find(user));
  const Unloaded* unloaded = unloaded_of(campaign);
  if (unloaded == nullptr || !unloaded->campaign.may_hold(user)) return done(std::optional<Decision>());
  unloaded->archive->find(campaign, user,
                          [campaign, archive = unloaded->archive, issued = unloaded->campaign.view().issued,
                           durability = unloaded->campaign.definition().durability,
                           done = std::move(done)](Result<std::optional<StoredCoupon>> stored) mutable {
                            if (!stored) return done(stored.error());
                            if (*stored) return done(std::optional(held_by(**stored, durability)));
                            nobody_if_whole(*archive, campaign, issued, std::move(done));
                          });
}

void MemoryLedger::show(CampaignId campaign, Done<std::optional<CampaignView>> done) {
  if (!open_) return done(closed());
  if (const CampaignLedger* ledger = ledger_of(campaign)) {
    return done(std::optional(ledger->view(clock_.now())));
  }
  const Unloaded* unloaded = unloaded_of(campaign);
  done(unloaded == nullptr ? std::nullopt : std::optional(unloaded->campaign.view()));
}

void MemoryLedger::list(Done<std::vector<CampaignView>> done) {
  if (!open_) return done(closed());
  const Timestamp now = clock_.now();
  std::vector<CampaignView> views;
  views.reserve(campaigns_.size() + unloaded_.size());
  for (const auto& [id, ledger] : campaigns_) views.push_back(ledger->view(now));
  for (const auto& [id, unloaded] : unloaded_) views.push_back(unloaded.campaign.view());
  std::sort(views.begin(), views.end(),
            [](const CampaignView& a, const CampaignView& b) { return a.definition.id < b.definition.id; });
  done(std::move(views));
}

void MemoryLedger::take_overdue(Duration older_than, std::size_t max, Done<std::vector<PendingEvent>> done) {
  if (!open_) return done(closed());
  const Timestamp now = clock_.now();
  std::vector<PendingEvent> overdue;
  for (const auto& [id, ledger] : campaigns_) {
    if (overdue.size() >= max) break;
    if (ledger->pending() == 0) continue;
    for (auto& event : ledger->take_overdue(now - older_than, now, max - overdue.size())) {
      overdue.push_back({std::move(event), 0});
    }
  }
  done(std::move(overdue));
}

void MemoryLedger::prepare(CampaignDefinition, Done<void> done) {
  done({});
}

void MemoryLedger::open(CampaignDefinition definition, Done<void> done) {
  if (!open_) return done(closed());
  if (definition_of(definition.id) != nullptr) {
    return done(make_error(ErrorCode::conflict,
                           "there is a campaign '" + std::string(definition.id.text()) + "' already", "id"));
  }
  const CampaignId id = definition.id;
  campaigns_.emplace(id, std::make_unique<CampaignLedger>(std::move(definition)));
  done({});
}

void MemoryLedger::begin_change(CampaignId campaign, CampaignPatch patch, Done<CampaignDefinition> done) {
  if (!open_) return done(closed());
  if (CampaignLedger* ledger = ledger_of(campaign)) return done(ledger->begin_change(patch));
  Unloaded* unloaded = unloaded_of(campaign);
  if (unloaded == nullptr) return done(not_found(campaign));
  done(unloaded->campaign.begin_change(patch));
}

void MemoryLedger::end_change(CampaignDefinition definition, Done<void> done) {
  if (!open_) return done(closed());
  if (CampaignLedger* ledger = ledger_of(definition.id)) {
    ledger->end_change(definition);
  } else if (Unloaded* unloaded = unloaded_of(definition.id)) {
    unloaded->campaign.end_change(definition);
  } else {
    return done(not_found(definition.id));
  }
  done({});
}

void MemoryLedger::holders(CampaignId campaign, std::uint64_t after, std::size_t max,
                           Done<std::vector<Decision>> done) {
  if (!open_) return done(closed());
  if (const CampaignLedger* ledger = ledger_of(campaign)) return done(ledger->holders(after, max));
  const Unloaded* unloaded = unloaded_of(campaign);
  if (unloaded == nullptr) return done(not_found(campaign));
  unloaded->archive->list(campaign, after, max,
                          [durability = unloaded->campaign.definition().durability,
                           done = std::move(done)](Result<std::vector<StoredCoupon>> stored) mutable {
                            if (!stored) return done(stored.error());
                            std::vector<Decision> found;
                            found.reserve(stored->size());
                            for (const auto& coupon : *stored) found.push_back(held_by(coupon, durability));
                            done(std::move(found));
                          });
}

std::vector<CampaignId> MemoryLedger::unloadable() const {
  std::vector<CampaignId> ids;
  for (const auto& [id, ledger] : campaigns_) {
    if (is_unloadable(*ledger)) ids.push_back(id);
  }
  return ids;
}

Result<void> MemoryLedger::unload(const CampaignId& campaign, HolderFilter holders, std::uint64_t count,
                                  HolderArchive& archive) {
  DOORBUSTER_ASSERT(open_);
  const auto found = campaigns_.find(campaign);
  if (found == campaigns_.end()) return not_found(campaign);
  const CampaignLedger& ledger = *found->second;
  if (!is_unloadable(ledger)) {
    return make_error(ErrorCode::conflict,
                      "campaign " + std::string(campaign.text()) +
                          " is in use: only one that has ended and is quiet can be unloaded");
  }
  if (ledger.issued() != count) {
    return make_error(ErrorCode::conflict, "campaign " + std::string(campaign.text()) + " has " +
                                               std::to_string(ledger.issued()) + " holders, not " +
                                               std::to_string(count));
  }
  unloaded_.emplace(campaign,
                    Unloaded{UnloadedCampaign(ledger.definition(), count, std::move(holders)), &archive});
  last_used_ = nullptr;
  campaigns_.erase(found);
  return {};
}

std::size_t MemoryLedger::memory_bytes() const {
  std::size_t bytes = sizeof *this;
  for (const auto& [id, ledger] : campaigns_) bytes += sizeof id + ledger->memory_bytes();
  for (const auto& [id, unloaded] : unloaded_) bytes += sizeof id + unloaded.campaign.memory_bytes();
  return bytes;
}

}  // namespace doorbuster
