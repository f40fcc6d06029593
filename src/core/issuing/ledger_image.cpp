#include "core/issuing/ledger_image.hpp"

#include <algorithm>

namespace doorbuster {

LedgerImage::Added LedgerImage::compare(const CouponIssued& event, const HolderTable::Key& key) const {
  const Coupon& coupon = event.coupon;
  const bool in_range = coupon.sequence >= 1 && coupon.sequence <= HolderTable::kLargestSequence &&
                        coupon.decided_at >= Timestamp{} && coupon.decided_at <= HolderTable::kLastTime;
  if (event.campaign != campaign_ || coupon.user.text().empty() || !in_range) return Added::contradicts;
  const std::uint64_t held = holders_.find(key);
  if (held != 0) return holders_.at(held).coupon == coupon ? Added::known : Added::contradicts;
  return holders_.contains(coupon.sequence) ? Added::contradicts : Added::taken;
}

void LedgerImage::insert(const HolderTable::Key& key, const CouponIssued& event, bool pending) {
  holders_.insert(key, {event.coupon, event.epoch, event.revision, event.refilled, pending});
}

LedgerImage::Added LedgerImage::add_safe(const CouponIssued& event) {
  const auto key = holders_.key_of(event.coupon.user);
  const Added added = compare(event, key);
  if (added != Added::taken) return added;
  // Two safe coupons with one code cannot be told apart here without a search; the database's own constraint
  // sees to it, and what it refused is a dead letter.
  insert(key, event, false);
  codes_.push_back(event.coupon.code);
  return added;
}

LedgerImage::Added LedgerImage::offer(const CouponIssued& event) {
  const Added added = compare(event, holders_.key_of(event.coupon.user));
  if (added == Added::taken) offers_.push_back(event);
  return added;
}

bool LedgerImage::code_taken(const CouponCode& code) const {
  return std::binary_search(codes_.begin(), codes_.end(), code);
}

LedgerImage::Settled LedgerImage::settle(std::uint64_t limit, std::uint32_t epoch) {
  Settled settled;
  std::sort(codes_.begin(), codes_.end());
  std::sort(offers_.begin(), offers_.end(), [](const CouponIssued& a, const CouponIssued& b) {
    return a.coupon.sequence < b.coupon.sequence;
  });
  for (CouponIssued& event : offers_) {
    const auto key = holders_.key_of(event.coupon.user);
    const Added added = compare(event, key);
    if (added == Added::known) continue;
    if (added == Added::contradicts || code_taken(event.coupon.code)) {
      ++settled.contradicting;
    } else if (size() >= limit) {
      ++settled.over_limit;
    } else {
      event.epoch = epoch;
      insert(key, event, true);
      ++settled.kept;
    }
  }
  offers_.clear();
  return settled;
}

std::vector<CouponIssued> LedgerImage::page(std::uint64_t after, std::size_t max, bool safe) const {
  std::vector<CouponIssued> found;
  for (std::uint64_t next = holders_.next_after(after); next != 0 && found.size() < max;
       next = holders_.next_after(next)) {
    if (holders_.pending(next) == safe) continue;
    const Holder holder = holders_.at(next);
    found.push_back({campaign_, holder.epoch, holder.revision, holder.refilled, holder.coupon, {}});
  }
  return found;
}

std::vector<NumberRange> LedgerImage::missing() const {
  std::vector<NumberRange> ranges;
  std::uint64_t before = 0;
  while (const std::uint64_t next = holders_.next_after(before)) {
    if (next > before + 1) ranges.push_back({before + 1, next - 1});
    before = next;
  }
  return ranges;
}

}  // namespace doorbuster
