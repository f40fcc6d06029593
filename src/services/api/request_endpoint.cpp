// The outcome of a request that was answered 202.

#include "services/api/async_issue.hpp"
#include "services/api/endpoint.hpp"

namespace doorbuster::api {
namespace {

Error no_such_request() {
  return make_error(ErrorCode::not_found, "there is no such request, or its outcome is forgotten by now");
}

}  // namespace

void show_request(const ContextPtr& context, const Call& call, Reply reply) {
  const auto id = CouponCode::parse(call.parameters[0]);
  if (!id || context->options.async == nullptr) return context->answer(reply, no_such_request());
  std::optional<UserId> subject;
  if (call.caller.subject != nullptr) subject = *call.caller.subject;
  context->options.async->book().find(id->text(), [context, subject, reply = std::move(reply)](
                                                      Result<std::optional<RequestAnswer>> found) mutable {
    if (!found) return context->answer(reply, found.error());
    // To a user, the requests of others are not there.
    if (!*found || (subject && (*found)->user != *subject)) {
      return context->answer(reply, no_such_request());
    }
    context->answer_json(reply, 200, std::move((*found)->body));
  });
}

}  // namespace doorbuster::api
