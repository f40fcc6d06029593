#include "services/api/issue_endpoint.hpp"

#include "services/api/async_issue.hpp"
#include "services/api/coupon_json.hpp"
#include "services/api/endpoint.hpp"
#include "services/api/issue_body.hpp"
#include "services/api/problem.hpp"

namespace doorbuster::api {
namespace {

/// Who the coupon is for. \returns malformed, invalid, forbidden
Result<UserId> user_of(std::string_view body, const Caller& caller) {
  const auto named = parse_issue_body(body);
  if (!named) return named.error();
  if (caller.subject != nullptr) {
    if (*named && **named != *caller.subject) {
      return make_error(ErrorCode::forbidden,
                        "this token is for the user '" + std::string(caller.subject->text()) + "' alone",
                        "user_id");
    }
    return *caller.subject;
  }
  if (!*named) return make_error(ErrorCode::invalid, "user_id is missing", "user_id");
  return **named;
}

/// A request in the air. Small enough to lie inside the completion's place in IssueService only as a pointer;
/// the objects are used again.
struct InFlight {
  CampaignId campaign;
  Timestamp started{};
  Reply reply;
};

/// Objects that wait for their next request. One thread, so one pool for each: it has as many objects as
/// there were requests in the air at once, which IssueOptions::most_in_flight bounds.
class Pool {
 public:
  std::unique_ptr<InFlight> take() {
    if (free_.empty()) return std::make_unique<InFlight>();
    auto taken = std::move(free_.back());
    free_.pop_back();
    return taken;
  }
  void give_back(std::unique_ptr<InFlight> object) { free_.push_back(std::move(object)); }

 private:
  std::vector<std::unique_ptr<InFlight>> free_;
};

Pool& pool() {
  thread_local Pool of_this_thread;
  return of_this_thread;
}

void answer_issue(ApiContext& context, InFlight& request, const Result<IssueAnswer>& answer) {
  ApiStats& stats = context.stats;
  stats.issue_time.record(context.parts.clock.now() - request.started);
  if (!answer) {
    stats.issue_errors[static_cast<std::size_t>(answer.error().code)].add();
    return context.answer(request.reply, answer.error());
  }
  const Outcome outcome = answer->outcome;
  stats.issue_outcomes[static_cast<std::size_t>(outcome)].add();
  const auto& row = traits(outcome);
  if (!row.slug.empty()) return context.answer(request.reply, problem(outcome));
  thread_local http::Response success;  // its body keeps its memory
  success.status = row.http_status;
  success.body.clear();
  append_coupon_json(success.body, request.campaign, answer->decision.coupon,
                     context.durable(answer->decision.durability));
  context.answer(request.reply, success);
}

void refuse(ApiContext& context, Reply& reply, const Error& error) {
  context.stats.issue_errors[static_cast<std::size_t>(error.code)].add();
  context.answer(reply, error);
}

void refuse_unknown_campaign(ApiContext& context, Reply& reply) {
  context.stats.issue_outcomes[static_cast<std::size_t>(Outcome::unknown_campaign)].add();
  context.answer(reply, problem(Outcome::unknown_campaign));
}

void queue_request(const ContextPtr& context, const IssueRequest& request, Reply reply) {
  context->options.async->accept(request,
                                 [context, reply = std::move(reply)](Result<std::string> id) mutable {
                                   if (!id) return refuse(*context, reply, id.error());
                                   http::Response response;
                                   response.status = 202;
                                   response.headers.emplace_back("Location", "/v1/requests/" + *id);
                                   response.body = R"({"request_id":")" + *id + R"(","state":"pending"})";
                                   context->answer(reply, response);
                                 });
}

}  // namespace

std::optional<std::string_view> campaign_of_issue_path(std::string_view path) {
  constexpr std::string_view kBefore = "/v1/campaigns/";
  constexpr std::string_view kAfter = "/coupons";
  if (path.size() <= kBefore.size() + kAfter.size() || !path.starts_with(kBefore) ||
      !path.ends_with(kAfter)) {
    return std::nullopt;
  }
  const auto id = path.substr(kBefore.size(), path.size() - kBefore.size() - kAfter.size());
  if (id.find_first_of("/%") != std::string_view::npos) return std::nullopt;
  return id;
}

void issue_for(const ContextPtr& context, const CampaignId& campaign, std::string_view body,
               const Caller& caller, Reply reply) {
  const auto user = user_of(body, caller);
  if (!user) return refuse(*context, reply, user.error());
  const ApiOptions& options = context->options;
  if (options.async != nullptr && options.strategy_of(campaign) == Strategy::async_queue) {
    return queue_request(context, {campaign, *user}, std::move(reply));
  }
  auto request = pool().take();
  request->campaign = campaign;
  request->started = context->parts.clock.now();
  request->reply = std::move(reply);
  context->parts.issue.submit(
      {campaign, *user}, [context, request = std::move(request)](const Result<IssueAnswer>& answer) mutable {
        answer_issue(*context, *request, answer);
        pool().give_back(std::move(request));
      });
}

void issue_coupon(const ContextPtr& context, const Call& call, Reply reply) {
  const auto campaign = CampaignId::parse(call.parameters[0]);
  if (!campaign) return refuse_unknown_campaign(*context, reply);
  issue_for(context, *campaign, call.request.body, call.caller, std::move(reply));
}

void issue_default_coupon(const ContextPtr& context, const Call& call, Reply reply) {
  issue_for(context, context->options.default_campaign, call.request.body, call.caller, std::move(reply));
}

}  // namespace doorbuster::api
