#pragma once
// The three connections of the repository, each with its prepared statements. Only sqlite_repository.cpp and
// repository_parts.cpp include this.

#include <set>

#include "adapters/sqlite/sqlite_repository.hpp"

namespace doorbuster::sqlite {

/// Writes coupons. One batch: begin, add each, finish.
struct SqliteRepository::Store {
  Database database;
  Statement find_campaign, insert_campaign, set_watermark, from_watermark;
  Statement insert_coupon, by_code, by_sequence, by_user;
  Statement insert_dead_letter, set_position, get_position;

  struct Campaign {
    std::int64_t number = 0;
    std::uint64_t watermark = 0;
    std::uint64_t largest = 0;  // stored in this batch beyond the watermark
    bool moved = false;
  };
  std::unordered_map<CampaignId, Campaign> campaigns;  // of this batch's transaction and those before
  std::uint64_t added = 0;                             // of this batch
  std::uint64_t refused = 0;

  Result<void> open(const std::string& path, const std::string& vfs);
  Result<void> store(const std::vector<LogRecord>& records);
  /// \returns the reason when the event contradicts what is there, else empty
  Result<std::string> add(const CouponIssued& event);
  Result<void> advance(LogPosition position);

 private:
  Result<Campaign*> campaign(const CampaignId& id);
  Result<std::string> compare(const CouponIssued& event, std::int64_t campaign);
  Result<void> move_watermarks();
};

struct SqliteRepository::Reader {
  Database database;
  Statement by_code, by_user, page, position, watermark, letters;
  Result<void> open(const std::string& path, const std::string& vfs);
};

struct SqliteRepository::Redeemer {
  Database database;
  Statement coupon, get, insert;
  Result<void> open(const std::string& path, const std::string& vfs);
};

}  // namespace doorbuster::sqlite
