#include "services/issuing/ended_campaigns.hpp"

#include <algorithm>
#include <map>
#include <utility>

#include "base/log.hpp"

namespace doorbuster::issuing {
namespace {

/// A campaign in memory that has ended.
struct Ended {
  Timestamp since{};
  bool put_off_told = false;  // once is enough for people
};

/// A campaign whose holders are being compared.
struct Comparison {
  CampaignId campaign;
  HolderFilter filter;
  std::uint64_t compared = 0;
  std::uint64_t after = 0;  // the last number compared
};
using ComparisonPtr = std::shared_ptr<Comparison>;

#ifdef DOORBUSTER_PLANT_UNLOAD_BEFORE_STORED  // a defect for the simulator to find
constexpr bool kStoredUnseen = true;
#else
constexpr bool kStoredUnseen = false;
#endif

bool same(const Decision& held, const StoredCoupon& stored) {
  return !held.pending && held.coupon == stored.coupon && held.refilled == stored.refilled &&
         held.epoch == stored.epoch && held.revision == stored.revision;
}

}  // namespace

class EndedCampaigns::Impl : public std::enable_shared_from_this<Impl> {
  template <class F>
  auto on_self(F then) {
    return [weak = weak_from_this(), then = std::move(then)](auto result) mutable {
      if (const auto self = weak.lock()) then(*self, std::move(result));
    };
  }

 public:
  Impl(Executor& executor, Clock& clock, UnloadableLedger& ledger, HolderArchive& archive,
       UnloadOptions options)
      : executor_(executor),
        clock_(clock),
        ledger_(ledger),
        archive_(archive),
        options_(std::move(options)) {}

  void look() {
    note();
    next();
    executor_.after(options_.look_every, [weak = weak_from_this()] {
      if (const auto self = weak.lock()) self->look();
    });
  }

  const UnloadStats& stats() const { return stats_; }

 private:
  void note() {
    const Timestamp now = clock_.now();
    std::map<CampaignId, Ended> still;
    for (const CampaignId& id : ledger_.unloadable()) {
      const auto known = ended_.find(id);
      still.emplace(id, known == ended_.end() ? Ended{now} : known->second);
    }
    ended_ = std::move(still);
  }

  /// One at a time: a thousand that ended together must not crowd out those who look coupons up.
  void next() {
    if (comparing_) return;
    const Timestamp now = clock_.now();
    const auto due = std::find_if(ended_.begin(), ended_.end(), [&](const auto& each) {
      return now - each.second.since >= options_.after;
    });
    if (due == ended_.end()) {
      if (std::exchange(any_unloaded_, false) && options_.unloaded) options_.unloaded();
      return;
    }
    comparing_ = true;
    ledger_.show(due->first, on_self([id = due->first](Impl& self, auto view) {
                   if (!view || !*view) return self.put_off(id, "it is not in the ledger");
                   HolderFilter filter((*view)->issued, self.options_.filter_key);
                   self.read_page(std::make_shared<Comparison>(Comparison{id, std::move(filter)}));
                 }));
  }

  void read_page(const ComparisonPtr& comparison) {
    archive_.list(comparison->campaign, comparison->after, options_.page,
                  on_self([comparison](Impl& self, Result<std::vector<StoredCoupon>> stored) {
                    if (!stored) return self.put_off(comparison->campaign, stored.error().detail);
                    self.compare(comparison, std::move(*stored));
                  }));
  }

  void compare(const ComparisonPtr& comparison, std::vector<StoredCoupon> stored) {
    ledger_.holders(
        comparison->campaign, comparison->after, options_.page,
        on_self([comparison, stored = std::move(stored)](Impl& self, Result<std::vector<Decision>> held) {
          if (!held) return self.put_off(comparison->campaign, held.error().detail);
          if (!kStoredUnseen && !std::equal(held->begin(), held->end(), stored.begin(), stored.end(), same)) {
            return self.put_off(comparison->campaign, "not all of its coupons are in the repository");
          }
          for (const Decision& holder : *held) comparison->filter.add(holder.coupon.user);
          comparison->compared += held->size();
          if (!held->empty()) comparison->after = held->back().coupon.sequence;
          if (held->size() == self.options_.page) return self.read_page(comparison);
          self.unload(*comparison);
        }));
  }

  void unload(Comparison& comparison) {
    const auto done =
        ledger_.unload(comparison.campaign, std::move(comparison.filter), comparison.compared, archive_);
    if (!done) return put_off(comparison.campaign, done.error().detail);
    ++stats_.unloaded;
    any_unloaded_ = true;
    log().debug("campaign {}: ended, its {} holders are in the repository and no longer in memory",
                comparison.campaign.text(), comparison.compared);
    ended_.erase(comparison.campaign);
    go_on();
  }

  /// Its time begins anew.
  void put_off(const CampaignId& campaign, std::string_view why) {
    ++stats_.put_off;
    if (const auto known = ended_.find(campaign); known != ended_.end()) {
      known->second.since = clock_.now();
      if (!std::exchange(known->second.put_off_told, true)) {
        log().info("campaign {}: ended, and stays in memory for now: {}", campaign.text(), why);
      }
    }
    go_on();
  }

  void go_on() {
    comparing_ = false;
    executor_.post([weak = weak_from_this()] {
      if (const auto self = weak.lock()) self->next();
    });
  }

  Executor& executor_;
  Clock& clock_;
  UnloadableLedger& ledger_;
  HolderArchive& archive_;
  const UnloadOptions options_;
  UnloadStats stats_;
  std::map<CampaignId, Ended> ended_;  // in the order of their ids: the simulator must find it again
  bool comparing_ = false;
  bool any_unloaded_ = false;  // since `unloaded` was called
};

EndedCampaigns::EndedCampaigns(Executor& executor, Clock& clock, UnloadableLedger& ledger,
                               HolderArchive& archive, UnloadOptions options)
    : impl_(std::make_shared<Impl>(executor, clock, ledger, archive, std::move(options))) {}
EndedCampaigns::~EndedCampaigns() = default;

void EndedCampaigns::start() {
  impl_->look();
}
const UnloadStats& EndedCampaigns::stats() const {
  return impl_->stats();
}

}  // namespace doorbuster::issuing
