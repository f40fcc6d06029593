#include "adapters/kafka/held_appends.hpp"

#include <algorithm>
#include <utility>

namespace doorbuster::kafka {

std::vector<HeldAppend> HeldAppends::add(HeldAppend append, Now now) {
  std::lock_guard lock(mutex_);
  if (held_.empty()) held_since_ = now;
  held_events_ += append.events.size();
  held_.push_back(std::move(append));
  return may_go(now) ? take() : std::vector<HeldAppend>();
}

std::vector<HeldAppend> HeldAppends::release(Now now) {
  std::lock_guard lock(mutex_);
  return may_go(now) ? take() : std::vector<HeldAppend>();
}

void HeldAppends::handed_over(std::size_t events) {
  std::lock_guard lock(mutex_);
  leaving_ = false;
  on_their_way_ += static_cast<std::ptrdiff_t>(events);
}

void HeldAppends::sent_beside(std::size_t events) {
  std::lock_guard lock(mutex_);
  on_their_way_ += static_cast<std::ptrdiff_t>(events);
}

void HeldAppends::answered(std::size_t events) {
  std::lock_guard lock(mutex_);
  on_their_way_ -= static_cast<std::ptrdiff_t>(events);
}

std::vector<HeldAppend> HeldAppends::reset() {
  std::lock_guard lock(mutex_);
  on_their_way_ = 0;
  last_group_ = held_events_ = 0;
  leaving_ = false;
  return std::exchange(held_, {});
}

std::vector<HeldAppend> HeldAppends::take() {
  last_group_ = std::exchange(held_events_, 0);
  leaving_ = true;
  return std::exchange(held_, {});
}

bool HeldAppends::may_go(Now now) const {
  if (held_.empty() || leaving_) return false;
  return on_their_way_ <= static_cast<std::ptrdiff_t>(last_group_ / 2) || held_events_ >= kLargeEnough ||
         now - held_since_ >= kLongest;
}

}  // namespace doorbuster::kafka
