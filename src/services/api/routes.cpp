#include <array>

#include "services/api/endpoint.hpp"

namespace doorbuster::api {
namespace {

using http::Method;

constexpr std::array kRoutes = {
    Route{Method::post, "/v1/campaigns/{id}/coupons", Access::users, issue_coupon},
    Route{Method::post, "/coupon/issue", Access::users, issue_default_coupon},
    Route{Method::get, "/v1/requests/{id}", Access::users, show_request},
    Route{Method::post, "/v1/campaigns", Access::admins, create_campaign},
    Route{Method::get, "/v1/campaigns", Access::any_token, list_campaigns},
    Route{Method::get, "/v1/campaigns/{id}", Access::any_token, show_campaign},
    Route{Method::patch, "/v1/campaigns/{id}", Access::admins, change_campaign},
    Route{Method::get, "/v1/campaigns/{id}/coupons", Access::admins, list_coupons},
    Route{Method::get, "/v1/campaigns/{id}/coupons.csv", Access::admins, export_coupons},
    Route{Method::get, "/v1/campaigns/{id}/coupons/{user_id}", Access::users, find_coupon_of_user},
    Route{Method::get, "/v1/coupons/{code}", Access::any_token, find_coupon_by_code},
    Route{Method::post, "/v1/coupons/{code}/redemption", Access::merchants, redeem_coupon},
    Route{Method::get, "/v1/admin/campaigns/{id}/ledger", Access::admins, list_ledger},
    Route{Method::get, "/v1/admin/campaigns/{id}/ledger/missing", Access::admins, list_missing},
    Route{Method::get, "/healthz", Access::everybody, show_health},
    Route{Method::get, "/readyz", Access::everybody, show_readiness},
    Route{Method::get, "/metrics", Access::admins, show_metrics},
};

}  // namespace

std::span<const Route> routes() {
  return kRoutes;
}

}  // namespace doorbuster::api
