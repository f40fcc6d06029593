// Create, list, show and change campaigns.

#include "services/api/campaign_json.hpp"
#include "services/api/endpoint.hpp"
#include "services/api/request_values.hpp"

namespace doorbuster::api {
namespace {

std::string to_json(const CampaignView& view) {
  std::string body;
  append_campaign_json(body, view);
  return body;
}

}  // namespace

void create_campaign(const ContextPtr& context, const Call& call, Reply reply) {
  auto definition = parse_campaign(call.request.body, context->options.default_strategy);
  if (!definition) return context->answer(reply, definition.error());
  context->parts.campaigns.create(
      std::move(*definition), [context, reply = std::move(reply)](auto created) mutable {
        if (!created) return context->answer(reply, created.error());
        http::Response response;
        response.status = created->created ? 201 : 200;
        response.body = to_json(created->view);
        if (created->created) {
          response.headers.emplace_back("Location",
                                        "/v1/campaigns/" + std::string(created->view.definition.id.text()));
        }
        context->answer(reply, response);
      });
}

void list_campaigns(const ContextPtr& context, const Call&, Reply reply) {
  context->parts.ledger.list([context, reply = std::move(reply)](auto views) mutable {
    if (!views) return context->answer(reply, views.error());
    std::string body = R"({"campaigns":[)";
    for (const auto& view : *views) {
      if (&view != views->data()) body += ',';
      append_campaign_json(body, view);
    }
    body += "]}";
    context->answer_json(reply, 200, std::move(body));
  });
}

void show_campaign(const ContextPtr& context, const Call& call, Reply reply) {
  const auto id = campaign_in_path(call.parameters[0]);
  if (!id) return context->answer(reply, id.error());
  context->parts.ledger.show(*id, [context, reply = std::move(reply)](auto view) mutable {
    if (!view) return context->answer(reply, view.error());
    if (!*view) return context->answer(reply, no_such_campaign());
    context->answer_json(reply, 200, to_json(**view));
  });
}

void change_campaign(const ContextPtr& context, const Call& call, Reply reply) {
  const auto id = campaign_in_path(call.parameters[0]);
  if (!id) return context->answer(reply, id.error());
  auto patch = parse_campaign_patch(call.request.body);
  if (!patch) return context->answer(reply, patch.error());
  context->parts.campaigns.change(*id, std::move(*patch),
                                  [context, reply = std::move(reply)](auto view) mutable {
                                    if (!view) return context->answer(reply, view.error());
                                    context->answer_json(reply, 200, to_json(*view));
                                  });
}

}  // namespace doorbuster::api
