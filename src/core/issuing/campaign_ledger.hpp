#pragma once
// The decision for one campaign: has this user a coupon, is the campaign open, is there one left, which
// number? Synchronous and deterministic; time and randomness come in as arguments. One thread.
//
// Invariants
//  1. issued() <= definition().limit.
//  2. A user is in the table at most once; find() gives the same coupon for ever.
//  3. Numbers are unique; without missing ones they are 1..issued().
//  4. durable() + pending() == issued().
//  5. decide() answers `sold_out` without `pending` only if durable() == limit.

#include <cstdint>
#include <deque>
#include <optional>
#include <vector>

#include "base/random.hpp"
#include "core/issuing/decision.hpp"
#include "core/issuing/holder_table.hpp"

namespace doorbuster {

class CampaignLedger {
 public:
  explicit CampaignLedger(CampaignDefinition definition);

  /// Order of checks: holder, hold, state and window, limit (consistency.md rule 1).
  Decision decide(const UserId& user, Timestamp now, RandomSource& random);
  /// The event of `sequence` is safe. Told again, or told of an unknown number: no effect.
  void confirm(std::uint64_t sequence);
  std::optional<Decision> find(const UserId& user) const;

  /// Takes an event back from the log, as safe, in any order. Equal duplicates are fine.
  /// With `waiting_since` it is not in the log yet: pending, as after decide().
  /// \returns corrupt when the user or the number is there with other values, when it is beyond the limit or
  /// of
  ///          another campaign
  Result<void> restore(const CouponIssued& event, std::optional<Timestamp> waiting_since = std::nullopt);
  /// Takes a change of the definition back; one that is not newer than the ledger's changes nothing.
  /// \returns corrupt when its limit is below what is issued, or the same revision says something else
  Result<void> restore(const CampaignChanged& event);
  /// Ends restoring. Numbers below the highest that nobody holds are missing from now on: they are given out
  /// first, marked as refilled. Decided here once, because a number of which the log has not told yet is no
  /// gap.
  void finish_restore();

  /// Coupons pending since before `cutoff`, oldest first, at most `max`; their waiting starts anew at `now`.
  std::vector<CouponIssued> take_overdue(Timestamp cutoff, Timestamp now, std::size_t max);

  /// Holds decisions on new coupons (`held`) while a definition is written. \returns as patched(); conflict
  /// when held
  Result<CampaignDefinition> begin_change(const CampaignPatch& patch);
  /// Ends the hold. A definition that is not newer than the ledger's (it was not written) changes nothing
  /// else.
  void end_change(const CampaignDefinition& definition);
  bool changing() const { return changing_; }

  const CampaignDefinition& definition() const { return definition_; }
  CampaignView view(Timestamp now) const;
  std::uint64_t issued() const { return holders_.size(); }
  std::uint64_t durable() const { return holders_.size() - pending_count_; }
  std::uint64_t pending() const { return pending_count_; }
  /// Holders with numbers above `after`, ascending, at most `max`.
  std::vector<Decision> holders(std::uint64_t after, std::size_t max) const;
  std::size_t memory_bytes() const;

#ifndef DOORBUSTER_PLANT_TWO_STEP_DECISION  // the planted bug calls the halves of decide() apart
 private:
#endif
  /// The answer to a user who gets no new coupon now; nothing when there is one for the user.
  std::optional<Decision> refuse(const HolderTable::Key& key, Timestamp now) const;
  Decision admit(const UserId& user, const HolderTable::Key& key, Timestamp now, RandomSource& random);
  HolderTable::Key key_of(const UserId& user) const {
    return holders_.key_of(user);
  }

 private:
  struct Waiting {
    std::uint64_t sequence;
    Timestamp since;
  };

  Decision held_by(std::uint64_t sequence) const;
  CouponIssued event_of(std::uint64_t sequence) const;

  CampaignDefinition definition_;
  HolderTable holders_;
  std::deque<Waiting> waiting_;  // in order of decision; confirmed ones are dropped when they reach the front
  std::vector<NumberRange> missing_;  // descending, so that the lowest number is at the back
  std::uint64_t pending_count_ = 0;
  bool changing_ = false;
};

}  // namespace doorbuster
