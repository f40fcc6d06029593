#include "services/audit/sold_out_phases.hpp"

#include <algorithm>

namespace doorbuster::audit {

void SoldOutPhases::limit_changed(std::uint64_t limit, std::uint64_t count) {
  const bool first = !limit_;
  limit_ = limit;
  const bool full = count >= limit;
  if (first) {
    filling_ = begun_ = !full;
    from_ = last_ = Timestamp::min();
  } else if (filling_ && full) {
    if (begun_) closed_.push_back({from_, last_});
    filling_ = begun_ = false;
  } else if (!filling_ && !full) {
    filling_ = true;
    begun_ = false;
  }
}

void SoldOutPhases::decided(Timestamp at, std::uint64_t count) {
  if (!filling_) return;
  if (!begun_) {
    from_ = last_ = at;
    begun_ = true;
  }
  last_ = std::max(last_, at);
  if (count >= limit_.value_or(0)) {
    closed_.push_back({from_, last_});
    filling_ = begun_ = false;
  }
}

bool SoldOutPhases::contradicts(std::optional<Timestamp> sent, Timestamp received) const {
  const auto within = [&](Timestamp from, Timestamp until) {
    return received < until && (from == Timestamp::min() || (sent && *sent > from));
  };
  if (filling_ && begun_ && within(from_, Timestamp::max())) return true;
  return std::any_of(closed_.begin(), closed_.end(),
                     [&](const Stretch& stretch) { return within(stretch.from, stretch.until); });
}

}  // namespace doorbuster::audit
