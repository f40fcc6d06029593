// Page through the coupons of a campaign by number.

#include "services/api/coupon_json.hpp"
#include "services/api/endpoint.hpp"
#include "services/api/json_text.hpp"
#include "services/api/request_values.hpp"

namespace doorbuster::api {
namespace {

constexpr std::uint64_t kUsualPage = 100;
constexpr std::uint64_t kLargestPage = 1'000;

struct Page {
  CampaignId campaign;
  std::uint64_t after = 0;
  std::uint64_t limit = 0;
};

/// `stored` has one coupon more than the page when there is a next one.
std::string to_json(const Page& page, const std::vector<StoredCoupon>& stored, std::string_view durable) {
  const bool more = stored.size() > page.limit;
  const std::size_t shown = more ? page.limit : stored.size();
  std::string body = R"({"coupons":[)";
  for (std::size_t i = 0; i < shown; ++i) {
    if (i != 0) body += ',';
    append_coupon_json(body, stored[i], durable);
  }
  body += R"(],"next_after":)";
  if (more) {
    append_json_number(body, stored[shown - 1].coupon.sequence);
  } else {
    body += "null";
  }
  body += '}';
  return body;
}

void answer_page(const ContextPtr& context, const Page& page, Reply reply) {
  context->parts.offload.run<std::vector<StoredCoupon>>(
      context->parts.executor,
      [context, page] { return context->parts.repository.list(page.campaign, page.after, page.limit + 1); },
      [context, page, reply = std::move(reply)](Result<std::vector<StoredCoupon>> stored) mutable {
        if (!stored) return context->answer(reply, stored.error());
        context->answer_json(reply, 200, to_json(page, *stored, context->durable(Durability::log)));
      });
}

}  // namespace

void list_coupons(const ContextPtr& context, const Call& call, Reply reply) {
  const auto campaign = campaign_in_path(call.parameters[0]);
  if (!campaign) return context->answer(reply, campaign.error());
  const auto after = number_in_query(call.request.query, "after", 0, 0, kLargestLimit);
  if (!after) return context->answer(reply, after.error());
  const auto limit = number_in_query(call.request.query, "limit", kUsualPage, 1, kLargestPage);
  if (!limit) return context->answer(reply, limit.error());
  context->parts.ledger.show(*campaign, [context, page = Page{*campaign, *after, *limit},
                                         reply = std::move(reply)](auto view) mutable {
    if (!view) return context->answer(reply, view.error());
    if (!*view) return context->answer(reply, no_such_campaign());
    answer_page(context, page, std::move(reply));
  });
}

}  // namespace doorbuster::api
