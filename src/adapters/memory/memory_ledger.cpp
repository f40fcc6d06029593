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

}  // namespace

MemoryLedger::MemoryLedger(Clock& clock, RandomSource& random) : clock_(clock), random_(random) {}

CampaignLedger* MemoryLedger::ledger_of(const CampaignId& campaign) {
  if (last_used_ != nullptr && last_used_->definition().id == campaign) return last_used_;
  const auto found = campaigns_.find(campaign);
  if (found == campaigns_.end()) return nullptr;
  last_used_ = found->second.get();
  return last_used_;
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
    const CampaignLedger* ledger = ledger_of(key.campaign);
    if (ledger == nullptr) return done(not_found(key.campaign));
    if (ledger->definition().epoch != key.epoch) return done(other_epoch(key));
  }
  for (const CouponKey& key : batch) ledger_of(key.campaign)->confirm(key.sequence);
  done({});
}

void MemoryLedger::find(CampaignId campaign, UserId user, Done<std::optional<Decision>> done) {
  if (!open_) return done(closed());
  const CampaignLedger* ledger = ledger_of(campaign);
  done(ledger == nullptr ? std::nullopt : ledger->find(user));
}

void MemoryLedger::show(CampaignId campaign, Done<std::optional<CampaignView>> done) {
  if (!open_) return done(closed());
  const CampaignLedger* ledger = ledger_of(campaign);
  done(ledger == nullptr ? std::nullopt : std::optional(ledger->view(clock_.now())));
}

void MemoryLedger::list(Done<std::vector<CampaignView>> done) {
  if (!open_) return done(closed());
  const Timestamp now = clock_.now();
  std::vector<CampaignView> views;
  views.reserve(campaigns_.size());
  for (const auto& [id, ledger] : campaigns_) views.push_back(ledger->view(now));
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
  if (campaigns_.contains(definition.id)) {
    return done(make_error(ErrorCode::conflict,
                           "there is a campaign '" + std::string(definition.id.text()) + "' already", "id"));
  }
  const CampaignId id = definition.id;
  campaigns_.emplace(id, std::make_unique<CampaignLedger>(std::move(definition)));
  done({});
}

void MemoryLedger::begin_change(CampaignId campaign, CampaignPatch patch, Done<CampaignDefinition> done) {
  if (!open_) return done(closed());
  CampaignLedger* ledger = ledger_of(campaign);
  if (ledger == nullptr) return done(not_found(campaign));
  done(ledger->begin_change(patch));
}

void MemoryLedger::end_change(CampaignDefinition definition, Done<void> done) {
  if (!open_) return done(closed());
  CampaignLedger* ledger = ledger_of(definition.id);
  if (ledger == nullptr) return done(not_found(definition.id));
  ledger->end_change(definition);
  done({});
}

void MemoryLedger::holders(CampaignId campaign, std::uint64_t after, std::size_t max,
                           Done<std::vector<Decision>> done) {
  if (!open_) return done(closed());
  const CampaignLedger* ledger = ledger_of(campaign);
  if (ledger == nullptr) return done(not_found(campaign));
  done(ledger->holders(after, max));
}

Result<void> MemoryLedger::unload(const CampaignId& campaign) {
  const CampaignLedger* ledger = ledger_of(campaign);
  if (ledger == nullptr) return not_found(campaign);
  if (ledger->definition().status != CampaignStatus::ended || ledger->changing() || ledger->pending() > 0) {
    return make_error(ErrorCode::conflict,
                      "campaign " + std::string(campaign.text()) +
                          " is in use: only one that has ended and is quiet can be unloaded");
  }
  last_used_ = nullptr;
  campaigns_.erase(campaign);
  return {};
}

std::size_t MemoryLedger::memory_bytes() const {
  std::size_t bytes = sizeof *this;
  for (const auto& [id, ledger] : campaigns_) bytes += sizeof id + ledger->memory_bytes();
  return bytes;
}

}  // namespace doorbuster
