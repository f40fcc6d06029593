#pragma once
// Pages of a campaign's holders by number, for audit. Redis finds holders by user; by number it would need a
// second index, which every decision would pay for. So the first page reads everything (HSCAN), sorts it and
// keeps it for the pages that follow. Private to this adapter.

#include "adapters/redis/redis_ledger.hpp"

namespace doorbuster {

/// Holds about 130 bytes a coupon while somebody pages: a million take 130 MB for some seconds. One campaign
/// at a time; another one's first page takes the place.
class RedisLedger::HolderPages {
 public:
  explicit HolderPages(redis::LedgerCore& core) : core_(core) {}
  void page(const CampaignId& campaign, std::uint64_t after, std::size_t max,
            Done<std::vector<Decision>> done);

 private:
  struct Reading {
    CampaignId campaign;
    std::uint64_t after;
    std::size_t max;
    Done<std::vector<Decision>> done;
    std::vector<Decision> holders;
  };

  void scan(std::shared_ptr<Reading> reading, const std::string& cursor);
  void read_outbox(std::shared_ptr<Reading> reading, const std::string& from);
  void finish(Reading& reading);
  std::vector<Decision> cut(std::uint64_t after, std::size_t max);

  redis::LedgerCore& core_;
  CampaignId campaign_;
  std::vector<Decision> holders_;  // ascending by number
  std::uint64_t generation_ = 0;
  std::shared_ptr<int> alive_ = std::make_shared<int>(0);  // for the timer
};

}  // namespace doorbuster
