#include "services/issuing/latching_ledger.hpp"

#include <unordered_map>
#include <utility>

#include "base/log.hpp"

namespace doorbuster::issuing {
namespace {

/// What the latch knows of one campaign, and what is going on about it.
struct Entry {
  SoldOutLatch latch;
  Timestamp last_asked{};
  Timestamp build_not_before{};
  bool building = false;
};

/// A filter that is being read from the ledger.
struct Build {
  CampaignId campaign;
  SoldOutLatch::Version version;
  HolderFilter filter;
  std::uint64_t holders = 0;
  std::uint64_t limit = 0;
  std::uint64_t after = 0;
};

SoldOutLatch::Version version_of(const Decision& decision) {
  return {decision.epoch, decision.revision};
}
SoldOutLatch::Version version_of(const CampaignDefinition& definition) {
  return {definition.epoch, definition.revision};
}

bool sold_out_for_good(const CampaignView& view) {
  return view.state == CampaignState::sold_out && view.durable >= view.definition.limit;
}

}  // namespace

class LatchingLedger::Impl : public std::enable_shared_from_this<Impl> {
 public:
  Impl(Executor& executor, Clock& clock, Ledger& ledger, LatchOptions options)
      : executor_(executor), clock_(clock), ledger_(ledger), options_(options) {}

  void decide(std::vector<IssueRequest> batch, Done<std::vector<Decision>> done) {
    const Timestamp now = clock_.now();
    std::vector<Decision> decisions;
    std::vector<std::size_t> asked;  // places of the requests that go to the ledger; unused while all go
    bool any_alone = false;
    for (std::size_t i = 0; i < batch.size(); ++i) {
      const Decision* alone = answer_alone(batch[i], now);
      if (alone == nullptr) {
        if (any_alone) asked.push_back(i);
        continue;
      }
      if (!any_alone) {
        any_alone = true;
        decisions.resize(batch.size());
        for (std::size_t before = 0; before < i; ++before) asked.push_back(before);
      }
      decisions[i] = *alone;
    }
    if (!any_alone) return ask_all(std::move(batch), now, std::move(done));
    if (asked.empty()) return done(std::move(decisions));
    ask_some(batch, now, std::move(decisions), std::move(asked), std::move(done));
  }

  void changed(const CampaignId& campaign) {
    const auto found = entries_.find(campaign);
    if (found != entries_.end()) found->second.latch.told_otherwise();
  }

  Ledger& ledger() { return ledger_; }
  const LatchStats& stats() const { return stats_; }

 private:
  const Decision* answer_alone(const IssueRequest& request, Timestamp now) {
    Entry* entry = entry_of(request.campaign);
    if (entry == nullptr || !entry->latch.answers(request.user, now)) return nullptr;
    entry->last_asked = now;
    ++stats_.refusals;
    keep_confirmed();
    refusal_.outcome = Outcome::sold_out;
    refusal_.epoch = entry->latch.version().epoch;
    refusal_.revision = entry->latch.version().revision;
    return &refusal_;
  }

  Entry* entry_of(const CampaignId& campaign) {
    if (last_ != nullptr && last_id_ == campaign) return last_;
    const auto found = entries_.find(campaign);
    if (found == entries_.end()) return nullptr;
    last_id_ = campaign;
    last_ = &found->second;  // stable: entries are never erased
    return last_;
  }

  void ask_all(std::vector<IssueRequest> batch, Timestamp now, Done<std::vector<Decision>> done) {
    auto campaigns = campaigns_of(batch);
    ledger_.decide(std::move(batch), [weak = weak_from_this(), campaigns = std::move(campaigns), now,
                                      done = std::move(done)](auto decisions) mutable {
      if (const auto self = weak.lock(); self && decisions) self->learn(campaigns, *decisions, now);
      done(std::move(decisions));
    });
  }

  void ask_some(const std::vector<IssueRequest>& batch, Timestamp now, std::vector<Decision> decisions,
                std::vector<std::size_t> asked, Done<std::vector<Decision>> done) {
    std::vector<IssueRequest> rest;
    rest.reserve(asked.size());
    for (const std::size_t place : asked) rest.push_back(batch[place]);
    struct Call {
      std::vector<Decision> decisions;
      std::vector<std::size_t> asked;
      Done<std::vector<Decision>> done;
    };
    auto call = std::make_unique<Call>(Call{std::move(decisions), std::move(asked), std::move(done)});
    ask_all(std::move(rest), now, [call = std::move(call)](auto answered) mutable {
      // A failure of the ledger is the failure of all: those refused alone ask again, as everybody does.
      if (!answered) return call->done(answered.error());
      for (std::size_t i = 0; i < call->asked.size(); ++i)
        call->decisions[call->asked[i]] = std::move((*answered)[i]);
      call->done(std::move(call->decisions));
    });
  }

  /// One id when all requests are for the same campaign, else one for each.
  static std::vector<CampaignId> campaigns_of(const std::vector<IssueRequest>& batch) {
    std::vector<CampaignId> ids;
    for (std::size_t i = 0; i < batch.size(); ++i) {
      if (ids.empty()) ids.push_back(batch[i].campaign);
      if (ids.size() == 1 && batch[i].campaign == ids.front()) continue;
      while (ids.size() < i) ids.push_back(ids.front());
      if (ids.size() == i) ids.push_back(batch[i].campaign);
    }
    return ids;
  }

  void learn(const std::vector<CampaignId>& campaigns, const std::vector<Decision>& decisions,
             Timestamp asked_at) {
    const CampaignId* last = nullptr;
    for (std::size_t i = 0; i < decisions.size(); ++i) {
      if (decisions[i].outcome != Outcome::sold_out || decisions[i].pending) continue;
      const CampaignId& campaign = campaigns.size() == 1 ? campaigns.front() : campaigns[i];
      if (last != nullptr && *last == campaign) continue;  // one answer of a batch is enough
      last = &campaign;
      Entry& entry = entries_[campaign];
      entry.latch.told_sold_out(version_of(decisions[i]), asked_at);
      entry.last_asked = asked_at;
      if (!entry.latch.has_filter()) start_build(campaign, entry);
    }
  }

  // ---- the filter

  void start_build(const CampaignId& campaign, Entry& entry) {
    if (entry.building || clock_.now() < entry.build_not_before) return;
    entry.building = true;
    const auto version = entry.latch.version();
    ledger_.show(campaign, [weak = weak_from_this(), campaign, version](auto view) {
      const auto self = weak.lock();
      if (!self) return;
      if (!view || !*view || version_of((*view)->definition) != version || !sold_out_for_good(**view)) {
        return self->give_up(campaign);
      }
      const std::uint64_t limit = (*view)->definition.limit;
      if (!self->make_room(HolderFilter::bytes_for(limit))) return self->give_up(campaign);
      HolderFilter filter(limit, self->options_.filter_key);
      self->read_page(std::make_unique<Build>(Build{campaign, version, std::move(filter), 0, limit, 0}));
    });
  }

  void read_page(std::unique_ptr<Build> build) {
    const CampaignId campaign = build->campaign;
    const std::uint64_t after = build->after;
    ledger_.holders(campaign, after, options_.page,
                    [weak = weak_from_this(), build = std::move(build)](auto page) mutable {
                      const auto self = weak.lock();
                      if (!self) return;
                      if (!page) return self->give_up(build->campaign);
                      for (const Decision& holder : *page) build->filter.add(holder.coupon.user);
                      build->holders += page->size();
                      if (page->empty()) return self->finish_build(std::move(build));
                      build->after = page->back().coupon.sequence;
                      // Requests come first: the next page waits for a turn of the loop.
                      Executor& executor = self->executor_;
                      executor.post([weak, build = std::move(build)]() mutable {
                        if (const auto again = weak.lock()) again->read_page(std::move(build));
                      });
                    });
  }

  void finish_build(std::unique_ptr<Build> build) {
    // Fewer or more than the limit: the holders were read while the ledger changed.
    if (build->holders != build->limit) return give_up(build->campaign);
    Entry& entry = entries_[build->campaign];
    entry.building = false;
    entry.latch.take_filter(build->version, std::move(build->filter));
    if (!entry.latch.has_filter()) return;
    ++stats_.filters;
    count_bytes();
    if (stats_.filter_bytes > options_.most_filter_bytes && !make_room(0)) entry.latch.drop_filter();
  }

  void give_up(const CampaignId& campaign) {
    Entry& entry = entries_[campaign];
    entry.building = false;
    entry.build_not_before = clock_.now() + options_.build_again_after;
  }

  void count_bytes() {
    stats_.filter_bytes = 0;
    for (const auto& [id, entry] : entries_) stats_.filter_bytes += entry.latch.filter_bytes();
  }

  /// Drops filters until `bytes` more have room. \returns false when they never have
  bool make_room(std::size_t bytes) {
    if (bytes > options_.most_filter_bytes) return false;
    count_bytes();
    while (stats_.filter_bytes + bytes > options_.most_filter_bytes) {
      Entry* oldest = nullptr;
      for (auto& [id, entry] : entries_) {
        if (!entry.latch.has_filter()) continue;
        if (oldest == nullptr || entry.last_asked < oldest->last_asked) oldest = &entry;
      }
      if (oldest == nullptr) return false;
      oldest->latch.drop_filter();
      ++stats_.evicted;
      count_bytes();
    }
    return true;
  }

  // ---- the confirmation

  void keep_confirmed() {
    if (std::exchange(confirming_, true)) return;
    executor_.after(options_.confirm_every, [weak = weak_from_this()] {
      const auto self = weak.lock();
      if (!self) return;
      self->confirming_ = false;
      self->confirm_used();
    });
  }

  /// Asks about the campaigns that somebody has asked for lately; the others are asked about by the next
  /// request for them.
  void confirm_used() {
    const Timestamp now = clock_.now();
    std::vector<CampaignId> used;
    for (const auto& [id, entry] : entries_) {
      if (entry.latch.latched(now) && entry.latch.has_filter() &&
          now - entry.last_asked < SoldOutLatch::kTrust) {
        used.push_back(id);
      }
    }
    if (!used.empty()) keep_confirmed();
    for (const CampaignId& id : used) {
      ++stats_.confirmations;
      ledger_.show(id, [weak = weak_from_this(), id, now](auto view) {
        const auto self = weak.lock();
        if (!self || !view) return;  // trust ends by itself
        SoldOutLatch& latch = self->entries_[id].latch;
        if (*view && sold_out_for_good(**view)) {
          latch.told_sold_out(version_of((*view)->definition), now);
        } else {
          latch.told_otherwise();
        }
      });
    }
  }

  Executor& executor_;
  Clock& clock_;
  Ledger& ledger_;
  const LatchOptions options_;
  std::unordered_map<CampaignId, Entry> entries_;  // of campaigns that were sold out: as many as there are
  CampaignId last_id_;
  Entry* last_ = nullptr;
  Decision refusal_;
  bool confirming_ = false;
  LatchStats stats_;
};

LatchingLedger::LatchingLedger(Executor& executor, Clock& clock, Ledger& ledger, LatchOptions options)
    : impl_(std::make_shared<Impl>(executor, clock, ledger, options)) {}
LatchingLedger::~LatchingLedger() = default;

const LatchStats& LatchingLedger::stats() const {
  return impl_->stats();
}
void LatchingLedger::decide(std::vector<IssueRequest> batch, Done<std::vector<Decision>> done) {
  impl_->decide(std::move(batch), std::move(done));
}
void LatchingLedger::end_change(CampaignDefinition definition, Done<void> done) {
  impl_->changed(definition.id);
  impl_->ledger().end_change(std::move(definition), std::move(done));
}
void LatchingLedger::confirm(std::vector<CouponKey> batch, Done<void> done) {
  impl_->ledger().confirm(std::move(batch), std::move(done));
}
void LatchingLedger::find(CampaignId campaign, UserId user, Done<std::optional<Decision>> done) {
  impl_->ledger().find(campaign, user, std::move(done));
}
void LatchingLedger::show(CampaignId campaign, Done<std::optional<CampaignView>> done) {
  impl_->ledger().show(campaign, std::move(done));
}
void LatchingLedger::list(Done<std::vector<CampaignView>> done) {
  impl_->ledger().list(std::move(done));
}
void LatchingLedger::take_overdue(Duration older_than, std::size_t max,
                                  Done<std::vector<PendingEvent>> done) {
  impl_->ledger().take_overdue(older_than, max, std::move(done));
}
void LatchingLedger::open(CampaignDefinition definition, Done<void> done) {
  impl_->ledger().open(std::move(definition), std::move(done));
}
void LatchingLedger::begin_change(CampaignId campaign, CampaignPatch patch, Done<CampaignDefinition> done) {
  impl_->ledger().begin_change(campaign, std::move(patch), std::move(done));
}
void LatchingLedger::holders(CampaignId campaign, std::uint64_t after, std::size_t max,
                             Done<std::vector<Decision>> done) {
  impl_->ledger().holders(campaign, after, max, std::move(done));
}

}  // namespace doorbuster::issuing
