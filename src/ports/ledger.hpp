#pragma once
// Port: may this user have a coupon, and which number? Batched by nature: what is in the air together is
// decided together.
//
// A Ledger object belongs to one shard (thread). Completions run on that shard, inside the call or later,
// once each.

#include <optional>
#include <vector>

#include "base/unique_function.hpp"
#include "core/issuing/decision.hpp"

namespace doorbuster {

/// Coupons that were decided together share an `outbox`, and are confirmed together.
struct CouponKey {
  CampaignId campaign;
  std::uint32_t epoch = 0;
  std::uint64_t sequence = 0;
  std::uint64_t outbox = 0;  ///< Decision::outbox
};

/// An event that waits for the log.
struct PendingEvent {
  CouponIssued event;
  std::uint64_t outbox = 0;
};

class Ledger {
 public:
  template <class T>
  using Done = UniqueFunction<void(Result<T>)>;

  virtual ~Ledger() = default;

  /// One decision for each request, in their order. A failure means that nothing is known of any of them.
  virtual void decide(std::vector<IssueRequest> batch, Done<std::vector<Decision>> done) = 0;

  /// The events of these coupons are safe. Only after success may their users be told (rule 3): a ledger of
  /// another epoch refuses with `closed`.
  virtual void confirm(std::vector<CouponKey> batch, Done<void> done) = 0;

  virtual void find(CampaignId campaign, UserId user, Done<std::optional<Decision>> done) = 0;
  virtual void show(CampaignId campaign, Done<std::optional<CampaignView>> done) = 0;
  virtual void list(Done<std::vector<CampaignView>> done) = 0;

  /// Events decided, or taken, more than `older_than` ago and still pending, for the relay to append again;
  /// those of a dead instance, too. At most `max`, but whole outboxes.
  virtual void take_overdue(Duration older_than, std::size_t max, Done<std::vector<PendingEvent>> done) = 0;

  /// Before a new definition is written to the catalog. A shared ledger notes that this object will open()
  /// the campaign, which stays unknown until then; the note goes the way of all its data when it is lost.
  virtual void prepare(CampaignDefinition definition, Done<void> done) = 0;
  /// Takes in a campaign whose definition is written. A shared ledger does so only for the object that
  /// prepared it and if the note is still there: without it, the campaign may have been recovered and lost
  /// since, and must not begin anew in its first epoch. \returns conflict when it is there already, closed
  /// (not prepared: a recovery will open it)
  virtual void open(CampaignDefinition definition, Done<void> done) = 0;
  /// Checks `patch` and holds decisions until end_change(). A shared ledger lets a hold of some seconds be
  /// taken over by another process: who began it may have died, or his change may still be on its way to the
  /// catalog. Therefore a hold that was taken over ends by a newer revision alone. \returns not_found,
  /// invalid, conflict (held by somebody else)
  virtual void begin_change(CampaignId campaign, CampaignPatch patch, Done<CampaignDefinition> done) = 0;
  /// Takes a newer revision in, with or without a hold (another process may have written it and died), and
  /// ends the hold. One that is not newer (the change was not written) ends the hold only if this object's
  /// begin_change() began it, and changes nothing else. \returns closed (another epoch), conflict (its limit
  /// is below what is issued)
  virtual void end_change(CampaignDefinition definition, Done<void> done) = 0;

  /// For audit: holders with numbers above `after`, ascending, at most `max`. \returns not_found
  virtual void holders(CampaignId campaign, std::uint64_t after, std::size_t max,
                       Done<std::vector<Decision>> done) = 0;
};

}  // namespace doorbuster
