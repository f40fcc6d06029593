// Redeem a coupon, once.

#include "services/api/coupon_json.hpp"
#include "services/api/endpoint.hpp"
#include "services/api/request_values.hpp"
#include "services/api/stored_lookup.hpp"

namespace doorbuster::api {

void redeem_coupon(const ContextPtr& context, const Call& call, Reply reply) {
  const auto code = code_in_path(call.parameters[0]);
  if (!code) return context->answer(reply, code.error());
  auto key = idempotency_key(call.request.header("idempotency-key"));
  if (!key) return context->answer(reply, key.error());
  // Two requests without a key are two redemptions, not a repeated one.
  const bool has_key = !key->empty();
  const auto now = context->parts.clock.now();
  context->parts.offload.run<Redemption>(
      context->parts.executor,
      [context, code = *code, key = std::move(*key), now] {
        return look_until_certain<Redemption>(
            *context, [&] { return context->parts.repository.redeem(code, key, now); },
            [](const Result<Redemption>& done) {
              return !done && done.error().code == ErrorCode::not_found;
            });
      },
      [context, has_key, reply = std::move(reply)](Result<Redemption> done) mutable {
        if (!done) {
          const bool unknown = done.error().code == ErrorCode::not_found;
          return context->answer(reply, unknown ? no_such_coupon() : done.error());
        }
        if (done->repeated && !has_key) {
          return context->answer(
              reply, make_error(ErrorCode::conflict,
                                "this coupon was redeemed at " + to_text(done->redeemed_at), "code"));
        }
        std::string body;
        append_redemption_json(body, *done);
        context->answer_json(reply, done->repeated ? 200 : 201, std::move(body));
      });
}

}  // namespace doorbuster::api
