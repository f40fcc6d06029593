#pragma once
// Several partitions of a log as one, for the audit of one campaign: what was decided, in the order of the
// decisions.
//
// A partition has an order, partitions among each other have none. But the ledger's clock stands in each
// coupon, and the revision under which it was decided. So coupons come in the order of their times, and a
// definition before the first coupon of its revision. Events that a fence has made void, and what cannot be
// read, are left out; so are other campaigns.
//
// Positions here count in that order. The first call of end() takes the cut: the ends of all partitions at
// that moment. Records up to it are merged when they are first read; what is read later, behind the cut, is
// merged among itself and stands behind them. The last record before the cut has the position end(), the sum
// of the partitions' ends.
//
// One thread.

#include <functional>
#include <map>

#include "core/issuing/epoch_fence.hpp"
#include "ports/event_log.hpp"

namespace doorbuster::audit {

class MergedLog final : public EventSource {
 public:
  /// \param partitions outlive this
  MergedLog(std::vector<EventSource*> partitions, CampaignId campaign, std::vector<EpochFence> fences,
            std::vector<Event> stored_alone = {});

  /// \returns not_found when the log has no such campaign, corrupt, unavailable
  Result<std::vector<LogRecord>> read(LogPosition after, std::size_t max) override;
  Result<LogPosition> end() override;
  void wait(LogPosition, Duration) override {}

  /// How far a worker is that has stored the partitions up to here: end() when it has reached the cut.
  LogPosition reached(const std::vector<LogPosition>& stored_through) const;
  std::size_t partitions() const { return partitions_.size(); }
  std::uint64_t voided() const { return voided_; }

 private:
  struct Coupon {
    CouponIssued event;
    std::size_t partition = 0;
    LogPosition position = 0;
  };
  Result<void> read_on(bool to_cut);
  Result<void> read_partition(std::size_t partition, LogPosition through, std::vector<Coupon>& coupons);
  void merge(std::vector<Coupon> coupons, LogPosition last);

  const std::vector<EventSource*> partitions_;
  const CampaignId campaign_;
  const std::vector<EpochFence> fences_;
  std::vector<Event> stored_alone_;
  std::vector<LogPosition> cut_;                         // by partition; empty before end()
  std::vector<LogPosition> read_;                        // by partition, up to here
  std::map<std::uint32_t, CampaignDefinition> changes_;  // by revision, not merged yet
  std::vector<LogRecord> merged_;
  std::size_t next_ = 0;  // index of the record that read() gives next, as a rule
  bool first_part_ = false;
  std::uint64_t voided_ = 0;
};

}  // namespace doorbuster::audit
