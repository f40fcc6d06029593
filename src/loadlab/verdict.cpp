#include "loadlab/verdict.hpp"

#include <fmt/format.h>

#include <algorithm>
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
  std::vector<std::uint64_t> numbers;
  for (const auto& sighting : sightings) {
    if (!sighting.created || sighting.sequence == 0) continue;
    by_sending.push_back(&sighting);
    numbers.push_back(sighting.sequence);
  }
  std::sort(numbers.begin(), numbers.end());
  auto by_reply = by_sending;
  std::sort(by_sending.begin(), by_sending.end(), [](auto* a, auto* b) { return a->sent < b->sent; });
  std::sort(by_reply.begin(), by_reply.end(), [](auto* a, auto* b) { return a->received < b->received; });

  // A Fenwick tree over the ranks of the numbers counts, for each request in the order of sending, how many
  // of those that had been answered by then have a higher number.
  std::vector<std::uint64_t> tree(numbers.size() + 1);
  const auto not_above = [&](std::uint64_t number) {
    return static_cast<std::size_t>(std::upper_bound(numbers.begin(), numbers.end(), number) -
                                    numbers.begin());
  };
  std::uint64_t inversions = 0;
  std::size_t answered = 0;
  for (const auto* later : by_sending) {
    for (; answered < by_reply.size() && by_reply[answered]->received < later->sent; ++answered) {
      for (auto i = not_above(by_reply[answered]->sequence); i < tree.size(); i += i & (~i + 1)) ++tree[i];
    }
    std::uint64_t lower_or_equal = 0;
    for (auto i = not_above(later->sequence); i > 0; i -= i & (~i + 1)) lower_or_equal += tree[i];
    inversions += answered - lower_or_equal;
  }
  return inversions;
}

void check_limit(const Tally& tally, std::uint64_t limit, Verdict& verdict) {
  for (const auto& sighting : tally.sightings) {
    if (sighting.sequence <= limit) continue;
    if (++verdict.above_limit == 1) {
      example(verdict, fmt::format("user {} was given number {}, but the limit is {}", sighting.user,
                                   sighting.sequence, limit));
    }
  }
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
