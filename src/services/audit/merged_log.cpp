#include "services/audit/merged_log.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>
#include <tuple>

namespace doorbuster::audit {
namespace {

constexpr std::size_t kPage = 10'000;

}  // namespace

MergedLog::MergedLog(std::vector<EventSource*> partitions, CampaignId campaign,
                     std::vector<EpochFence> fences, std::vector<Event> stored_alone)
    : partitions_(std::move(partitions)),
      campaign_(campaign),
      fences_(std::move(fences)),
      stored_alone_(std::move(stored_alone)),
      read_(partitions_.size()) {}

Result<LogPosition> MergedLog::end() {
  if (cut_.empty()) {
    for (auto* partition : partitions_) {
      auto end = partition->end();
      if (!end) {
        cut_.clear();
        return end.error();
      }
      cut_.push_back(*end);
    }
  }
  return std::accumulate(cut_.begin(), cut_.end(), LogPosition{stored_alone_.size()});
}

LogPosition MergedLog::reached(const std::vector<LogPosition>& stored_through) const {
  LogPosition sum = stored_alone_.size();
  for (std::size_t i = 0; i < cut_.size() && i < stored_through.size(); ++i) {
    sum += std::min(cut_[i], stored_through[i]);
  }
  return sum;
}

Result<std::vector<LogRecord>> MergedLog::read(LogPosition after, std::size_t max) {
  if (!first_part_) {
    if (auto end_known = end(); !end_known) return end_known.error();
    if (auto read = read_on(true); !read) return read.error();
    first_part_ = true;
    if (merged_.empty()) {
      return make_error(ErrorCode::not_found, fmt::format("the log has no campaign '{}'", campaign_.text()),
                        "campaign");
    }
  }
  if (next_ > merged_.size() || (next_ > 0 && merged_[next_ - 1].position != after) || next_ == 0) {
    const auto at =
        std::upper_bound(merged_.begin(), merged_.end(), after,
                         [](LogPosition wanted, const auto& record) { return wanted < record.position; });
    next_ = static_cast<std::size_t>(at - merged_.begin());
  }
  if (next_ == merged_.size()) {
    if (auto read = read_on(false); !read) return read.error();
  }
  const auto count = std::min(max, merged_.size() - next_);
  const auto from = merged_.begin() + static_cast<std::ptrdiff_t>(next_);
  next_ += count;
  return std::vector<LogRecord>(from, from + static_cast<std::ptrdiff_t>(count));
}

Result<void> MergedLog::read_on(bool to_cut) {
  std::vector<Coupon> coupons;
  if (to_cut) {
    for (const auto& event : stored_alone_) {
      if (const auto* issued = std::get_if<CouponIssued>(&event)) coupons.push_back({*issued, 0, 0});
      if (const auto* changed = std::get_if<CampaignChanged>(&event)) {
        changes_.emplace(changed->definition.revision, changed->definition);
      }
    }
  }
  for (std::size_t i = 0; i < partitions_.size(); ++i) {
    auto through = to_cut ? Result<LogPosition>(cut_[i]) : partitions_[i]->end();
    if (!through) return through.error();
    if (auto read = read_partition(i, *through, coupons); !read) return read;
  }
  merge(std::move(coupons), to_cut ? *end() : 0);
  return {};
}

Result<void> MergedLog::read_partition(std::size_t partition, LogPosition through,
                                       std::vector<Coupon>& coupons) {
  while (read_[partition] < through) {
    const auto page = partitions_[partition]->read(read_[partition],
                                                   std::min<std::size_t>(kPage, through - read_[partition]));
    if (!page) return page.error();
    if (page->empty()) {
      return make_error(ErrorCode::corrupt,
                        fmt::format("partition {} of the log ends at position {}, before its own "
                                    "end {}",
                                    partition, read_[partition], through));
    }
    for (const auto& record : *page) {
      read_[partition] = record.position;
      if (const auto* issued = std::get_if<CouponIssued>(&record.event)) {
        if (issued->campaign != campaign_) continue;
        if (is_void(fences_, issued->epoch, partition, record.position)) {
          ++voided_;
        } else {
          coupons.push_back({*issued, partition, record.position});
        }
      } else if (const auto* changed = std::get_if<CampaignChanged>(&record.event)) {
        // The same revision may stand in the log twice.
        if (changed->definition.id == campaign_) {
          changes_.emplace(changed->definition.revision, changed->definition);
        }
      }
    }
  }
  return {};
}

void MergedLog::merge(std::vector<Coupon> coupons, LogPosition last) {
  std::sort(coupons.begin(), coupons.end(), [](const Coupon& a, const Coupon& b) {
    return std::tuple(a.event.coupon.decided_at, a.event.coupon.sequence, a.partition, a.position) <
           std::tuple(b.event.coupon.decided_at, b.event.coupon.sequence, b.partition, b.position);
  });
  LogPosition position = merged_.empty() ? 0 : merged_.back().position;
  const auto change = [&](auto at) {
    merged_.push_back({++position, CampaignChanged{std::move(at->second)}});
    return changes_.erase(at);
  };
  for (auto& coupon : coupons) {
    while (!changes_.empty() && changes_.begin()->first <= coupon.event.revision) change(changes_.begin());
    merged_.push_back({++position, std::move(coupon.event)});
  }
  while (!changes_.empty()) change(changes_.begin());
  if (last > position && !merged_.empty()) merged_.back().position = last;
}

}  // namespace doorbuster::audit
