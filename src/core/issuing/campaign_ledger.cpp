#include "core/issuing/campaign_ledger.hpp"

#include <algorithm>

namespace doorbuster {
namespace {

Outcome outcome_of(CampaignState state) {
  switch (state) {
    case CampaignState::scheduled:
      return Outcome::not_started;
    case CampaignState::paused:
      return Outcome::paused;
    case CampaignState::ended:
      return Outcome::ended;
    case CampaignState::sold_out:
      return Outcome::sold_out;
    case CampaignState::open:
      break;
  }
  return Outcome::issued;
}

Error corrupt(const CouponIssued& event, std::string_view what) {
  return make_error(ErrorCode::corrupt, "campaign " + std::string(event.campaign.text()) + ", coupon " +
                                            std::to_string(event.coupon.sequence) + " of user " +
                                            std::string(event.coupon.user.text()) + ": " + std::string(what));
}

}  // namespace

CampaignLedger::CampaignLedger(CampaignDefinition definition) : definition_(std::move(definition)) {}

Decision CampaignLedger::decide(const UserId& user, Timestamp now, RandomSource& random) {
  const HolderTable::Key key = holders_.key_of(user);
  if (auto refusal = refuse(key, now)) return *std::move(refusal);
  DOORBUSTER_ASSERT(issued() < definition_.limit);
  return admit(user, key, now, random);
}

std::optional<Decision> CampaignLedger::refuse(const HolderTable::Key& key, Timestamp now) const {
  if (const std::uint64_t sequence = holders_.find(key); sequence != 0) return held_by(sequence);
  Decision decision;
  decision.epoch = definition_.epoch;
  decision.revision = definition_.revision;
  decision.durability = definition_.durability;
  if (changing_) {
    decision.outcome = Outcome::held;
    return decision;
  }
#ifdef DOORBUSTER_PLANT_LIMIT_BY_HIGHEST_NUMBER  // a defect for the simulator to find
  decision.outcome = outcome_of(state_at(definition_, now, std::max(issued(), holders_.highest())));
#else
  decision.outcome = outcome_of(state_at(definition_, now, issued()));
#endif
  if (decision.outcome == Outcome::issued) return std::nullopt;
#ifndef DOORBUSTER_PLANT_SOLD_OUT_WHILE_PENDING
  decision.pending = decision.outcome == Outcome::sold_out && pending_count_ > 0;
#endif
  return decision;
}

Decision CampaignLedger::admit(const UserId& user, const HolderTable::Key& key, Timestamp now,
                               RandomSource& random) {
  Holder holder;
  if (missing_.empty()) {
    holder.coupon.sequence = holders_.highest() + 1;
  } else {
    holder.coupon.sequence = missing_.back().first++;
    if (missing_.back().first > missing_.back().last) missing_.pop_back();
    holder.refilled = true;
  }
  CouponCode::Bytes code;
  random.fill(code);
  holder.coupon.user = user;
  holder.coupon.code = CouponCode(code);
  holder.coupon.decided_at = now;
  holder.epoch = definition_.epoch;
  holder.revision = definition_.revision;
  holder.pending = true;
  holders_.insert(key, holder);
  waiting_.push_back({holder.coupon.sequence, now});
  ++pending_count_;
  return {.outcome = Outcome::issued,
          .pending = true,
          .refilled = holder.refilled,
          .epoch = holder.epoch,
          .revision = holder.revision,
          .durability = definition_.durability,
          .coupon = holder.coupon};
}

void CampaignLedger::confirm(std::uint64_t sequence) {
  if (!holders_.contains(sequence) || !holders_.pending(sequence)) return;
  holders_.set_safe(sequence);
  --pending_count_;
  while (!waiting_.empty() && !holders_.pending(waiting_.front().sequence)) waiting_.pop_front();
}

std::optional<Decision> CampaignLedger::find(const UserId& user) const {
  const std::uint64_t sequence = holders_.find(holders_.key_of(user));
  if (sequence == 0) return std::nullopt;
  return held_by(sequence);
}

Result<void> CampaignLedger::restore(const CouponIssued& event, std::optional<Timestamp> waiting_since) {
  const Coupon& coupon = event.coupon;
  if (event.campaign != definition_.id) return corrupt(event, "offered to another campaign");
  if (coupon.sequence == 0 || coupon.sequence > HolderTable::kLargestSequence) {
    return corrupt(event, "a number is 1 to " + std::to_string(HolderTable::kLargestSequence));
  }
  if (coupon.decided_at < Timestamp{} || coupon.decided_at > HolderTable::kLastTime) {
    return corrupt(event, "the time of the decision is out of range");
  }
  if (coupon.user.text().empty()) return corrupt(event, "no user");
  const HolderTable::Key key = holders_.key_of(coupon.user);
  const std::uint64_t held = holders_.find(key);
  if (held == 0 && holders_.contains(coupon.sequence)) {
    return corrupt(
        event, "user " + std::string(holders_.at(coupon.sequence).coupon.user.text()) + " holds this number");
  }
  Holder holder{coupon, event.epoch, event.revision, event.refilled, false};
  if (held != 0) {
    holder.pending = holders_.pending(held);
    if (holders_.at(held) != holder) {
      return corrupt(event, "the user holds coupon " + std::to_string(held) + ", which differs");
    }
    if (!waiting_since) confirm(held);
    return {};
  }
  if (issued() >= definition_.limit) {
    return corrupt(event, "beyond the limit of " + std::to_string(definition_.limit));
  }
  holder.pending = waiting_since.has_value();
  holders_.insert(key, holder);
  if (waiting_since) {
    waiting_.push_back({coupon.sequence, *waiting_since});
    ++pending_count_;
  }
  return {};
}

Result<void> CampaignLedger::restore(const CampaignChanged& event) {
  const CampaignDefinition& next = event.definition;
  const auto wrong = [&next](const char* what) {
    return make_error(ErrorCode::corrupt, "campaign " + std::string(next.id.text()) + ", revision " +
                                              std::to_string(next.revision) + ": " + what);
  };
  if (next.id != definition_.id) return wrong("offered to another campaign");
  if (next.revision == definition_.revision && next != definition_) {
    return wrong("two definitions have this revision");
  }
  if (next.revision <= definition_.revision) return {};
  if (next.limit < issued()) return wrong("its limit is below what is issued");
  definition_ = next;
  return {};
}

void CampaignLedger::finish_restore() {
  missing_.clear();
  std::uint64_t before = 0;
  while (const std::uint64_t next = holders_.next_after(before)) {
    if (next > before + 1) missing_.push_back({before + 1, next - 1});
    before = next;
  }
  std::reverse(missing_.begin(), missing_.end());
}

std::vector<CouponIssued> CampaignLedger::take_overdue(Timestamp cutoff, Timestamp now, std::size_t max) {
  std::vector<CouponIssued> overdue;
  // Each is looked at once: those that are put back stand behind `remaining`.
  for (std::size_t remaining = waiting_.size(); remaining > 0 && overdue.size() < max; --remaining) {
    const Waiting first = waiting_.front();
    if (!holders_.pending(first.sequence)) {
      waiting_.pop_front();
      continue;
    }
    if (first.since >= cutoff) break;
    overdue.push_back(event_of(first.sequence));
    waiting_.pop_front();
    waiting_.push_back({first.sequence, now});
  }
  return overdue;
}

Result<CampaignDefinition> CampaignLedger::begin_change(const CampaignPatch& patch) {
  if (changing_) return being_changed(definition_.id);
  auto next = patched(definition_, patch, issued());
  changing_ = next.has_value();
  return next;
}

void CampaignLedger::end_change(const CampaignDefinition& definition) {
  DOORBUSTER_ASSERT(definition.id == definition_.id);
  changing_ = false;
  if (definition.revision <= definition_.revision) return;
  DOORBUSTER_ASSERT(definition.limit >= issued());
  definition_ = definition;
}

CampaignView CampaignLedger::view(Timestamp now) const {
  return {definition_, issued(),
          durable(),   state_at(definition_, now, issued()),
          changing_,   {missing_.rbegin(), missing_.rend()}};
}

std::vector<Decision> CampaignLedger::holders(std::uint64_t after, std::size_t max) const {
  std::vector<Decision> found;
  for (std::uint64_t next = holders_.next_after(after); next != 0 && found.size() < max;
       next = holders_.next_after(next)) {
    found.push_back(held_by(next));
  }
  return found;
}

std::size_t CampaignLedger::memory_bytes() const {
  return sizeof *this + holders_.memory_bytes() + waiting_.size() * sizeof(Waiting) +
         missing_.capacity() * sizeof(NumberRange);
}

Decision CampaignLedger::held_by(std::uint64_t sequence) const {
  const Holder holder = holders_.at(sequence);
  return {.outcome = Outcome::already_issued,
          .pending = holder.pending,
          .refilled = holder.refilled,
          .epoch = holder.epoch,
          .revision = holder.revision,
          .durability = definition_.durability,
          .coupon = holder.coupon};
}

CouponIssued CampaignLedger::event_of(std::uint64_t sequence) const {
  const Holder holder = holders_.at(sequence);
  return {definition_.id, holder.epoch, holder.revision, holder.refilled, holder.coupon, {}};
}

}  // namespace doorbuster
