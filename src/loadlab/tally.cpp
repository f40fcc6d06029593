#include "loadlab/tally.hpp"

#include <algorithm>
#include <iterator>
#include <numeric>

namespace doorbuster::loadlab {

Second& Tally::second_of(const Window& window, Moment at) {
  const auto passed = std::max(at - window.from, Duration::zero());
  const auto index = static_cast<std::size_t>(passed / std::chrono::seconds(1));
  if (index >= seconds.size()) seconds.resize(index + 1);
  return seconds[index];
}

void Tally::reply(const Window& window, Moment meant, Moment received, const ReplyFacts& facts) {
  ++replies;
  last_reply = std::max(last_reply, received);
  if (meant < window.from) {
    ++warm_up_requests;
    return;
  }
  const auto outcome = static_cast<std::size_t>(facts.outcome);
  auto& second = second_of(window, received);
  ++outcomes[outcome];
  ++second.outcomes[outcome];
  if (facts.error) {
    ++errors[static_cast<std::size_t>(*facts.error)];
    ++second.errors;
    return;
  }
  const auto took = received - meant;
  latency.record(took);
  success_time += took;
  slowest = std::max(slowest, took);
  ++successes;
  ++second.successes;
  if (received < window.until) ++successes_in_window;
}

void Tally::failure(const Window& window, Moment meant, Moment at, ErrorKind kind) {
  if (meant < window.from) {
    ++warm_up_requests;
    return;
  }
  ++errors[static_cast<std::size_t>(kind)];
  ++second_of(window, at).errors;
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
  if (seconds.size() < other.seconds.size()) seconds.resize(other.seconds.size());
  for (std::size_t i = 0; i < other.seconds.size(); ++i) {
    for (std::size_t o = 0; o < kOutcomes; ++o) seconds[i].outcomes[o] += other.seconds[i].outcomes[o];
    seconds[i].successes += other.seconds[i].successes;
    seconds[i].errors += other.seconds[i].errors;
  }
  if (sightings.empty()) {
    sightings = std::move(other.sightings);
  } else {
    sightings.insert(sightings.end(), other.sightings.begin(), other.sightings.end());
  }
  warm_up_requests += other.warm_up_requests;
  requests_sent += other.requests_sent;
  replies += other.replies;
  retries += other.retries;
  late_sends += other.late_sends;
  missed_sends += other.missed_sends;
  wrong_users += other.wrong_users;
  unequal_starts += other.unequal_starts;
  last_reply = std::max(last_reply, other.last_reply);
}

}  // namespace doorbuster::loadlab
