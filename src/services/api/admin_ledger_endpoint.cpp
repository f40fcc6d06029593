// What the ledger holds in memory, for the audit: one line of JSON for each number, and the missing numbers.

#include "services/api/coupon_json.hpp"
#include "services/api/endpoint.hpp"
#include "services/api/request_values.hpp"

namespace doorbuster::api {
namespace {

constexpr std::uint64_t kUsualPage = 1'000;
constexpr std::uint64_t kLargestPage = 10'000;

}  // namespace

void list_ledger(const ContextPtr& context, const Call& call, Reply reply) {
  const auto campaign = campaign_in_path(call.parameters[0]);
  if (!campaign) return context->answer(reply, campaign.error());
  const auto after = number_in_query(call.request.query, "after", 0, 0, kLargestLimit);
  if (!after) return context->answer(reply, after.error());
  const auto limit = number_in_query(call.request.query, "limit", kUsualPage, 1, kLargestPage);
  if (!limit) return context->answer(reply, limit.error());
  context->parts.ledger.holders(
      *campaign, *after, *limit, [context, reply = std::move(reply)](auto holders) mutable {
        if (!holders) {
          const bool unknown = holders.error().code == ErrorCode::not_found;
          return context->answer(reply, unknown ? no_such_campaign() : holders.error());
        }
        http::Response response;
        response.content_type = "application/x-ndjson";
        for (const auto& holder : *holders) append_holder_line(response.body, holder);
        context->answer(reply, response);
      });
}

void list_missing(const ContextPtr& context, const Call& call, Reply reply) {
  const auto campaign = campaign_in_path(call.parameters[0]);
  if (!campaign) return context->answer(reply, campaign.error());
  context->parts.ledger.show(*campaign, [context, reply = std::move(reply)](auto view) mutable {
    if (!view) return context->answer(reply, view.error());
    if (!*view) return context->answer(reply, no_such_campaign());
    std::string body;
    append_missing_json(body, (*view)->missing);
    context->answer_json(reply, 200, std::move(body));
  });
}

}  // namespace doorbuster::api
