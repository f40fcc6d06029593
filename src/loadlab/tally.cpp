#include "loadlab/tally.hpp"

#include <algorithm>
#include <iterator>
#include <numeric>

namespace doorbuster::loadlab {

namespace {

Second& slice_of(std::vector<Second>& slices, Duration passed, Duration width) {
  const auto index = static_cast<std::size_t>(passed / width);
  if (index >= slices.size()) slices.resize(index + 1);
  return slices[index];
}

/// Calls `count` with the second and, as long as there are some, the tenth of a second that `at` lies in.
template <class Count>
void for_slices_at(Tally& tally, const Window& window, Moment at, Count count) {
  const auto passed = std::max(at - window.from, Duration::zero());
  count(slice_of(tally.seconds, passed, std::chrono::seconds(1)));
  if (passed < kFineTime) count(slice_of(tally.tenths, passed, kTenth));
}

void add(std::vector<Second>& to, const std::vector<Second>& from) {
  if (to.size() < from.size()) to.resize(from.size());
  for (std::size_t i = 0; i < from.size(); ++i) {
    for (std::size_t o = 0; o < kOutcomes; ++o) to[i].outcomes[o] += from[i].outcomes[o];
    to[i].successes += from[i].successes;
    to[i].errors += from[i].errors;
  }
}

}  // namespace

void Tally::reply(const Window& window, Moment meant, Moment received, const ReplyFacts& facts) {
  ++replies;
  last_reply = std::max(last_reply, received);
  if (meant < window.from) {
    ++warm_up_requests;
    return;
  }
  const auto outcome = static_cast<std::size_t>(facts.outcome);
  ++outcomes[outcome];
  for_slices_at(*this, window, received, [&](Second& slice) {
    ++slice.outcomes[outcome];
    ++(facts.error ? slice.errors : slice.successes);
  });
  if (facts.error) {
    ++errors[static_cast<std::size_t>(*facts.error)];
    return;
  }
  const auto took = received - meant;
  latency.record(took);
  auto& of_outcome = latency_of[outcome];
  if (!of_outcome) of_outcome.emplace();
  of_outcome->record(took);
  success_time += took;
  slowest = std::max(slowest, took);
  ++successes;
  if (received < window.until) ++successes_in_window;
}

void Tally::failure(const Window& window, Moment meant, Moment at, ErrorKind kind) {
  if (meant < window.from) {
    ++warm_up_requests;
    return;
  }
  ++errors[static_cast<std::size_t>(kind)];
  for_slices_at(*this, window, at, [](Second& slice) { ++slice.errors; });
  if (kind == ErrorKind::timeout) {
    latency.record(at - meant);
    slowest = std::max(slowest, at - meant);
  }
}

std::uint64_t Tally::error_count() const {
  return std::accumulate(errors.begin(), errors.end(), std::uint64_t{0});
}

void Tally::merge(Tally&& other) {
  latency.merge(other.latency);
  successes += other.successes;
  successes_in_window += other.successes_in_window;
  success_time += other.success_time;
  slowest = std::max(slowest, other.slowest);
  for (std::size_t i = 0; i < kOutcomes; ++i) outcomes[i] += other.outcomes[i];
  for (std::size_t i = 0; i < kErrorKinds; ++i) errors[i] += other.errors[i];
  for (std::size_t i = 0; i < kOutcomes; ++i) {
    if (!other.latency_of[i]) continue;
    if (!latency_of[i]) latency_of[i].emplace();
    latency_of[i]->merge(*other.latency_of[i]);
  }
  add(seconds, other.seconds);
  add(tenths, other.tenths);
  if (sightings.empty()) {
    sightings = std::move(other.sightings);
  } else {
    sightings.insert(sightings.end(), other.sightings.begin(), other.sightings.end());
  }
  warm_up_requests += other.warm_up_requests;
  requests_sent += other.requests_sent;
  replies += other.replies;
  retries += other.retries;
  outcome_asks += other.outcome_asks;
  late_sends += other.late_sends;
  missed_sends += other.missed_sends;
  wrong_users += other.wrong_users;
  unequal_starts += other.unequal_starts;
  last_reply = std::max(last_reply, other.last_reply);
}

}  // namespace doorbuster::loadlab
