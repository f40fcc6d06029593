#pragma once
// When an instance may say "sold out" without asking the ledger (consistency.md rule 5). Policy alone: the
// caller asks the ledger, reads the clock and fills the filter.
//
// Invariants
//  1. answers() is true only within `kTrust` of the moment BEFORE a question was sent to which the ledger
//     answered a final sold-out under this version, and only for users that the filter of this version does
//     not hold. Whoever raises a limit waits `kTrust` before he says so, and so never contradicts a refusal.
//  2. The holders of a version that is sold out for good do not change: a filter fits its version for ever.
//
// Times are of a clock that never goes back and counts while the machine sleeps (BootClock). One thread.

#include <optional>

#include "core/issuing/decision.hpp"
#include "core/issuing/holder_filter.hpp"

namespace doorbuster {

class SoldOutLatch {
 public:
  static constexpr Duration kTrust = std::chrono::seconds(1);

  struct Version {
    std::uint32_t epoch = 0;
    std::uint32_t revision = 0;
    friend bool operator==(const Version&, const Version&) = default;
  };

  /// All coupons of the campaign are given out and safe, the ledger says to a question sent at `asked_at`.
  void told_sold_out(Version version, Timestamp asked_at);
  /// The ledger says something else, or its definition has been changed here: nothing is answered from now
  /// on.
  void told_otherwise();

  /// May `user` be told "sold out" at once?
  bool answers(const UserId& user, Timestamp now) const;
  Version version() const { return version_; }

  bool latched(Timestamp now) const { return confirmed_at_ && now - *confirmed_at_ < kTrust; }
  bool has_filter() const { return filter_.has_value(); }
  /// Takes the filter of all holders under `version`; one of another version is dropped.
  void take_filter(Version version, HolderFilter filter);
  void drop_filter() { filter_.reset(); }
  std::size_t filter_bytes() const { return filter_ ? filter_->memory_bytes() : 0; }

 private:
  Version version_;
  std::optional<Timestamp> confirmed_at_;
  std::optional<HolderFilter> filter_;
};

}  // namespace doorbuster
