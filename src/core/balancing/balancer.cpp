#include "core/balancing/balancer.hpp"

#include <algorithm>

#include "base/error.hpp"

namespace doorbuster::balancing {

Balancer::Index Balancer::add(bool admissible) {
  changed_ = true;
  ++count_;
  Index index = 0;
  if (free_.empty()) {
    index = static_cast<Index>(members_.size());
    members_.emplace_back(options_.breaker);
  } else {
    index = free_.back();
    free_.pop_back();
    members_[index] = Member(options_.breaker);
  }
  members_[index].admissible = admissible;
  return index;
}

void Balancer::remove(Index member) {
  DOORBUSTER_ASSERT(members_[member].used && members_[member].outstanding == 0);
  members_[member].used = false;
  free_.push_back(member);
  --count_;
  changed_ = true;
}

void Balancer::set_admissible(Index member, bool admissible) {
  if (members_[member].admissible == admissible) return;
  members_[member].admissible = admissible;
  changed_ = true;
}

void Balancer::refresh(Moment now) {
  if (!changed_ && now < next_change_) return;
  changed_ = false;
  next_change_ = Moment::max();
  possible_.clear();
  healthy_.clear();
  for (Index i = 0; i < members_.size(); ++i) {
    auto& member = members_[i];
    if (!member.used) continue;
    if (member.ejected && now >= member.ejected_until) member.ejected = false;
    if (member.ejected) next_change_ = std::min(next_change_, member.ejected_until);
    const bool admits = member.breaker.admits(now);
    if (member.breaker.is_open()) next_change_ = std::min(next_change_, member.breaker.opens_until());
    if (!member.admissible || member.refused) continue;
    possible_.push_back(i);
    if (!member.ejected && !member.unwell && admits) healthy_.push_back(i);
  }
}

std::optional<Balancer::Index> Balancer::pick(Moment now, Index avoid) {
  refresh(now);
  if (possible_.empty()) return std::nullopt;
  const bool panic = healthy_.size() * 100 < options_.panic_percent * possible_.size() || healthy_.empty();
  if (panic) ++stats_.panics;
  return choose(panic ? possible_ : healthy_, avoid);
}

Balancer::Index Balancer::choose(const std::vector<Index>& from, Index avoid) {
  const auto size = from.size();
  if (size == 1) return from[0];
  switch (options_.policy) {
    case Policy::round_robin: {
      const auto first = from[turn_++ % size];
      return first == avoid ? from[turn_++ % size] : first;
    }
    case Policy::least_outstanding: {
      // Begins at another one each time, so that equals take turns.
      const auto start = turn_++;
      Index best = kNone;
      for (std::size_t i = 0; i < size; ++i) {
        const auto member = from[(start + i) % size];
        if (member == avoid) continue;
        best = best == kNone ? member : less_busy(best, member);
      }
      return best;
    }
    case Policy::two_choices: {
      // Two that differ, by one draw: the second is a step of 1 to size - 1 from the first.
      const auto draw = random_.below(size * (size - 1));
      const auto one = draw / (size - 1);
      const auto other = (one + 1 + draw % (size - 1)) % size;
      if (from[one] == avoid) return from[other];
      if (from[other] == avoid) return from[one];
      return less_busy(from[one], from[other]);
    }
  }
  return from[0];
}

void Balancer::began(Index member) {
  auto& sent = members_[member];
  ++sent.outstanding;
  if (sent.breaker.half_open()) changed_ = true;
  sent.breaker.began();
}

void Balancer::abandoned(Index member) {
  auto& ended = members_[member];
  DOORBUSTER_ASSERT(ended.outstanding > 0);
  --ended.outstanding;
  if (ended.breaker.half_open()) changed_ = true;
  ended.breaker.abandoned();
}

void Balancer::ended(Index index, bool failed, Moment now) {
  auto& member = members_[index];
  DOORBUSTER_ASSERT(member.outstanding > 0);
  --member.outstanding;
  const auto before = member.breaker.state(now);
  member.breaker.ended(failed, now);
  const auto after = member.breaker.state(now);
  if (before != after) {
    changed_ = true;
    if (after == CircuitBreaker::State::open) ++stats_.breaker_openings;
  }
  if (!failed) {
    member.failures_in_a_row = 0;
    if (!member.ejected) member.ejections = 0;
    return;
  }
  ++member.failures_in_a_row;
  if (options_.failures_to_eject != 0 && member.failures_in_a_row >= options_.failures_to_eject &&
      !member.ejected) {
    eject(member, now);
  }
}

void Balancer::eject(Member& member, Moment now) {
  const auto ejected =
      static_cast<std::size_t>(std::count_if(members_.begin(), members_.end(), [now](const Member& one) {
        return one.used && one.ejected && now < one.ejected_until;
      }));
  member.failures_in_a_row = 0;
  if ((ejected + 1) * 100 > options_.most_ejected_percent * count_) {
    ++stats_.ejections_over_the_cap;
    return;
  }
  ++stats_.ejections;
  auto length = options_.first_ejection;
  for (std::uint32_t i = 0; i < member.ejections && length < options_.longest_ejection; ++i) length *= 2;
  ++member.ejections;
  member.ejected = true;
  member.ejected_until = now + std::min(length, options_.longest_ejection);
  changed_ = true;
}

void Balancer::refused(Index member) {
  if (members_[member].refused) return;
  ++stats_.refusals;
  members_[member].refused = true;
  changed_ = true;
}

void Balancer::checked(Index index, bool good) {
  auto& member = members_[index];
  if (member.unwell == !good && (!good || !member.refused)) return;
  changed_ = true;
  member.unwell = !good;
  if (!good) return;
  member.refused = false;
  member.failures_in_a_row = 0;
}

bool Balancer::is_out(Index index, Moment now) {
  auto& member = members_[index];
  return !member.admissible || member.refused || member.unwell ||
         (member.ejected && now < member.ejected_until) || !member.breaker.admits(now);
}

std::size_t Balancer::healthy(Moment now) {
  refresh(now);
  return healthy_.size();
}

}  // namespace doorbuster::balancing
