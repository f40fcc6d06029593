// Who may what, at every endpoint.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "services/api/test_api.hpp"

namespace doorbuster::api {
namespace {

using http::Method;
using testing::HasSubstr;

UserId user(std::string_view text) {
  return *UserId::parse(text);
}
std::string path_of(std::uint64_t sequence) {
  return "/v1/coupons/" + TestApi::code_of(sequence).text();
}

struct Roles : testing::Test {
  static ApiOptions options() {
    ApiOptions made;
    made.authorizer = *Authorizer::make({{"the-admin-of-all-0", Role::admin, {}},
                                         {"the-merchant-at-till-1", Role::merchant, {}},
                                         {"the-user-alice-00", Role::user, user("alice")}});
    return made;
  }
  Answered ask(const std::string& token, Method method, std::string target, std::string body = {}) {
    Ask request{method, std::move(target), std::move(body), {}};
    if (!token.empty()) request.headers.emplace_back("Authorization", "Bearer " + token);
    return api.ask(request);
  }
  void SetUp() override {
    ASSERT_EQ(ask(admin, Method::post, "/v1/campaigns", R"({"id":"sale","name":"S","limit":9})").status(),
              201);
    api.store("sale", "alice", 1);
    api.store("sale", "bob", 2);
  }

  const std::string admin = "the-admin-of-all-0";
  const std::string merchant = "the-merchant-at-till-1";
  const std::string alice = "the-user-alice-00";
  const std::string issue = "/v1/campaigns/sale/coupons";
  TestApi api{options()};
};

TEST_F(Roles, WithoutATokenOnlyHealthIsShown) {
  for (const auto* target :
       {"/v1/campaigns", "/v1/campaigns/sale", "/metrics", "/v1/campaigns/sale/coupons"}) {
    const auto answer = ask("", Method::get, target);
    EXPECT_EQ(answer.status(), 401) << target;
    EXPECT_EQ(answer.header("WWW-Authenticate"), "Bearer");
  }
  EXPECT_EQ(ask("", Method::post, issue, R"({"user_id":"alice"})").status(), 401);
  EXPECT_EQ(ask("somebody-unknown-00", Method::post, issue, R"({"user_id":"alice"})").status(), 401);
  EXPECT_EQ(ask("", Method::get, "/healthz").status(), 200);
  EXPECT_EQ(ask("", Method::get, "/readyz").status(), 200);
}

TEST_F(Roles, AUserAsksForItselfAlone) {
  EXPECT_EQ(ask(alice, Method::post, issue).status(), 201);
  EXPECT_EQ(ask(alice, Method::post, issue, "{}").status(), 200);
  EXPECT_EQ(ask(alice, Method::post, issue, R"({"user_id":"alice"})").status(), 200);
  const auto other = ask(alice, Method::post, issue, R"({"user_id":"bob"})");
  EXPECT_EQ(other.status(), 403);
  EXPECT_THAT(other.response.body, HasSubstr(R"("field":"user_id")"));
  EXPECT_EQ(ask(alice, Method::get, "/v1/campaigns/sale/coupons/alice").status(), 200);
  EXPECT_EQ(ask(alice, Method::get, "/v1/campaigns/sale/coupons/bob").status(), 403);
  EXPECT_EQ(ask(alice, Method::get, path_of(1)).status(), 200);
  EXPECT_EQ(ask(alice, Method::get, path_of(2)).status(), 404);
  EXPECT_EQ(ask(alice, Method::post, path_of(1) + "/redemption").status(), 403);
  EXPECT_EQ(ask(alice, Method::get, "/v1/campaigns/sale").status(), 200);
}

TEST_F(Roles, AMerchantLooksUpAndRedeemsCodes) {
  EXPECT_EQ(ask(merchant, Method::get, path_of(2)).status(), 200);
  EXPECT_EQ(ask(merchant, Method::post, path_of(2) + "/redemption").status(), 201);
  EXPECT_EQ(ask(merchant, Method::post, issue, R"({"user_id":"bob"})").status(), 403);
  EXPECT_EQ(ask(merchant, Method::get, "/v1/campaigns/sale/coupons/bob").status(), 403);
}

TEST_F(Roles, OnlyAnAdministratorManages) {
  const std::pair<Method, std::string> managing[] = {{Method::post, "/v1/campaigns"},
                                                     {Method::patch, "/v1/campaigns/sale"},
                                                     {Method::get, "/v1/campaigns/sale/coupons"},
                                                     {Method::get, "/v1/campaigns/sale/coupons.csv"},
                                                     {Method::get, "/v1/admin/campaigns/sale/ledger"},
                                                     {Method::get, "/v1/admin/campaigns/sale/ledger/missing"},
                                                     {Method::get, "/metrics"}};
  for (const auto& [method, target] : managing) {
    EXPECT_EQ(ask(alice, method, target, "{}").status(), 403) << target;
    EXPECT_EQ(ask(merchant, method, target, "{}").status(), 403) << target;
    EXPECT_NE(ask(admin, method, target, "{}").status(), 403) << target;
  }
  EXPECT_EQ(ask(admin, Method::post, issue, R"({"user_id":"bob"})").status(), 201);
  EXPECT_EQ(ask(admin, Method::post, issue).status(), 422);
}

}  // namespace
}  // namespace doorbuster::api
