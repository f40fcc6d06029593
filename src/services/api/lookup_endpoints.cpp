// Look up a coupon: by user (ledger first, then repository), by code (repository).

#include "services/api/coupon_json.hpp"
#include "services/api/endpoint.hpp"
#include "services/api/request_values.hpp"
#include "services/api/stored_lookup.hpp"

namespace doorbuster::api {
namespace {

using Found = std::optional<StoredCoupon>;

void answer_stored(ApiContext& context, Reply& reply, const Found& found) {
  if (!found) return context.answer(reply, no_such_coupon());
  std::string body;
  // What the worker has stored, it has read from the log.
  append_coupon_json(body, *found, context.durable(Durability::log));
  context.answer_json(reply, 200, std::move(body));
}

/// Asks the repository on a look-up thread and hands what it says to `then`, which may hide it.
template <class Find, class Then>
void find_stored(const ContextPtr& context, Reply reply, Find find, Then then) {
  context->parts.offload.run<Found>(
      context->parts.executor,
      [context, find] {
        return look_until_certain<Found>(*context, find,
                                         [](const Result<Found>& found) { return found && !*found; });
      },
      [context, then, reply = std::move(reply)](Result<Found> found) mutable {
        if (!found) return context->answer(reply, found.error());
        answer_stored(*context, reply, then(std::move(*found)));
      });
}

}  // namespace

void find_coupon_of_user(const ContextPtr& context, const Call& call, Reply reply) {
  const auto campaign = campaign_in_path(call.parameters[0]);
  if (!campaign) return context->answer(reply, campaign.error());
  const auto user = user_in_path(call.parameters[1]);
  if (!user) return context->answer(reply, user.error());
  if (call.caller.subject != nullptr && *call.caller.subject != *user) {
    return context->answer(reply,
                           make_error(ErrorCode::forbidden, "this token looks up its own coupons alone"));
  }
  context->parts.ledger.find(
      *campaign, *user,
      [context, campaign = *campaign, user = *user, reply = std::move(reply)](auto found) mutable {
        if (!found && found.error().code != ErrorCode::not_found)
          return context->answer(reply, found.error());
        if (!found || !*found) {
          return find_stored(
              context, std::move(reply),
              [context, campaign, user] { return context->parts.repository.find(campaign, user); },
              [](Found stored) { return stored; });
        }
        const Decision& decision = **found;
        if (decision.pending) {
          return context->answer(
              reply, make_error(ErrorCode::not_ready, "this coupon is decided and not safe yet; ask again"));
        }
        std::string body;
        append_coupon_json(body, campaign, decision.coupon, context->durable(decision.durability));
        context->answer_json(reply, 200, std::move(body));
      });
}

void find_coupon_by_code(const ContextPtr& context, const Call& call, Reply reply) {
  const auto code = code_in_path(call.parameters[0]);
  if (!code) return context->answer(reply, code.error());
  find_stored(
      context, std::move(reply), [context, code = *code] { return context->parts.repository.find(code); },
      [subject = call.caller.subject](Found stored) {
        // To a user, the coupons of others are not there.
        if (stored && subject != nullptr && stored->coupon.user != *subject) stored.reset();
        return stored;
      });
}

}  // namespace doorbuster::api
