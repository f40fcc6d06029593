#include "core/issuing/sold_out_latch.hpp"

#include <utility>

namespace doorbuster {

void SoldOutLatch::told_sold_out(Version version, Timestamp asked_at) {
  if (version != version_) {
    // Of two answers the one to the later question is right; an answer that was on its way for long is not
    // taken for news.
    if (confirmed_at_ && asked_at < *confirmed_at_) return;
    filter_.reset();
    version_ = version;
    confirmed_at_ = asked_at;
    return;
  }
  if (!confirmed_at_ || *confirmed_at_ < asked_at) confirmed_at_ = asked_at;
}

void SoldOutLatch::told_otherwise() {
  confirmed_at_.reset();
}

bool SoldOutLatch::answers(const UserId& user, Timestamp now) const {
  if (!latched(now)) return false;
#ifdef DOORBUSTER_PLANT_LATCH_WITHOUT_FILTER  // a defect for the simulator to find
  (void)user;
  return true;
#else
  return filter_ && !filter_->may_hold(user);
#endif
}

void SoldOutLatch::take_filter(Version version, HolderFilter filter) {
  if (version == version_) filter_ = std::move(filter);
}

}  // namespace doorbuster
