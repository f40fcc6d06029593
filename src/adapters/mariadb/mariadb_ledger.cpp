#include "adapters/mariadb/mariadb_ledger.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <unordered_map>

#include "adapters/mariadb/rows.hpp"
#include "adapters/mariadb/stock.hpp"

namespace doorbuster::mariadb {
namespace {

Error not_found(const CampaignId& campaign) {
  return make_error(ErrorCode::not_found, fmt::format("there is no campaign '{}'", campaign.text()));
}

/// The decisions of one transaction.
class Decider {
 public:
  Decider(Connection& connection, const std::vector<IssueRequest>& batch,
          const std::vector<CouponCode>& codes)
      : connection_(connection), batch_(batch), codes_(codes), decisions_(batch.size()) {}

  Result<std::vector<Decision>> run() {
    std::map<CampaignId, std::vector<std::size_t>> by_campaign;  // in the order of locking
    for (std::size_t i = 0; i < batch_.size(); ++i) by_campaign[batch_[i].campaign].push_back(i);
    for (const auto& [campaign, requests] : by_campaign) {
      if (auto decided = decide(campaign, requests); !decided) return decided.error();
    }
    return std::move(decisions_);
  }

 private:
  Result<void> decide(const CampaignId& campaign, const std::vector<std::size_t>& requests) {
    auto stock = find_stock(connection_, campaign, true);
    if (!stock) return stock.error();
    if (!*stock) {
      for (const auto i : requests) decisions_[i].outcome = Outcome::unknown_campaign;
      return {};
    }
    auto now = database_now(connection_);
    if (!now) return now.error();
    auto held = read_holders(campaign, requests);
    if (!held) return held.error();
    std::vector<CouponIssued> issued;
    for (const auto i : requests) decisions_[i] = decide_one(**stock, *now, i, *held, issued);
    if (issued.empty()) return {};
    if (auto added = add_coupons(connection_, issued); !added) return refused(added.error());
    return save_stock(connection_, **stock);
  }

  using Holders = std::unordered_map<UserId, StockCoupon>;
  Result<Holders> read_holders(const CampaignId& campaign, const std::vector<std::size_t>& requests) {
    std::vector<UserId> users;
    users.reserve(requests.size());
    for (const auto i : requests) users.push_back(batch_[i].user);
    auto found = coupons_of(connection_, campaign, users);
    if (!found) return found.error();
    Holders holders;
    for (auto& coupon : *found) holders.emplace(coupon.event.coupon.user, std::move(coupon));
    return holders;
  }

  Decision decide_one(Stock& stock, Timestamp now, std::size_t i, Holders& holders,
                      std::vector<CouponIssued>& issued) {
    const auto& definition = stock.definition;
    const auto& user = batch_[i].user;
    if (const auto has = holders.find(user); has != holders.end()) {
      return decision_of(has->second, definition.durability);
    }
    Decision decision;
    decision.epoch = definition.epoch;
    decision.revision = definition.revision;
    decision.durability = definition.durability;
    if (stock.held_since) {
      decision.outcome = Outcome::held;
      return decision;
    }
    switch (state_at(definition, now, stock.issued)) {
      case CampaignState::scheduled:
        decision.outcome = Outcome::not_started;
        return decision;
      case CampaignState::paused:
        decision.outcome = Outcome::paused;
        return decision;
      case CampaignState::ended:
        decision.outcome = Outcome::ended;
        return decision;
      case CampaignState::sold_out:
        decision.outcome = Outcome::sold_out;
        decision.pending = stock.pending > 0;
        return decision;
      case CampaignState::open:
        break;
    }
    DOORBUSTER_ASSERT(stock.issued < definition.limit);
    ++stock.pending;
    decision.outcome = Outcome::issued;
    decision.pending = true;
    decision.coupon = {user, ++stock.issued, codes_[i], now};
    issued.push_back(
        {definition.id, definition.epoch, definition.revision, false, decision.coupon, InstanceName()});
    holders.emplace(user, StockCoupon{issued.back(), true});
    return decision;
  }

  /// A number or a code that is there already: the tables are not what the stock row says.
  static Error refused(const Error& error) {
    if (error.code != ErrorCode::conflict) return error;
    return make_error(ErrorCode::unavailable, error.detail);
  }

  Connection& connection_;
  const std::vector<IssueRequest>& batch_;
  const std::vector<CouponCode>& codes_;
  std::vector<Decision> decisions_;
};

Result<void> confirm_all(Connection& connection, const std::vector<CouponKey>& batch) {
  std::map<CampaignId, std::vector<std::uint64_t>> by_campaign;
  std::map<CampaignId, std::vector<std::uint32_t>> epochs;
  for (const auto& key : batch) {
    by_campaign[key.campaign].push_back(key.sequence);
    epochs[key.campaign].push_back(key.epoch);
  }
  for (const auto& [campaign, sequences] : by_campaign) {
    auto stock = find_stock(connection, campaign, true);
    if (!stock) return stock.error();
    for (const auto epoch : epochs[campaign]) {
      if (*stock && (*stock)->definition.epoch == epoch) continue;
      return make_error(ErrorCode::closed,
                        fmt::format("coupons of campaign {} were decided in epoch {}, which is over",
                                    campaign.text(), epoch));
    }
    auto removed = remove_pending(connection, campaign, sequences);
    if (!removed) return removed.error();
    DOORBUSTER_ASSERT((*stock)->pending >= *removed);
    (*stock)->pending -= *removed;
    if (auto saved = save_stock(connection, **stock); !saved) return saved;
  }
  return {};
}

Result<CampaignDefinition> hold(Connection& connection, const CampaignId& campaign,
                                const CampaignPatch& patch, const std::string& name, Duration timeout) {
  auto stock = find_stock(connection, campaign, true);
  if (!stock) return stock.error();
  if (!*stock) return not_found(campaign);
  auto& row = **stock;
  auto now = database_now(connection);
  if (!now) return now.error();
  if (row.held_since && *row.held_since + timeout > *now) {
    return make_error(ErrorCode::conflict,
                      fmt::format("campaign {} is being changed: ask again in a moment", campaign.text()));
  }
  auto next = patched(row.definition, patch, row.issued);
  if (!next) return next;
  row.taken_over = row.held_since.has_value();
  row.held_since = *now;
  row.held_by = name;
  if (auto saved = save_stock(connection, row); !saved) return saved.error();
  return next;
}

Result<void> end_hold(Connection& connection, const CampaignDefinition& definition, const std::string& name) {
  auto stock = find_stock(connection, definition.id, true);
  if (!stock) return stock.error();
  if (!*stock) return not_found(definition.id);
  auto& row = **stock;
  if (row.definition.epoch != definition.epoch) {
    return make_error(ErrorCode::closed,
                      fmt::format("campaign {} is at epoch {}, not {}", definition.id.text(),
                                  row.definition.epoch, definition.epoch));
  }
  if (definition.revision > row.definition.revision) {
    if (definition.limit < row.issued) {
      return make_error(ErrorCode::conflict,
                        fmt::format("the limit of campaign {} would be below the {} coupons that are issued",
                                    definition.id.text(), row.issued),
                        "limit");
    }
    row.definition = definition;
  } else if (row.held_by != name || row.taken_over) {
    return {};
  }
  row.held_since.reset();
  row.held_by.clear();
  row.taken_over = false;
  return save_stock(connection, row);
}

}  // namespace

MariaDbLedger::MariaDbLedger(Pool& pool, rt::Offload& threads, Executor& shard, RandomSource& random,
                             LedgerOptions options)
    : pool_(pool), threads_(threads), shard_(shard), random_(random), options_(options) {
  CouponCode::Bytes bytes{};
  random_.fill(bytes);
  name_ = CouponCode(bytes).text();
}

Result<void> MariaDbLedger::pretend(Connection& connection) {
  if (options_.pretended_clock == nullptr) return {};
  const auto now = micros(options_.pretended_clock->now());
  return connection.execute(fmt::format("SET timestamp = {}.{:06}", now / 1'000'000, now % 1'000'000));
}

template <class T, class Job>
void MariaDbLedger::in_transaction(Job job, Done<T> done) {
  threads_.run<T>(
      shard_,
      [this, job = std::move(job)]() mutable {
        return pool_.with<T>([&](Connection& connection) -> Result<T> {
          if (auto set = pretend(connection); !set) return set.error();
          Transaction transaction(connection);
          if (auto begun = transaction.begin(); !begun) return begun.error();
          Result<T> result = job(connection);
          if (!result) return result;
          if (auto committed = transaction.commit(); !committed) return committed.error();
          return result;
        });
      },
      std::move(done));
}

template <class T, class Job>
void MariaDbLedger::reading(Job job, Done<T> done) {
  threads_.run<T>(
      shard_,
      [this, job = std::move(job)]() mutable {
        return pool_.read<T>([&](Connection& connection) -> Result<T> {
          if (auto set = pretend(connection); !set) return set.error();
          return job(connection);
        });
      },
      std::move(done));
}

void MariaDbLedger::decide(std::vector<IssueRequest> batch, Done<std::vector<Decision>> done) {
  if (batch.empty()) return done(std::vector<Decision>());
  std::vector<CouponCode> codes;
  codes.reserve(batch.size());
  for (std::size_t i = 0; i < batch.size(); ++i) {
    CouponCode::Bytes bytes{};
    random_.fill(bytes);
    codes.emplace_back(bytes);
  }
  in_transaction<std::vector<Decision>>(
      [batch = std::move(batch), codes = std::move(codes)](Connection& connection) {
        return Decider(connection, batch, codes).run();
      },
      std::move(done));
}

void MariaDbLedger::confirm(std::vector<CouponKey> batch, Done<void> done) {
  if (batch.empty()) return done({});
  in_transaction<void>(
      [batch = std::move(batch)](Connection& connection) { return confirm_all(connection, batch); },
      std::move(done));
}

void MariaDbLedger::find(CampaignId campaign, UserId user, Done<std::optional<Decision>> done) {
  using Found = std::optional<Decision>;
  reading<Found>(
      [campaign, user](Connection& connection) -> Result<Found> {
        auto stock = find_stock(connection, campaign, false);
        if (!stock) return stock.error();
        if (!*stock) return Found();
        auto coupons = coupons_of(connection, campaign, {&user, 1});
        if (!coupons) return coupons.error();
        if (coupons->empty()) return Found();
        return Found(decision_of(coupons->front(), (*stock)->definition.durability));
      },
      std::move(done));
}

void MariaDbLedger::show(CampaignId campaign, Done<std::optional<CampaignView>> done) {
  using Found = std::optional<CampaignView>;
  reading<Found>(
      [campaign](Connection& connection) -> Result<Found> {
        auto stock = find_stock(connection, campaign, false);
        if (!stock) return stock.error();
        if (!*stock) return Found();
        auto now = database_now(connection);
        if (!now) return now.error();
        return Found((*stock)->view(*now));
      },
      std::move(done));
}

void MariaDbLedger::list(Done<std::vector<CampaignView>> done) {
  using Views = std::vector<CampaignView>;
  reading<Views>(
      [](Connection& connection) -> Result<Views> {
        auto all = list_stock(connection);
        if (!all) return all.error();
        auto now = database_now(connection);
        if (!now) return now.error();
        Views views;
        for (const auto& stock : *all) views.push_back(stock.view(*now));
        return views;
      },
      std::move(done));
}

void MariaDbLedger::take_overdue(Duration older_than, std::size_t max, Done<std::vector<PendingEvent>> done) {
  using Events = std::vector<PendingEvent>;
  in_transaction<Events>(
      [older_than, max](Connection& connection) -> Result<Events> {
        auto now = database_now(connection);
        if (!now) return now.error();
        auto taken = take_pending(connection, *now - older_than, *now, max);
        if (!taken) return taken.error();
        Events events;
        for (auto& event : *taken) events.push_back({std::move(event), 0});
        return events;
      },
      std::move(done));
}

void MariaDbLedger::prepare(CampaignDefinition, Done<void> done) {
  shard_.post([done = std::move(done)]() mutable { done({}); });
}

void MariaDbLedger::open(CampaignDefinition definition, Done<void> done) {
  in_transaction<void>(
      [definition = std::move(definition)](Connection& connection) -> Result<void> {
        auto added = add_stock(connection, definition);
        if (added || added.error().code != ErrorCode::conflict) return added;
        return make_error(ErrorCode::conflict,
                          fmt::format("there is a campaign '{}' already", definition.id.text()), "id");
      },
      std::move(done));
}

void MariaDbLedger::begin_change(CampaignId campaign, CampaignPatch patch, Done<CampaignDefinition> done) {
  in_transaction<CampaignDefinition>(
      [this, campaign, patch = std::move(patch)](Connection& connection) {
        return hold(connection, campaign, patch, name_, options_.hold_timeout);
      },
      std::move(done));
}

void MariaDbLedger::end_change(CampaignDefinition definition, Done<void> done) {
  in_transaction<void>([this, definition = std::move(definition)](
                           Connection& connection) { return end_hold(connection, definition, name_); },
                       std::move(done));
}

void MariaDbLedger::holders(CampaignId campaign, std::uint64_t after, std::size_t max,
                            Done<std::vector<Decision>> done) {
  using Decisions = std::vector<Decision>;
  reading<Decisions>(
      [campaign, after, max](Connection& connection) -> Result<Decisions> {
        auto stock = find_stock(connection, campaign, false);
        if (!stock) return stock.error();
        if (!*stock) return not_found(campaign);
        auto coupons = coupons_after(connection, campaign, after, max);
        if (!coupons) return coupons.error();
        Decisions decisions;
        for (const auto& coupon : *coupons) {
          decisions.push_back(decision_of(coupon, (*stock)->definition.durability));
        }
        return decisions;
      },
      std::move(done));
}

}  // namespace doorbuster::mariadb
