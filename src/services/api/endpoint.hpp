#pragma once
// The face of every endpoint, and the table of all of them.

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "services/api/api_context.hpp"

namespace doorbuster::api {

/// One request for an endpoint. Views and references end with the endpoint's call; what is kept is copied.
struct Call {
  const http::Request& request;
  const std::vector<std::string>& parameters;  ///< the decoded `{...}` of the pattern, in order
  const Caller& caller;
};

using Endpoint = void (*)(const ContextPtr& context, const Call& call, Reply reply);

/// Who may call an endpoint at all; whether a user may see this very coupon, the endpoint decides.
enum class Access : std::uint8_t {
  everybody,  ///< also without a token
  any_token,
  users,      ///< user, admin
  merchants,  ///< merchant, admin
  admins,
};

struct Route {
  http::Method method;
  std::string_view pattern;  ///< `/v1/campaigns/{id}`
  Access access;
  Endpoint endpoint;
};

/// HEAD is answered wherever GET is; it has no rows of its own.
std::span<const Route> routes();

// issue_endpoint.cpp
void issue_coupon(const ContextPtr& context, const Call& call, Reply reply);
void issue_default_coupon(const ContextPtr& context, const Call& call, Reply reply);
// request_endpoint.cpp
void show_request(const ContextPtr& context, const Call& call, Reply reply);
// campaign_endpoints.cpp
void create_campaign(const ContextPtr& context, const Call& call, Reply reply);
void list_campaigns(const ContextPtr& context, const Call& call, Reply reply);
void show_campaign(const ContextPtr& context, const Call& call, Reply reply);
void change_campaign(const ContextPtr& context, const Call& call, Reply reply);
// lookup_endpoints.cpp
void find_coupon_of_user(const ContextPtr& context, const Call& call, Reply reply);
void find_coupon_by_code(const ContextPtr& context, const Call& call, Reply reply);
// redemption_endpoint.cpp
void redeem_coupon(const ContextPtr& context, const Call& call, Reply reply);
// list_endpoints.cpp
void list_coupons(const ContextPtr& context, const Call& call, Reply reply);
// csv_export.cpp
void export_coupons(const ContextPtr& context, const Call& call, Reply reply);
// admin_ledger_endpoint.cpp
void list_ledger(const ContextPtr& context, const Call& call, Reply reply);
void list_missing(const ContextPtr& context, const Call& call, Reply reply);
// health_endpoints.cpp
void show_health(const ContextPtr& context, const Call& call, Reply reply);
void show_readiness(const ContextPtr& context, const Call& call, Reply reply);
void show_metrics(const ContextPtr& context, const Call& call, Reply reply);
/// What one shard has counted. On its thread.
void write_shard_metrics(const ApiContext& context, obs::MetricsWriter& out);

}  // namespace doorbuster::api
