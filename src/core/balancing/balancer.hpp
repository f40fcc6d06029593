#pragma once
// Which instance of a service gets the next request?
//
//   admissible (registered, UP)  ──connection refused──▶ refused ──a check succeeds──▶ admissible
//     failures in a row:    ejected for a while, twice as long each time; a share of all at most
//     failures over a share: circuit breaker
//     a bad active check:   unwell until a good one
//
// Invariants:
// 1. A member that is not admissible, or was refused, is never picked, whatever the others' state.
// 2. When fewer than `panic_percent` of the members that could be picked are healthy, ejection, breaker
//    and bad checks are ignored: sending to all of them is better than crowding a few.
// 3. At most `most_ejected_percent` of the members are ejected at a time.
// 4. Without a member that may be picked, pick() says so at once.
//
// Deterministic: time and randomness are given. One thread.

#include <cstdint>
#include <limits>
#include <optional>
#include <vector>

#include "base/random.hpp"
#include "core/balancing/circuit_breaker.hpp"

namespace doorbuster::balancing {

enum class Policy : std::uint8_t { round_robin, least_outstanding, two_choices };

struct BalancerOptions {
  Policy policy = Policy::two_choices;
  std::uint32_t failures_to_eject = 5;  ///< consecutive ones; 0: never
  std::uint32_t most_ejected_percent = 50;
  std::uint32_t panic_percent = 50;
  Duration first_ejection = std::chrono::seconds(1);
  Duration longest_ejection = std::chrono::seconds(30);
  BreakerOptions breaker = {};
};

struct BalancerStats {
  std::uint64_t ejections = 0;
  std::uint64_t ejections_over_the_cap = 0;  ///< that were not made
  std::uint64_t refusals = 0;
  std::uint64_t breaker_openings = 0;
  std::uint64_t panics = 0;  ///< picks in panic
};

class Balancer {
 public:
  /// Of a member: stable until remove(), then used again.
  using Index = std::uint32_t;
  static constexpr Index kNone = std::numeric_limits<Index>::max();

  Balancer(const BalancerOptions& options, SeededRandom& random) : options_(options), random_(random) {}

  Index add(bool admissible);
  /// \pre nothing is outstanding there
  void remove(Index member);
  void set_admissible(Index member, bool admissible);

  /// \param avoid where the same request has just failed: taken only when there is no other
  std::optional<Index> pick(Moment now, Index avoid = kNone);
  /// A request is being sent to `member`.
  void began(Index member);
  /// It has ended: answered, or failed by the instance's fault.
  void ended(Index member, bool failed, Moment now);
  /// It has ended without saying anything about the instance: its client has gone.
  void abandoned(Index member);
  /// The instance does not accept connections.
  void refused(Index member);
  /// What an active check has found. A good one brings back whom a refusal or a bad check had put out.
  void checked(Index member, bool good);

  bool is_out(Index member, Moment now);
  bool is_refused(Index member) const { return members_[member].refused; }
  std::uint32_t outstanding(Index member) const { return members_[member].outstanding; }
  std::size_t members() const { return count_; }
  /// Members that may be picked now, panic left aside.
  std::size_t healthy(Moment now);
  const BalancerStats& stats() const { return stats_; }

 private:
  struct Member {
    explicit Member(const BreakerOptions& options) : breaker(options) {}
    bool used = true;
    bool admissible = true;
    bool refused = false;
    bool unwell = false;  // its latest check was bad
    std::uint32_t outstanding = 0;
    std::uint32_t failures_in_a_row = 0;
    std::uint32_t ejections = 0;  // in a row, without a success between
    Moment ejected_until{0};
    bool ejected = false;
    CircuitBreaker breaker;
  };

  void refresh(Moment now);
  void eject(Member& member, Moment now);
  Index choose(const std::vector<Index>& from, Index avoid);
  Index less_busy(Index a, Index b) const {
    return members_[b].outstanding < members_[a].outstanding ? b : a;
  }

  BalancerOptions options_;
  SeededRandom& random_;
  std::vector<Member> members_;
  std::vector<Index> free_;
  std::size_t count_ = 0;
  std::vector<Index> possible_;  // admissible and not refused
  std::vector<Index> healthy_;   // of these, neither ejected nor broken nor unwell
  bool changed_ = true;
  Moment next_change_ = Moment::max();  // an ejection or a breaker's pause ends
  std::size_t turn_ = 0;
  BalancerStats stats_;
};

}  // namespace doorbuster::balancing
