#include "adapters/memory/memory_repository.hpp"

#include <algorithm>

#include "proto/event/event_codec.hpp"

namespace doorbuster {
namespace {

Error unavailable() {
  return make_error(ErrorCode::unavailable, "the coupon table does not answer");
}

bool same(const StoredCoupon& stored, const CouponIssued& event) {
  return stored.coupon == event.coupon && stored.refilled == event.refilled;
}

}  // namespace

Result<void> MemoryRepository::store(const std::vector<LogRecord>& records) {
  std::lock_guard lock(mutex_);
  if (!available_) return unavailable();
  for (const LogRecord& record : records) {
    if (record.position <= stored_through_) continue;
    store_one(record);
    stored_through_ = record.position;
  }
  return {};
}

void MemoryRepository::store_one(const LogRecord& record) {
  if (const auto* unreadable = std::get_if<Unreadable>(&record.event)) {
    dead_letters_.push_back({record.position, "poison: " + unreadable->reason, unreadable->payload});
    return;
  }
  const auto* event = std::get_if<CouponIssued>(&record.event);
  if (event == nullptr) return;  // definitions have no row here
  const Coupon& coupon = event->coupon;
  Campaign& campaign = campaigns_[event->campaign];
  if (const auto held = campaign.by_sequence.find(coupon.sequence);
      held != campaign.by_sequence.end() && same(held->second, *event)) {
    return;
  }
  if (std::string against = contradiction(*event); !against.empty()) {
    dead_letters_.push_back({record.position, "conflict: " + against, event::to_json(record.event)});
    return;
  }
  campaign.by_sequence.emplace(
      coupon.sequence,
      StoredCoupon{event->campaign, coupon, event->refilled, {}, event->epoch, event->revision});
  campaign.by_user.emplace(coupon.user, coupon.sequence);
  by_code_.emplace(coupon.code, std::pair(event->campaign, coupon.sequence));
  while (campaign.by_sequence.contains(campaign.watermark + 1)) ++campaign.watermark;
}

std::string MemoryRepository::contradiction(const CouponIssued& event) const {
  const Campaign& campaign = campaigns_.at(event.campaign);
  if (const auto held = campaign.by_user.find(event.coupon.user); held != campaign.by_user.end()) {
    return "the user has coupon " + std::to_string(held->second) + " already";
  }
  if (campaign.by_sequence.contains(event.coupon.sequence)) return "another coupon has this number";
  if (by_code_.contains(event.coupon.code)) return "another coupon has this code";
  return {};
}

Result<LogPosition> MemoryRepository::stored_through() {
  std::lock_guard lock(mutex_);
  if (!available_) return unavailable();
  return stored_through_;
}

Result<std::optional<StoredCoupon>> MemoryRepository::find(const CouponCode& code) {
  std::lock_guard lock(mutex_);
  if (!available_) return unavailable();
  const auto at = by_code_.find(code);
  if (at == by_code_.end()) return std::optional<StoredCoupon>();
  return std::optional(with_redemption(campaigns_.at(at->second.first).by_sequence.at(at->second.second)));
}

Result<std::optional<StoredCoupon>> MemoryRepository::find(const CampaignId& campaign, const UserId& user) {
  std::lock_guard lock(mutex_);
  if (!available_) return unavailable();
  const auto found = campaigns_.find(campaign);
  if (found == campaigns_.end()) return std::optional<StoredCoupon>();
  const auto held = found->second.by_user.find(user);
  if (held == found->second.by_user.end()) return std::optional<StoredCoupon>();
  return std::optional(with_redemption(found->second.by_sequence.at(held->second)));
}

Result<std::vector<StoredCoupon>> MemoryRepository::list(const CampaignId& campaign, std::uint64_t after,
                                                         std::size_t max) {
  std::lock_guard lock(mutex_);
  if (!available_) return unavailable();
  std::vector<StoredCoupon> page;
  const auto found = campaigns_.find(campaign);
  if (found == campaigns_.end()) return page;
  const auto& rows = found->second.by_sequence;
  for (auto row = rows.upper_bound(after); row != rows.end() && row->first <= found->second.watermark;
       ++row) {
    if (page.size() >= max) break;
    page.push_back(with_redemption(row->second));
  }
  return page;
}

Result<Redemption> MemoryRepository::redeem(const CouponCode& code, const std::string& idempotency_key,
                                            Timestamp now) {
  std::lock_guard lock(mutex_);
  if (!available_) return unavailable();
  if (!by_code_.contains(code)) {
    return make_error(ErrorCode::not_found, "there is no coupon with the code " + code.text(), "code");
  }
  const auto [at, first] = redeemed_.try_emplace(code, Redeemed{idempotency_key, now});
  if (!first && at->second.key != idempotency_key) {
    return make_error(ErrorCode::conflict,
                      "the coupon " + code.text() + " was redeemed at " + to_text(at->second.at), "code");
  }
  return Redemption{code, at->second.at, !first};
}

Result<std::vector<DeadLetter>> MemoryRepository::dead_letters(std::size_t max) {
  std::lock_guard lock(mutex_);
  if (!available_) return unavailable();
  const std::size_t count = std::min(max, dead_letters_.size());
  return std::vector<DeadLetter>(dead_letters_.begin(),
                                 dead_letters_.begin() + static_cast<std::ptrdiff_t>(count));
}

void MemoryRepository::set_available(bool available) {
  std::lock_guard lock(mutex_);
  available_ = available;
}

void MemoryRepository::lose_everything() {
  std::lock_guard lock(mutex_);
  stored_through_ = 0;
  campaigns_.clear();
  by_code_.clear();
  redeemed_.clear();
  dead_letters_.clear();
}

StoredCoupon MemoryRepository::with_redemption(StoredCoupon coupon) const {
  if (const auto at = redeemed_.find(coupon.coupon.code); at != redeemed_.end())
    coupon.redeemed_at = at->second.at;
  return coupon;
}

}  // namespace doorbuster
