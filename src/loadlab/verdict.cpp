#include "loadlab/verdict.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <numeric>

namespace doorbuster::loadlab {
namespace {

constexpr std::size_t kMostExamples = 5;

using Indices = std::vector<std::uint32_t>;

template <class Less>
Indices sorted(const std::vector<Sighting>& all, Less less) {
  Indices order(all.size());
  std::iota(order.begin(), order.end(), 0U);
  std::sort(order.begin(), order.end(), [&](auto a, auto b) { return less(all[a], all[b]); });
  return order;
}

void example(Verdict& verdict, std::string text) {
  if (verdict.examples.size() < kMostExamples) verdict.examples.push_back(std::move(text));
}

void move_count(Tally& tally, const Window& window, Moment at, Outcome from, Outcome to) {
  const auto source = static_cast<std::size_t>(from);
  const auto target = static_cast<std::size_t>(to);
  --tally.outcomes[source];
  ++tally.outcomes[target];
  const auto index =
      static_cast<std::size_t>(std::max(at - window.from, Duration::zero()) / std::chrono::seconds(1));
  if (index >= tally.seconds.size()) return;
  --tally.seconds[index].outcomes[source];
  ++tally.seconds[index].outcomes[target];
}

/// Walks the sightings user by user, each in order of the replies.
void judge_users(Tally& tally, const Window& window, Verdict& verdict) {
  const auto& all = tally.sightings;
  const auto order = sorted(all, [](const Sighting& a, const Sighting& b) {
    if (a.user != b.user) return a.user < b.user;
    if (a.code != b.code) return a.code < b.code;
    return a.received < b.received;
  });
  const Sighting* previous = nullptr;
  bool counted = false;  // this user already stands in users_with_two_codes
  for (const auto index : order) {
    const auto& sighting = all[index];
    const bool same_user = previous != nullptr && previous->user == sighting.user;
    const bool first = !same_user || previous->code != sighting.code;
    if (!same_user) counted = false;
    if (same_user && first) {
      if (!counted) ++verdict.users_with_two_codes;
      counted = true;
      example(verdict, fmt::format("user {} was given {} and {}", sighting.user, previous->code.view(),
                                   sighting.code.view()));
    }
    if (sighting.measured) {
      ++(first ? verdict.issued : verdict.already);
      if (first && !sighting.created) {
        move_count(tally, window, sighting.received, Outcome::already, Outcome::issued);
      } else if (!first && sighting.created) {
        move_count(tally, window, sighting.received, Outcome::issued, Outcome::already);
      }
    }
    previous = &sighting;
  }
}

void judge_codes(const std::vector<Sighting>& all, Verdict& verdict) {
  const auto order = sorted(all, [](const Sighting& a, const Sighting& b) {
    return a.code != b.code ? a.code < b.code : a.user < b.user;
  });
  bool counted = false;
  for (std::size_t i = 1; i < order.size(); ++i) {
    const auto& a = all[order[i - 1]];
    const auto& b = all[order[i]];
    if (a.code != b.code) counted = false;
    if (a.code != b.code || a.user == b.user) continue;
    if (!counted) ++verdict.codes_with_two_users;
    counted = true;
    example(verdict, fmt::format("code {} was given to users {} and {}", a.code.view(), a.user, b.user));
  }
}

void judge_sequences(const std::vector<Sighting>& all, Verdict& verdict) {
  const auto order = sorted(all, [](const Sighting& a, const Sighting& b) {
    return a.sequence != b.sequence ? a.sequence < b.sequence : a.code < b.code;
  });
  bool counted = false;
  for (std::size_t i = 1; i < order.size(); ++i) {
    const auto& a = all[order[i - 1]];
    const auto& b = all[order[i]];
    if (a.sequence != b.sequence) counted = false;
    if (a.sequence == 0 || a.sequence != b.sequence || a.code == b.code) continue;
    if (!counted) ++verdict.sequences_used_twice;
    counted = true;
    example(verdict,
            fmt::format("number {} was given to {} and {}", a.sequence, a.code.view(), b.code.view()));
  }
}

}  // namespace

std::uint64_t count_order_inversions(const std::vector<Sighting>& sightings) {
  std::vector<const Sighting*> by_sending;
  for (const auto& sighting : sightings) {
    if (sighting.created && sighting.sequence != 0) by_sending.push_back(&sighting);
  }
  std::sort(by_sending.begin(), by_sending.end(),
            [](const Sighting* a, const Sighting* b) { return a->sent < b->sent; });
  // lowest[i]: the lowest number among those sent as the i-th or later.
  std::vector<std::uint64_t> lowest(by_sending.size() + 1, std::numeric_limits<std::uint64_t>::max());
  for (std::size_t i = by_sending.size(); i-- > 0;) {
    lowest[i] = std::min(lowest[i + 1], by_sending[i]->sequence);
  }
  std::uint64_t inversions = 0;
  for (const auto* sighting : by_sending) {
    const auto later = std::upper_bound(by_sending.begin(), by_sending.end(), sighting->received,
                                        [](Moment at, const Sighting* other) { return at < other->sent; });
    if (lowest[static_cast<std::size_t>(later - by_sending.begin())] < sighting->sequence) ++inversions;
  }
  return inversions;
}

Verdict judge(Tally& tally, const Window& window) {
  Verdict verdict;
  judge_users(tally, window, verdict);
  judge_codes(tally.sightings, verdict);
  judge_sequences(tally.sightings, verdict);
  verdict.order_inversions = count_order_inversions(tally.sightings);
  verdict.wrong_users = tally.wrong_users;
  if (verdict.wrong_users != 0) {
    example(verdict,
            fmt::format("{} coupons named another user than the one who asked", verdict.wrong_users));
  }
  return verdict;
}

}  // namespace doorbuster::loadlab
