#include "services/api/campaign_service.hpp"

#include <algorithm>
#include <unordered_set>
#include <utility>

#include "base/log.hpp"

namespace doorbuster::api {
namespace {

constexpr Duration kSettleInterval = std::chrono::milliseconds(200);

/// Whether a repeated creation asks for the same campaign.
bool same_wish(const CampaignDefinition& wanted, const CampaignDefinition& there) {
  return wanted.name == there.name && wanted.limit == there.limit && wanted.starts_at == there.starts_at &&
         wanted.ends_at == there.ends_at && wanted.strategy == there.strategy &&
         wanted.durability == there.durability;
}

Error taken(const CampaignId& id) {
  return make_error(ErrorCode::conflict,
                    "there is another campaign with the id '" + std::string(id.text()) + "'", "id");
}

Error being_settled() {
  return make_error(ErrorCode::closed,
                    "an earlier change of this campaign is still being read back; ask again");
}

/// A shared ledger may be lost at any moment.
Error lost_ledger() {
  return make_error(ErrorCode::closed, "the campaign is closed until its ledger has been read back");
}

Error lost_service() {
  return make_error(ErrorCode::unavailable, "the service is stopping");
}

}  // namespace

class CampaignService::Impl : public std::enable_shared_from_this<Impl> {
  /// A completion that carries the caller's `done` along and answers it even when the service has gone.
  template <class DoneWith, class F>
  auto bound(DoneWith done, F then) {
    return [weak = weak_from_this(), done = std::move(done), then = std::move(then)](auto result) mutable {
      if (const auto self = weak.lock()) {
        then(*self, std::move(result), std::move(done));
      } else {
        done(lost_service());
      }
    };
  }

 public:
  Impl(Executor& executor, Clock& clock, Ledger& ledger, CampaignCatalog& catalog, CampaignOptions options)
      : executor_(executor),
        clock_(clock),
        ledger_(ledger),
        catalog_(catalog),
        options_(std::move(options)) {}

  void create(CampaignDefinition definition, Done<Created> done) {
    definition.revision = 1;
    definition.epoch = 1;
    definition.created_at = clock_.now();
    if (const auto valid = validate(definition); !valid) return done(valid.error());
    if (const auto offered = check_offered(definition); !offered) return done(offered.error());
    if (settling_.contains(definition.id)) return done(being_settled());
    ledger_.show(definition.id, bound(std::move(done), [definition](Impl& self, auto found, auto answer) {
                   // Not known here: the catalog's own compare-and-set says whether it is new.
                   const bool unknown =
                       found ? !found->has_value() : found.error().code == ErrorCode::not_ready;
                   if (unknown) return self.put_new(definition, std::move(answer));
                   if (!found) return answer(found.error());
                   if (!same_wish(definition, (*found)->definition)) return answer(taken(definition.id));
                   answer(Created{**found, false});
                 }));
  }

  void change(const CampaignId& id, CampaignPatch patch, Done<CampaignView> done) {
    if (settling_.contains(id)) return done(being_settled());
    const bool of_limit = patch.limit.has_value();
    ledger_.begin_change(id, std::move(patch),
                         bound(std::move(done), [of_limit](Impl& self, auto begun, auto answer) {
                           if (!begun) return answer(begun.error());
                           if (!of_limit || self.options_.limit_settles == Duration::zero()) {
                             return self.put_changed(std::move(*begun), Duration::zero(), std::move(answer));
                           }
                           self.look_whether_sold_out(std::move(*begun), std::move(answer));
                         }));
  }

 private:
  Result<void> check_offered(const CampaignDefinition& definition) const {
    const auto refusal = [&](std::string_view field, std::string_view value, std::string_view instead) {
      const bool embedded = options_.stack == "embedded";
      return make_error(
          ErrorCode::invalid,
          std::string(field) + " '" + std::string(value) + "' " +
              (embedded ? "needs the full stack: not available in the " : "is not offered by the ") +
              std::string(options_.stack) + " system; use '" + std::string(instead) + "'",
          std::string(field));
    };
    const auto offers = [](const auto& all, auto one) {
      return std::find(all.begin(), all.end(), one) != all.end();
    };
    if (!offers(options_.strategies, definition.strategy)) {
      return refusal("strategy", to_text(definition.strategy), to_text(options_.strategies.front()));
    }
    if (!offers(options_.durabilities, definition.durability)) {
      return refusal("durability", to_text(definition.durability), to_text(options_.durabilities.front()));
    }
    return {};
  }

  void put_new(const CampaignDefinition& definition, Done<Created> done) {
    ledger_.prepare(definition,
                    bound(std::move(done), [definition](Impl& self, Result<void> prepared, auto answer) {
                      if (!prepared) return answer(prepared.error());
                      self.put_prepared(definition, std::move(answer));
                    }));
  }

  void put_prepared(const CampaignDefinition& definition, Done<Created> done) {
    catalog_.put(definition, executor_,
                 bound(std::move(done), [definition](Impl& self, Result<void> put, auto answer) {
                   if (put) return self.open(definition, std::move(answer));
                   if (put.error().code == ErrorCode::conflict) {
                     return self.answer_existing(definition, std::move(answer));
                   }
                   if (put.error().code == ErrorCode::unknown_outcome) self.settle_creation(definition);
                   answer(put.error());
                 }));
  }

  void open(const CampaignDefinition& definition, Done<Created> done) {
    ledger_.open(definition,
                 bound(std::move(done), [id = definition.id](Impl& self, Result<void> opened, auto answer) {
                   // A conflict: it was found in the catalog and recovered into the ledger since.
                   if (!opened && opened.error().code != ErrorCode::conflict) return answer(opened.error());
                   self.ledger_.show(id,
                                     self.bound(std::move(answer), [](Impl& again, auto found, auto told) {
                                       if (!found) return told(found.error());
                                       if (!*found) return told(lost_ledger());
                                       again.answer_created(Created{**found, true}, std::move(told));
                                     }));
                 }));
  }

  void answer_created(Created created, Done<Created> done) {
    if (options_.creation_settles == Duration::zero()) return done(std::move(created));
    auto answer = std::make_shared<Done<Created>>(std::move(done));
    executor_.after(options_.creation_settles,
                    [answer, created = std::move(created)] { (*answer)(created); });
  }

  /// The id is in the catalog, and was not in the ledger a moment ago: another request has created the
  /// campaign since, or a shared ledger has lost it. Its figures are the ledger's to tell.
  void answer_existing(const CampaignDefinition& definition, Done<Created> done) {
    catalog_.get(
        definition.id, executor_, bound(std::move(done), [definition](Impl& self, auto there, auto answer) {
          if (!there) return answer(there.error());
          if (!*there || !same_wish(definition, **there)) return answer(taken(definition.id));
          self.ledger_.show(definition.id, [answer = std::move(answer)](auto found) mutable {
            // Not known to the ledger yet, or not any more.
            const bool unknown = found ? !found->has_value() : found.error().code == ErrorCode::not_ready;
            if (unknown) return answer(lost_ledger());
            if (!found) return answer(found.error());
            answer(Created{std::move(**found), false});
          });
        }));
  }

  /// Reads back until the catalog tells whether the creation was written.
  void settle_creation(const CampaignDefinition& definition) {
    settling_.insert(definition.id);
    settle(definition.id, [definition](Impl& self, const std::optional<CampaignDefinition>& there) {
      if (there && *there == definition) {
        self.ledger_.open(definition, [](Result<void>) {});
      }
    });
  }

  /// Under the hold nothing is said to be sold out any more, and what instances were told before, they trust
  /// for `limit_settles`. When there are coupons left, none of them was told so.
  void look_whether_sold_out(CampaignDefinition definition, Done<CampaignView> done) {
    const CampaignId id = definition.id;
    ledger_.show(id, bound(std::move(done), [definition = std::move(definition)](Impl& self, auto found,
                                                                                 auto answer) mutable {
                   const bool left = found && *found && (*found)->issued < (*found)->definition.limit;
                   self.put_changed(std::move(definition),
                                    left ? Duration::zero() : self.options_.limit_settles, std::move(answer));
                 }));
  }

  void put_changed(CampaignDefinition definition, Duration wait, Done<CampaignView> done) {
    catalog_.put(definition, executor_,
                 bound(std::move(done), [definition, wait](Impl& self, Result<void> put, auto answer) {
                   if (put) return self.end_change_after(wait, definition, std::move(answer));
                   const auto error = put.error();
                   if (error.code == ErrorCode::unknown_outcome || error.code == ErrorCode::conflict) {
                     self.settle_change(definition);  // the campaign stays held until the truth is known
                   } else {
                     self.abandon(definition);
                   }
                   answer(error);
                 }));
  }

  void end_change_after(Duration wait, const CampaignDefinition& definition, Done<CampaignView> done) {
    if (wait == Duration::zero()) return end_change(definition, std::move(done));
    executor_.after(wait, [weak = weak_from_this(), definition, done = std::move(done)]() mutable {
      const auto self = weak.lock();
      if (!self) return done(lost_service());
      self->end_change(definition, std::move(done));
    });
  }

  void end_change(const CampaignDefinition& definition, Done<CampaignView> done) {
    ledger_.end_change(
        definition, bound(std::move(done), [id = definition.id](Impl& self, Result<void> ended, auto answer) {
          if (!ended) return answer(ended.error());
          self.ledger_.show(id, [answer = std::move(answer)](auto found) mutable {
            if (!found) return answer(found.error());
            if (!*found) return answer(lost_ledger());
            answer(std::move(**found));
          });
        }));
  }

  /// Not written: a revision that is not newer than the ledger's ends the hold and changes nothing.
  void abandon(CampaignDefinition definition) {
    --definition.revision;
    ledger_.end_change(std::move(definition), [](Result<void>) {});
  }

  void settle_change(const CampaignDefinition& definition) {
    settling_.insert(definition.id);
    settle(definition.id, [definition](Impl& self, const std::optional<CampaignDefinition>& there) {
      if (there && there->revision >= definition.revision) {
        self.end_change_after(self.options_.limit_settles, *there, [](auto) {});
      } else {
        self.abandon(definition);
      }
    });
  }

  template <class Told>
  void settle(const CampaignId& id, Told told) {
    catalog_.get(id, executor_, [weak = weak_from_this(), id, told = std::move(told)](auto there) mutable {
      const auto self = weak.lock();
      if (!self) return;
      if (!there) {
        log().warn("campaign {}: its definition cannot be read back yet: {}", id.text(),
                   there.error().detail);
        self->executor_.after(kSettleInterval, [weak, id, told = std::move(told)]() mutable {
          if (const auto again = weak.lock()) again->settle(id, std::move(told));
        });
        return;
      }
      self->settling_.erase(id);
      told(*self, *there);
    });
  }

  Executor& executor_;
  Clock& clock_;
  Ledger& ledger_;
  CampaignCatalog& catalog_;
  const CampaignOptions options_;
  std::unordered_set<CampaignId> settling_;
};

CampaignService::CampaignService(Executor& executor, Clock& clock, Ledger& ledger, CampaignCatalog& catalog,
                                 CampaignOptions options)
    : impl_(std::make_shared<Impl>(executor, clock, ledger, catalog, std::move(options))) {}
CampaignService::~CampaignService() = default;

void CampaignService::create(CampaignDefinition definition, Done<Created> done) {
  impl_->create(std::move(definition), std::move(done));
}
void CampaignService::change(CampaignId id, CampaignPatch patch, Done<CampaignView> done) {
  impl_->change(id, std::move(patch), std::move(done));
}

}  // namespace doorbuster::api
