#include "core/balancing/circuit_breaker.hpp"

#include <algorithm>

namespace doorbuster::balancing {

CircuitBreaker::State CircuitBreaker::state(Moment now) {
  if (state_ == State::open && now >= open_until_) {
    state_ = State::half_open;
    trying_ = false;
  }
  return state_;
}

bool CircuitBreaker::admits(Moment now) {
  switch (state(now)) {
    case State::closed:
      return true;
    case State::open:
      return false;
    case State::half_open:
      return !trying_;
  }
  return false;
}

void CircuitBreaker::began() {
  if (state_ == State::half_open) trying_ = true;
}

void CircuitBreaker::abandoned() {
  if (state_ == State::half_open) trying_ = false;
}

void CircuitBreaker::roll(Moment now) {
  const auto half = options_.window / 2;
  if (now < half_began_ + half) return;
  previous_ = now < half_began_ + options_.window ? current_ : Half{};
  current_ = {};
  half_began_ = now;
}

void CircuitBreaker::open(Moment now) {
  pause_ = pause_ == Duration(0) ? options_.first_pause : std::min(pause_ * 2, options_.longest_pause);
  open_until_ = now + pause_;
  state_ = State::open;
  trying_ = false;
  current_ = previous_ = {};
}

void CircuitBreaker::ended(bool failed, Moment now) {
  switch (state(now)) {
    case State::open:
      return;  // sent before it opened
    case State::half_open:
      if (failed) return open(now);
      state_ = State::closed;
      trying_ = false;
      pause_ = Duration(0);
      current_ = previous_ = {};
      half_began_ = now;
      return;
    case State::closed:
      break;
  }
  roll(now);
  ++current_.results;
  if (!failed) return;
  ++current_.failures;
  const auto results = current_.results + previous_.results;
  const auto failures = current_.failures + previous_.failures;
  if (results >= options_.least_results && failures * 100 >= options_.failure_percent * results) open(now);
}

}  // namespace doorbuster::balancing
