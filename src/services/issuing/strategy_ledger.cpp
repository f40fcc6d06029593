#include "services/issuing/strategy_ledger.hpp"

#include <algorithm>
#include <memory>
#include <utility>

namespace doorbuster::issuing {
namespace {

/// The places of a batch that go to one ledger.
struct Share {
  Ledger* ledger;
  std::vector<std::size_t> places;
};

template <class Item>
std::vector<Share> shares_of(const std::vector<Item>& batch, const std::vector<Ledger*>& ledgers) {
  std::vector<Share> shares;
  for (std::size_t i = 0; i < batch.size(); ++i) {
    auto found = std::find_if(shares.begin(), shares.end(),
                              [&](const Share& share) { return share.ledger == ledgers[i]; });
    if (found == shares.end()) found = shares.insert(shares.end(), Share{ledgers[i], {}});
    found->places.push_back(i);
  }
  return shares;
}

template <class Item>
std::vector<Item> at_places(const std::vector<Item>& batch, const std::vector<std::size_t>& places) {
  std::vector<Item> items;
  items.reserve(places.size());
  for (const std::size_t place : places) items.push_back(batch[place]);
  return items;
}

constexpr std::size_t kMostUnknown = 10'000;

Error being_looked_for(const CampaignId& campaign) {
  return make_error(ErrorCode::not_ready, "campaign " + std::string(campaign.text()) +
                                              " is not known here; the catalog is asked, ask again");
}

Error not_offered(Strategy strategy) {
  return make_error(ErrorCode::invalid,
                    "the strategy '" + std::string(to_text(strategy)) + "' is not offered here", "strategy");
}

/// Collects what several ledgers answer; the last one to answer calls `done`.
template <class T>
struct Gathering {
  T result{};
  std::optional<Error> error;
  std::size_t open = 0;
  Ledger::Done<T> done;

  void answered() {
    if (--open == 0) done(std::move(result));
  }
};

struct Confirming {
  std::optional<Error> error;
  std::size_t open = 0;
  Ledger::Done<void> done;
};

}  // namespace

StrategyLedger::StrategyLedger(std::vector<Part> parts) : parts_(std::move(parts)) {
  DOORBUSTER_ASSERT(!parts_.empty());
}

void StrategyLedger::know(const CampaignDefinition& definition) {
  if (offered(definition.strategy) != nullptr) strategies_[definition.id] = definition.strategy;
}

void StrategyLedger::know_all(const std::vector<CampaignDefinition>& definitions) {
  ++tellings_;
  for (const auto& definition : definitions) know(definition);
}

void StrategyLedger::ask_before_unknown(Clock& clock, std::function<void()> refresh) {
  clock_ = &clock;
  refresh_ = std::move(refresh);
}

bool StrategyLedger::unsure(const CampaignId& campaign) {
  if (!refresh_ || strategies_.contains(campaign)) return false;
  const Timestamp now = clock_->now();
  if (unknown_.size() >= kMostUnknown) unknown_.clear();
  const auto [found, first] = unknown_.try_emplace(campaign, Unknown{tellings_});
  Unknown& unknown = found->second;
  if (unknown.sure && now - unknown.sure_since < kUnknownLasts) return false;
  if (unknown.sure) unknown = Unknown{tellings_};
  if (tellings_ >= unknown.asked_at + 2) {
    unknown.sure = true;
    unknown.sure_since = now;
    return false;
  }
  refresh_();
  return true;
}

Strategy StrategyLedger::strategy_of(const CampaignId& campaign) const {
  const auto found = strategies_.find(campaign);
  return found == strategies_.end() ? parts_.front().strategy : found->second;
}

Ledger* StrategyLedger::offered(Strategy strategy) const {
  const auto found = std::find_if(parts_.begin(), parts_.end(),
                                  [strategy](const Part& part) { return part.strategy == strategy; });
  return found == parts_.end() ? nullptr : found->ledger;
}

Ledger& StrategyLedger::ledger_of(const CampaignId& campaign) const {
  return *offered(strategy_of(campaign));
}

std::vector<Ledger*> StrategyLedger::ledgers() const {
  std::vector<Ledger*> all;
  for (const Part& part : parts_) {
    if (std::find(all.begin(), all.end(), part.ledger) == all.end()) all.push_back(part.ledger);
  }
  return all;
}

void StrategyLedger::decide(std::vector<IssueRequest> batch, Done<std::vector<Decision>> done) {
  if (batch.empty()) return done(std::vector<Decision>());
  std::vector<Ledger*> targets;  // null: to be held
  targets.reserve(batch.size());
  bool any_held = false;
  for (std::size_t i = 0; i < batch.size(); ++i) {
    if (i > 0 && batch[i].campaign == batch[i - 1].campaign) {
      targets.push_back(targets.back());
    } else {
      targets.push_back(unsure(batch[i].campaign) ? nullptr : &ledger_of(batch[i].campaign));
      any_held = any_held || targets.back() == nullptr;
    }
  }
  if (!any_held &&
      std::all_of(targets.begin(), targets.end(), [&](Ledger* each) { return each == targets.front(); })) {
    return targets.front()->decide(std::move(batch), std::move(done));
  }
  const auto shares = shares_of(batch, targets);
  auto gathering = std::make_shared<Gathering<std::vector<Decision>>>();
  gathering->result.resize(batch.size());  // each `closed`, until its ledger has answered
  gathering->open = shares.size();
  gathering->done = std::move(done);
  for (const Share& share : shares) {
    if (share.ledger == nullptr) {
      for (const std::size_t place : share.places) gathering->result[place].outcome = Outcome::held;
      gathering->answered();
      continue;
    }
    share.ledger->decide(at_places(batch, share.places), [gathering, places = share.places](auto decisions) {
      for (std::size_t i = 0; decisions && i < places.size(); ++i)
        gathering->result[places[i]] = std::move((*decisions)[i]);
      gathering->answered();
    });
  }
}

void StrategyLedger::confirm(std::vector<CouponKey> batch, Done<void> done) {
  if (batch.empty()) return done({});
  std::vector<Ledger*> targets;
  targets.reserve(batch.size());
  for (const CouponKey& key : batch) targets.push_back(&ledger_of(key.campaign));
  if (std::all_of(targets.begin(), targets.end(), [&](Ledger* each) { return each == targets.front(); })) {
    return targets.front()->confirm(std::move(batch), std::move(done));
  }
  const auto shares = shares_of(batch, targets);
  auto confirming = std::make_shared<Confirming>();
  confirming->open = shares.size();
  confirming->done = std::move(done);
  for (const Share& share : shares) {
    share.ledger->confirm(at_places(batch, share.places), [confirming](Result<void> confirmed) {
      if (!confirmed) confirming->error = confirmed.error();
      if (--confirming->open > 0) return;
      confirming->done(confirming->error ? Result<void>(*confirming->error) : Result<void>());
    });
  }
}

void StrategyLedger::find(CampaignId campaign, UserId user, Done<std::optional<Decision>> done) {
  if (unsure(campaign)) return done(being_looked_for(campaign));
  ledger_of(campaign).find(campaign, user, std::move(done));
}

void StrategyLedger::show(CampaignId campaign, Done<std::optional<CampaignView>> done) {
  if (unsure(campaign)) return done(being_looked_for(campaign));
  ledger_of(campaign).show(campaign, std::move(done));
}

void StrategyLedger::list(Done<std::vector<CampaignView>> done) {
  const auto all = ledgers();
  auto gathering = std::make_shared<Gathering<std::vector<CampaignView>>>();
  gathering->open = all.size();
  gathering->done = [gathering_done = std::move(done)](auto views) mutable {
    if (views) {
      std::sort(views->begin(), views->end(), [](const CampaignView& a, const CampaignView& b) {
        return a.definition.id < b.definition.id;
      });
    }
    gathering_done(std::move(views));
  };
  for (Ledger* ledger : all) {
    ledger->list([this, ledger, gathering](auto views) {
      if (!views) {
        gathering->error = views.error();
      } else {
        // Ledgers may share a store: each campaign is shown by the one that decides about it.
        for (auto& view : *views) {
          if (offered(view.definition.strategy) == ledger) gathering->result.push_back(std::move(view));
        }
      }
      if (--gathering->open > 0) return;
      if (gathering->error) return gathering->done(*gathering->error);
      gathering->done(std::move(gathering->result));
    });
  }
}

void StrategyLedger::take_overdue(Duration older_than, std::size_t max,
                                  Done<std::vector<PendingEvent>> done) {
  const auto all = ledgers();
  if (all.size() == 1) return all.front()->take_overdue(older_than, max, std::move(done));
  auto gathering = std::make_shared<Gathering<std::vector<PendingEvent>>>();
  gathering->open = all.size();
  gathering->done = std::move(done);
  for (Ledger* ledger : all) {
    ledger->take_overdue(older_than, max, [gathering](auto events) {
      if (events) std::move(events->begin(), events->end(), std::back_inserter(gathering->result));
      gathering->answered();  // what another ledger does not tell now, it tells next time
    });
  }
}

void StrategyLedger::prepare(CampaignDefinition definition, Done<void> done) {
  Ledger* ledger = offered(definition.strategy);
  if (ledger == nullptr) return done(not_offered(definition.strategy));
  ledger->prepare(std::move(definition), std::move(done));
}

void StrategyLedger::open(CampaignDefinition definition, Done<void> done) {
  Ledger* ledger = offered(definition.strategy);
  if (ledger == nullptr) return done(not_offered(definition.strategy));
  know(definition);
  ledger->open(std::move(definition), std::move(done));
}

void StrategyLedger::begin_change(CampaignId campaign, CampaignPatch patch, Done<CampaignDefinition> done) {
  ledger_of(campaign).begin_change(campaign, std::move(patch), std::move(done));
}

void StrategyLedger::end_change(CampaignDefinition definition, Done<void> done) {
  Ledger& ledger = ledger_of(definition.id);
  ledger.end_change(std::move(definition), std::move(done));
}

void StrategyLedger::holders(CampaignId campaign, std::uint64_t after, std::size_t max,
                             Done<std::vector<Decision>> done) {
  ledger_of(campaign).holders(campaign, after, max, std::move(done));
}

}  // namespace doorbuster::issuing
