#include "services/api/issue_service.hpp"

#include <algorithm>
#include <iterator>
#include <map>
#include <utility>

#include "services/api/batch_gate.hpp"

namespace doorbuster::api {
namespace {

/// How long a parked request waits before it asks again, when no confirmation has woken it.
constexpr Duration kParkedInterval = std::chrono::milliseconds(20);

struct Asker {
  IssueRequest request;
  IssueService::Answer answer;
  Timestamp asked_at;
};

/// A decision of this batch whose event is on its way into the log, and who waits for it.
struct Admission {
  Asker asker;
  Decision decision;
};

/// What is confirmed by one call.
struct Together {
  std::vector<Admission> admissions;
  bool alike = false;  ///< of one campaign and epoch
};

/// By the campaign's rule: with durability `ledger` a decision is safe when it is made.
bool is_safe(const Decision& decision) {
  return !decision.pending || decision.durability == Durability::ledger;
}

Error not_safe_yet() {
  return make_error(ErrorCode::not_ready,
                    "this is decided, but not yet written safely; ask again for the answer");
}

Error log_closed() {
  return make_error(ErrorCode::closed,
                    "the event log takes nothing at the moment; nothing was decided, ask again");
}

}  // namespace

class IssueService::Impl : public std::enable_shared_from_this<Impl> {
  /// A completion that does nothing once the service is gone.
  template <class F>
  auto on_self(F then) {
    return [weak = this->weak_from_this(), then = std::move(then)](auto result) mutable {
      if (const auto self = weak.lock()) then(*self, std::move(result));
    };
  }

 public:
  Impl(Executor& executor, Clock& clock, Ledger& ledger, EventLog& log, IssueOptions options)
      : executor_(executor), clock_(clock), ledger_(ledger), log_(log), options_(options) {}

  void submit(IssueRequest request, Answer answer) {
    if (stats_.in_flight >= options_.most_in_flight) {
      ++stats_.failed;
      return answer(make_error(ErrorCode::overloaded, "too many requests are waiting for a decision"));
    }
    ++stats_.in_flight;
    Asker asker{request, std::move(answer), clock_.now()};
    if (!log_.accepting()) return answer_holder_only(std::move(asker));
    collect(std::move(asker));
  }

  void relay() {
    if (std::exchange(relaying_, true)) return;
    if (!log_.accepting()) {
      relaying_ = false;
      return;
    }
    ledger_.take_overdue(overdue_after(), options_.most_relayed, on_self([](Impl& self, auto overdue) {
                           if (!overdue || overdue->empty()) {
                             self.relaying_ = false;
                             return;
                           }
                           self.append_again(std::move(*overdue));
                         }));
  }

  const IssueStats& stats() const { return stats_; }

 private:
  void collect(Asker asker) {
    if (collecting_.empty()) collecting_since_ = clock_.now();
    collecting_.push_back(std::move(asker));
    decide_later();
  }

  void decide_later() {
    if (collecting_.empty() || std::exchange(deciding_, true)) return;
    executor_.defer([weak = weak_from_this()] {
      const auto self = weak.lock();
      if (!self) return;
      self->deciding_ = false;
      self->decide();
    });
  }

  void decide() {
    if (!gate_.is_open(collecting_.size(), clock_.now() - collecting_since_)) return decide_in_time();
    auto askers = std::exchange(collecting_, {});
    collecting_.reserve(askers.size());
    gate_.left(askers.size());
    std::vector<IssueRequest> batch;
    batch.reserve(askers.size());
    for (const auto& asker : askers) batch.push_back(asker.request);
    stats_.batches.record(batch.size());
    ledger_.decide(std::move(batch),
                   on_self([askers = std::move(askers)](Impl& self, auto decisions) mutable {
                     self.decided(std::move(askers), std::move(decisions));
                   }));
  }

  /// At the latest when the gate lets nobody wait any longer, whatever becomes of the batch before.
  void decide_in_time() {
    if (std::exchange(gate_timer_, true)) return;
    executor_.after(gate_.longest() - (clock_.now() - collecting_since_), [weak = weak_from_this()] {
      const auto self = weak.lock();
      if (!self) return;
      self->gate_timer_ = false;
      self->decide_later();
    });
  }

  void returned(std::size_t requests) {
    gate_.returned(requests);
    decide_later();
  }

  void decided(std::vector<Asker> askers, Result<std::vector<Decision>> decisions) {
    if (!decisions) {
      returned(askers.size());
      for (auto& asker : askers) fail(asker, decisions.error());
      return;
    }
    DOORBUSTER_ASSERT(decisions->size() == askers.size());
    // Room for all at once: these are large, and a vector that grows moves each of them again.
    const auto issued =
        static_cast<std::size_t>(std::count_if(decisions->begin(), decisions->end(), [](const auto& one) {
          return one.outcome == Outcome::issued;
        }));
    std::vector<Admission> admissions;
    std::vector<CouponIssued> events;
    admissions.reserve(issued);
    events.reserve(issued);
    std::size_t away = 0;  // whose answers wait for the log
    for (std::size_t i = 0; i < askers.size(); ++i) {
      const Decision& decision = (*decisions)[i];
      if (decision.outcome == Outcome::issued) {
        events.push_back(event_of(askers[i].request.campaign, decision));
        // Safe already by the campaign's rule; the log is told all the same, and the relay sees to it.
        if (is_safe(decision)) {
          succeed(askers[i], decision);
        } else {
          ++away;
        }
        admissions.push_back({std::move(askers[i]), decision});
      } else {
        settle(std::move(askers[i]), decision);
      }
    }
    returned(askers.size() - away);
    if (events.empty()) return;
#ifdef DOORBUSTER_PLANT_ACKNOWLEDGE_BEFORE_LOG  // a defect for the simulator to find
    for (auto& admission : admissions) succeed(admission.asker, admission.decision);
#endif
#ifdef DOORBUSTER_PLANT_TRIM_BEFORE_ACKNOWLEDGEMENT  // a defect for the simulator to find
    ledger_.confirm(keys_of(admissions), [](Result<void>) {});
#endif
    append(std::move(events),
           [away, admissions = std::move(admissions)](Impl& self, Result<void> appended) mutable {
             self.returned(away);
             self.appended(std::move(admissions), std::move(appended));
           });
  }

  /// Answers what needs no log; parks what hangs on somebody else's pending coupon.
  void settle(Asker asker, const Decision& decision) {
    switch (decision.outcome) {
      case Outcome::closed:
        return fail(asker, make_error(ErrorCode::closed,
                                      "the campaign is closed until its ledger has been read back"));
      case Outcome::held:
        return park(std::move(asker));
      case Outcome::unloaded:
        return find_unloaded(std::move(asker), decision);
      default:
#ifndef DOORBUSTER_PLANT_OK_WHILE_PENDING  // a defect for the simulator to find
        if (!is_safe(decision)) return park(std::move(asker));
#endif
        return succeed(asker, decision);
    }
  }

  /// Asks for one user apart from the batch, so that nobody else waits for the repository. A failure tells
  /// nothing: only who is surely no holder is told that the campaign has ended.
  void find_unloaded(Asker asker, Decision decision) {
    const auto request = asker.request;
    ledger_.find(request.campaign, request.user,
                 on_self([asker = std::move(asker), decision](Impl& self,
                                                              Result<std::optional<Decision>> found) mutable {
                   if (!found) return self.fail(asker, found.error());
                   if (*found) return self.settle(std::move(asker), **found);
                   decision.outcome = Outcome::ended;
                   self.succeed(asker, decision);
                 }));
  }

  void appended(std::vector<Admission> admissions, Result<void> result) {
    if (!result) {
      // Decided, perhaps even written: the admissions stay (rule 2), and relay() appends them again.
      for (auto& admission : admissions) fail(admission.asker, result.error());
      return;
    }
    confirm_later(std::move(admissions));
  }

  /// A log acknowledges several appends at once: those of a turn are confirmed together, by campaign, as one
  /// that is closed must not fail the others.
  void confirm_later(std::vector<Admission> admissions) {
    if (confirming_.empty()) {
      executor_.defer([weak = weak_from_this()] {
        if (const auto self = weak.lock()) self->confirm();
      });
    }
    const bool alike = std::all_of(admissions.begin(), admissions.end(), [&](const Admission& each) {
      return confirmed_alike(each, admissions.front());
    });
    for (auto& together : confirming_) {
      if (!alike || !together.alike || !confirmed_alike(together.admissions.front(), admissions.front()))
        continue;
      std::move(admissions.begin(), admissions.end(), std::back_inserter(together.admissions));
      return;
    }
    confirming_.push_back({std::move(admissions), alike});
  }

  static bool confirmed_alike(const Admission& one, const Admission& other) {
    return one.asker.request.campaign == other.asker.request.campaign &&
           one.decision.epoch == other.decision.epoch;
  }

  void confirm() {
    for (auto& [admissions, alike] : std::exchange(confirming_, {})) {
      auto keys = keys_of(admissions);
      ledger_.confirm(std::move(keys), on_self([admissions = std::move(admissions)](
                                                   Impl& self, Result<void> confirmed) mutable {
                        for (auto& [asker, decision] : admissions) {
                          if (confirmed) {
                            self.succeed(asker, decision);
                          } else {
                            self.fail(asker, confirmed.error());
                          }
                        }
                        self.wake_parked();
                      }));
    }
  }

  static std::vector<CouponKey> keys_of(const std::vector<Admission>& admissions) {
    std::vector<CouponKey> keys;
    keys.reserve(admissions.size());
    for (const auto& [asker, decision] : admissions) {
      keys.push_back({asker.request.campaign, decision.epoch, decision.coupon.sequence, decision.outbox});
    }
    return keys;
  }

  void append_again(std::vector<PendingEvent> overdue) {
    stats_.relayed += overdue.size();
    std::vector<CouponKey> keys;
    std::vector<CouponIssued> events;
    for (auto& [event, outbox] : overdue) {
      event.instance = options_.instance;
      keys.push_back({event.campaign, event.epoch, event.coupon.sequence, outbox});
      events.push_back(std::move(event));
    }
    append(std::move(events), [keys = std::move(keys)](Impl& self, Result<void> appended) mutable {
      if (!appended) {
        self.relaying_ = false;
        return;
      }
      self.ledger_.confirm(std::move(keys), self.on_self([](Impl& again, Result<void>) {
        again.relaying_ = false;
        again.wake_parked();
      }));
    });
  }

  /// An append that the relay knows of as long as it is under way.
  template <class F>
  void append(std::vector<CouponIssued> events, F then) {
    const auto number = next_append_++;
    under_way_.emplace_hint(under_way_.end(), number, clock_.now());
    log_.append(std::move(events), executor_,
                on_self([number, then = std::move(then)](Impl& self, Result<void> appended) mutable {
                  self.under_way_.erase(number);
                  then(self, std::move(appended));
                }));
  }

  /// What was decided after the oldest append that is under way is most likely under way itself, here or in
  /// another instance: a slow log would only be given more of the same. It waits no longer than the log lets
  /// an append wait, and what a dead instance left is older than that append soon.
  Duration overdue_after() const {
    if (under_way_.empty()) return options_.relay_after;
    return options_.relay_after + std::max(Duration{}, clock_.now() - under_way_.begin()->second);
  }

  void park(Asker asker) {
    if (clock_.now() - asker.asked_at >= options_.patience) return fail(asker, not_safe_yet());
    parked_.push_back(std::move(asker));
    if (std::exchange(parked_timer_, true)) return;
    executor_.after(kParkedInterval, [weak = weak_from_this()] {
      const auto self = weak.lock();
      if (!self) return;
      self->parked_timer_ = false;
      self->wake_parked();
    });
  }

  void wake_parked() {
    for (auto& asker : std::exchange(parked_, {})) collect(std::move(asker));
  }

  /// The log is closed or full: whoever holds a safe coupon gets it all the same, nobody else is decided.
  void answer_holder_only(Asker asker) {
    const auto request = asker.request;
    ledger_.find(
        request.campaign, request.user,
        on_self([asker = std::move(asker)](Impl& self, Result<std::optional<Decision>> found) mutable {
          if (found && *found && is_safe(**found)) {
            self.succeed(asker, **found);
          } else {
            self.fail(asker, log_closed());
          }
        }));
  }

  void succeed(Asker& asker, const Decision& decision) {
    if (!asker.answer) return;
    --stats_.in_flight;
    ++(decision.outcome == Outcome::issued           ? stats_.issued
       : decision.outcome == Outcome::already_issued ? stats_.already
       : decision.outcome == Outcome::sold_out       ? stats_.sold_out
                                                     : stats_.other);
    std::exchange(asker.answer, nullptr)(IssueAnswer{decision.outcome, decision});
  }

  void fail(Asker& asker, Error error) {
    if (!asker.answer) return;
    --stats_.in_flight;
    ++stats_.failed;
    std::exchange(asker.answer, nullptr)(std::move(error));
  }

  CouponIssued event_of(const CampaignId& campaign, const Decision& decision) const {
    return {campaign,          decision.epoch,  decision.revision,
            decision.refilled, decision.coupon, options_.instance};
  }

  Executor& executor_;
  Clock& clock_;
  Ledger& ledger_;
  EventLog& log_;
  const IssueOptions options_;
  IssueStats stats_;
  BatchGate gate_{options_.longest_gathering};
  std::vector<Asker> collecting_;  // the next batch
  Timestamp collecting_since_{};
  std::vector<Together> confirming_;  // in the log since this turn
  std::vector<Asker> parked_;         // wait for a pending coupon or a held campaign
  std::map<std::uint64_t, Timestamp>
      under_way_;  // appends without an answer, in their order; when each began
  std::uint64_t next_append_ = 0;
  bool deciding_ = false;  // at the end of this turn
  bool gate_timer_ = false;
  bool parked_timer_ = false;
  bool relaying_ = false;
};

IssueService::IssueService(Executor& executor, Clock& clock, Ledger& ledger, EventLog& log,
                           IssueOptions options)
    : impl_(std::make_shared<Impl>(executor, clock, ledger, log, options)) {}
IssueService::~IssueService() = default;

void IssueService::submit(IssueRequest request, Answer answer) {
  impl_->submit(request, std::move(answer));
}
void IssueService::relay() {
  impl_->relay();
}
const IssueStats& IssueService::stats() const {
  return impl_->stats();
}

}  // namespace doorbuster::api
