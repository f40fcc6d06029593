#include "adapters/memory/owner_ledger.hpp"

#include <utility>

namespace doorbuster {

/// Runs `call(owner, done')` on the owner's thread; done' carries the result back to this shard.
template <class T, class Call>
void OwnerLedger::forward(Done<T> done, Call call) {
  owner_executor_.post(
      [&owner = owner_, &back = own_executor_, done = std::move(done), call = std::move(call)]() mutable {
        call(owner, Done<T>([&back, done = std::move(done)](Result<T> result) mutable {
               back.post([done = std::move(done), result = std::move(result)]() mutable {
                 done(std::move(result));
               });
             }));
      });
}

void OwnerLedger::decide(std::vector<IssueRequest> batch, Done<std::vector<Decision>> done) {
  forward<std::vector<Decision>>(std::move(done),
                                 [batch = std::move(batch)](Ledger& owner, auto answer) mutable {
                                   owner.decide(std::move(batch), std::move(answer));
                                 });
}

void OwnerLedger::confirm(std::vector<CouponKey> batch, Done<void> done) {
  forward<void>(std::move(done), [batch = std::move(batch)](Ledger& owner, auto answer) mutable {
    owner.confirm(std::move(batch), std::move(answer));
  });
}

void OwnerLedger::find(CampaignId campaign, UserId user, Done<std::optional<Decision>> done) {
  forward<std::optional<Decision>>(std::move(done), [campaign, user](Ledger& owner, auto answer) {
    owner.find(campaign, user, std::move(answer));
  });
}

void OwnerLedger::show(CampaignId campaign, Done<std::optional<CampaignView>> done) {
  forward<std::optional<CampaignView>>(
      std::move(done), [campaign](Ledger& owner, auto answer) { owner.show(campaign, std::move(answer)); });
}

void OwnerLedger::list(Done<std::vector<CampaignView>> done) {
  forward<std::vector<CampaignView>>(std::move(done),
                                     [](Ledger& owner, auto answer) { owner.list(std::move(answer)); });
}

void OwnerLedger::take_overdue(Duration older_than, std::size_t max, Done<std::vector<PendingEvent>> done) {
  forward<std::vector<PendingEvent>>(std::move(done), [older_than, max](Ledger& owner, auto answer) {
    owner.take_overdue(older_than, max, std::move(answer));
  });
}

void OwnerLedger::prepare(CampaignDefinition definition, Done<void> done) {
  forward<void>(std::move(done), [definition = std::move(definition)](Ledger& owner, auto answer) mutable {
    owner.prepare(std::move(definition), std::move(answer));
  });
}

void OwnerLedger::open(CampaignDefinition definition, Done<void> done) {
  forward<void>(std::move(done), [definition = std::move(definition)](Ledger& owner, auto answer) mutable {
    owner.open(std::move(definition), std::move(answer));
  });
}

void OwnerLedger::begin_change(CampaignId campaign, CampaignPatch patch, Done<CampaignDefinition> done) {
  forward<CampaignDefinition>(std::move(done),
                              [campaign, patch = std::move(patch)](Ledger& owner, auto answer) mutable {
                                owner.begin_change(campaign, std::move(patch), std::move(answer));
                              });
}

void OwnerLedger::end_change(CampaignDefinition definition, Done<void> done) {
  forward<void>(std::move(done), [definition = std::move(definition)](Ledger& owner, auto answer) mutable {
    owner.end_change(std::move(definition), std::move(answer));
  });
}

void OwnerLedger::holders(CampaignId campaign, std::uint64_t after, std::size_t max,
                          Done<std::vector<Decision>> done) {
  forward<std::vector<Decision>>(std::move(done), [campaign, after, max](Ledger& owner, auto answer) {
    owner.holders(campaign, after, max, std::move(answer));
  });
}

}  // namespace doorbuster
