#include "services/api/api_endpoints.hpp"

#include "services/api/endpoint.hpp"
#include "services/api/issue_endpoint.hpp"
#include "services/api/problem.hpp"

namespace doorbuster::api {
namespace {

/// The part up to the next '/', which is cut off together with it.
std::string_view take_segment(std::string_view& path) {
  const auto end = path.find('/');
  const auto segment = path.substr(0, end);
  path.remove_prefix(end == std::string_view::npos ? path.size() : end + 1);
  return segment;
}

/// Whether `path` has the shape of `pattern`; its parameters, not yet decoded, go to `parameters`.
bool matches(std::string_view pattern, std::string_view path, std::vector<std::string_view>& parameters) {
  parameters.clear();
  if (path.empty() || path.ends_with('/')) return false;
  while (!pattern.empty() && !path.empty()) {
    const auto wanted = take_segment(pattern);
    const auto given = take_segment(path);
    if (wanted.starts_with('{')) {
      if (given.empty()) return false;
      parameters.push_back(given);
    } else if (wanted != given) {
      return false;
    }
  }
  return pattern.empty() && path.empty();
}

bool may(Role role, Access access) {
  switch (access) {
    case Access::everybody:
    case Access::any_token:
      return true;
    case Access::users:
      return role != Role::merchant;
    case Access::merchants:
      return role != Role::user;
    case Access::admins:
      return role == Role::admin;
  }
  return false;
}

Result<Caller> admit(const Authorizer& authorizer, const http::Request& request, Access access) {
  if (authorizer.open()) return Caller{};
  if (access == Access::everybody) return Caller{};
  auto caller = authorizer.authenticate(request.header("authorization"));
  if (!caller) return caller.error();
  if (!may(caller->role, access)) {
    return make_error(ErrorCode::forbidden, "a token with the role '" + std::string(name_of(caller->role)) +
                                                "' does not allow this");
  }
  return caller;
}

/// What a path offers when the method does not fit.
std::string allowed_methods(std::string_view path) {
  std::string allowed;
  std::vector<std::string_view> parameters;
  for (const auto& route : routes()) {
    if (!matches(route.pattern, path, parameters)) continue;
    if (!allowed.empty()) allowed += ", ";
    allowed += http::to_text(route.method);
    if (route.method == http::Method::get) allowed += ", HEAD";
  }
  return allowed;
}

}  // namespace

ApiEndpoints::ApiEndpoints(ApiParts parts, ApiOptions options)
    : context_(std::make_shared<ApiContext>(parts, std::move(options))) {
  parts.metrics.add(parts.executor, [weak = std::weak_ptr(context_)](obs::MetricsWriter& out) {
    if (const auto context = weak.lock()) write_shard_metrics(*context, out);
  });
}

void ApiEndpoints::handle(const http::Request& request, Reply reply) {
  if (request.method == http::Method::post) {
    if (const auto id = campaign_of_issue_path(request.path)) {
      if (const auto campaign = CampaignId::parse(*id)) {
        const auto caller = admit(context_->options.authorizer, request, Access::users);
        if (!caller) return context_->answer(reply, caller.error());
        return issue_for(context_, *campaign, request.body, *caller, std::move(reply));
      }
    }
  }
  dispatch(request, std::move(reply));
}

void ApiEndpoints::dispatch(const http::Request& request, Reply reply) {
  const auto method = request.method == http::Method::head ? http::Method::get : request.method;
  std::vector<std::string_view> raw;
  bool path_known = false;
  for (const auto& route : routes()) {
    if (!matches(route.pattern, request.path, raw)) continue;
    path_known = true;
    if (route.method != method) continue;
    const auto caller = admit(context_->options.authorizer, request, route.access);
    if (!caller) return context_->answer(reply, caller.error());
    std::vector<std::string> parameters;
    for (const auto each : raw) {
      auto decoded = http::percent_decoded(each);
      if (!decoded) {
        return context_->answer(reply, make_error(ErrorCode::malformed, "the path has a broken escape (%)"));
      }
      parameters.push_back(std::move(*decoded));
    }
    return route.endpoint(context_, Call{request, parameters, *caller}, std::move(reply));
  }
  if (!path_known) {
    return context_->answer(
        reply, make_error(ErrorCode::not_found, "this path leads nowhere; see docs/openapi.yaml"));
  }
  const auto allowed = allowed_methods(request.path);
  auto response = problem(make_error(ErrorCode::method_not_allowed, "this path takes " + allowed));
  response.headers.emplace_back("Allow", allowed);
  context_->answer(reply, response);
}

}  // namespace doorbuster::api
