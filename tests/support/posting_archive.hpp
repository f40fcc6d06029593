#pragma once
// A repository asked without waiting, without a thread: each answer is a turn of the executor later.

#include <utility>

#include "base/executor.hpp"
#include "ports/holder_archive.hpp"

namespace doorbuster::test {

class PostingArchive final : public HolderArchive {
 public:
  PostingArchive(Executor& executor, CouponRepository& repository)
      : executor_(executor), repository_(repository) {}

  void find(CampaignId campaign, UserId user, Done<std::optional<StoredCoupon>> done) override {
    ++asked;
    executor_.post(
        [this, campaign, user, done = std::move(done)]() mutable { done(repository_.find(campaign, user)); });
  }
  void list(CampaignId campaign, std::uint64_t after, std::size_t max,
            Done<std::vector<StoredCoupon>> done) override {
    ++pages;
    executor_.post([this, campaign, after, max, done = std::move(done)]() mutable {
      done(repository_.list(campaign, after, max));
    });
  }

  int asked = 0;
  int pages = 0;

 private:
  Executor& executor_;
  CouponRepository& repository_;
};

}  // namespace doorbuster::test
