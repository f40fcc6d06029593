#pragma once
// The repository as the ledger asks it: an answer takes a while, and a share of the questions fails.

#include <algorithm>
#include <utility>

#include "ports/holder_archive.hpp"
#include "tests/sim/disk.hpp"

namespace doorbuster::sim {

class SimArchive final : public HolderArchive {
 public:
  SimArchive(Executor& executor, const Disk& disk, SeededRandom& random, std::uint64_t fail_percent)
      : executor_(executor), disk_(disk), random_(random), fail_percent_(fail_percent) {}

  void find(CampaignId campaign, UserId user, Done<std::optional<StoredCoupon>> done) override {
    answer(std::move(done), [this, campaign, user]() -> std::optional<StoredCoupon> {
      const auto row = disk_.rows.find({campaign, user});
      return row == disk_.rows.end() ? std::nullopt : std::optional(row->second);
    });
  }

  void list(CampaignId campaign, std::uint64_t after, std::size_t max,
            Done<std::vector<StoredCoupon>> done) override {
    answer(std::move(done), [this, campaign, after, max] {
      std::map<std::uint64_t, StoredCoupon> by_number;
      for (const auto& [key, row] : disk_.rows) {
        if (key.first == campaign) by_number.emplace(row.coupon.sequence, row);
      }
      std::vector<StoredCoupon> page;
      std::uint64_t next = 1;  // up to the first number that is not there
      for (const auto& [number, row] : by_number) {
        if (number != next++ || page.size() >= max) break;
        if (number > after) page.push_back(row);
      }
      return page;
    });
  }

 private:
  template <class DoneWith, class Read>
  void answer(DoneWith done, Read read) {
    executor_.after(Duration(random_.below(2000)), [this, done = std::move(done), read]() mutable {
      if (random_.below(100) < fail_percent_) {
        return done(make_error(ErrorCode::unavailable, "the database does not answer"));
      }
      done(read());
    });
  }

  Executor& executor_;
  const Disk& disk_;
  SeededRandom& random_;
  std::uint64_t fail_percent_;
};

}  // namespace doorbuster::sim
