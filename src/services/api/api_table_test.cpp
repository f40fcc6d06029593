// Every kind of request against every kind of answer, in one table; and the table, the routes and
// docs/openapi.yaml against each other.

#include <gtest/gtest.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <set>

#include "proto/http/problem.hpp"
#include "services/api/endpoint.hpp"
#include "services/api/json_object.hpp"
#include "services/api/problem.hpp"
#include "services/api/test_api.hpp"

namespace doorbuster::api {
namespace {

using http::Method;

struct Row {
  Method method;
  std::string target;
  std::string body;
  int status;
  std::string type = {};   ///< slug of the problem
  std::string field = {};  ///< of the problem
};

constexpr auto kGet = Method::get;
constexpr auto kPost = Method::post;
constexpr auto kPatch = Method::patch;

/// Asked in this order of one system: campaigns `sale` (2 coupons, alice has one), `full`, `future`,
/// `halted`, `over`.
std::vector<Row> table() {
  const std::string sale = "/v1/campaigns/sale";
  const std::string code = "/v1/coupons/" + TestApi::code_of(1).text();
  return {
      // issue
      {kPost, sale + "/coupons", R"({"user_id":"bob"})", 201},
      {kPost, sale + "/coupons", R"({"user_id":"bob"})", 200},
      {kPost, "/v1/campaigns/s%61le/coupons", R"({"user_id":"bob"})", 200},
      {kPost, sale + "/coupons", R"({"user_id":"carol"})", 410, "sold-out"},
      {kPost, "/v1/campaigns/full/coupons", R"({"user_id":"bob"})", 410, "sold-out"},
      {kPost, "/v1/campaigns/over/coupons", R"({"user_id":"bob"})", 410, "ended"},
      {kPost, "/v1/campaigns/future/coupons", R"({"user_id":"bob"})", 409, "not-started"},
      {kPost, "/v1/campaigns/halted/coupons", R"({"user_id":"bob"})", 409, "paused"},
      {kPost, "/v1/campaigns/nowhere/coupons", R"({"user_id":"bob"})", 404, "not-found"},
      {kPost, "/v1/campaigns/NOT_AN_ID/coupons", R"({"user_id":"bob"})", 404, "not-found"},
      {kPost, sale + "/coupons", "{", 400, "malformed"},
      {kPost, sale + "/coupons", "[\"bob\"]", 400, "malformed"},
      {kPost, sale + "/coupons", "", 422, "invalid", "user_id"},
      {kPost, sale + "/coupons", R"({"user_id":"b b"})", 422, "invalid", "user_id"},
      {kPost, sale + "/coupons", R"({"user_id":1.5})", 422, "invalid", "user_id"},
      {kPost, sale + "/coupons", R"({"user_id":1,"user_id":2})", 422, "invalid", "user_id"},
      {kPost, "/coupon/issue", R"({"userId":123})", 201},
      {kPost, "/coupon/issue", R"({"userId":123})", 200},
      {kGet, "/v1/requests/ZZZZZZZZZZZZZZZZ", "", 404, "not-found"},
      {kGet, "/v1/requests/1", "", 404, "not-found"},
      {kGet, "/v1/requests/%", "", 400, "malformed"},
      {kPost, "/coupon/issue", R"({"userId":-1})", 422, "invalid", "userId"},
      {kPost, "/coupon/issue", "[1", 400, "malformed"},
      // campaigns
      {kPost, "/v1/campaigns", R"({"id":"new","name":"N","limit":1})", 201},
      {kPost, "/v1/campaigns", R"({"id":"new","name":"N","limit":1})", 200},
      {kPost, "/v1/campaigns", R"({"id":"new","name":"Other","limit":1})", 409, "conflict", "id"},
      {kPost, "/v1/campaigns", "", 400, "malformed"},
      {kPost, "/v1/campaigns", "[]", 400, "malformed"},
      {kPost, "/v1/campaigns", R"({"name":"N","limit":1})", 422, "invalid", "id"},
      {kPost, "/v1/campaigns", R"({"id":"x","limit":1})", 422, "invalid", "name"},
      {kPost, "/v1/campaigns", R"({"id":"x","name":"N"})", 422, "invalid", "limit"},
      {kPost, "/v1/campaigns", R"({"id":"X","name":"N","limit":1})", 422, "invalid", "id"},
      {kPost, "/v1/campaigns", R"({"id":7,"name":"N","limit":1})", 422, "invalid", "id"},
      {kPost, "/v1/campaigns", R"({"id":"x","name":"","limit":1})", 422, "invalid", "name"},
      {kPost, "/v1/campaigns", R"({"id":"x","name":"N","limit":0})", 422, "invalid", "limit"},
      {kPost, "/v1/campaigns", R"({"id":"x","name":"N","limit":-1})", 422, "invalid", "limit"},
      {kPost, "/v1/campaigns", R"({"id":"x","name":"N","limit":1.5})", 422, "invalid", "limit"},
      {kPost, "/v1/campaigns", R"({"id":"x","name":"N","limit":1,"starts_at":"soon"})", 422, "invalid",
       "starts_at"},
      {kPost, "/v1/campaigns",
       R"({"id":"x","name":"N","limit":1,"starts_at":"2026-01-02T00:00:00Z","ends_at":"2026-01-01T00:00:00Z"})",
       422, "invalid", "ends_at"},
      {kPost, "/v1/campaigns", R"({"id":"x","name":"N","limit":1,"strategy":"lock"})", 422, "invalid",
       "strategy"},
      {kPost, "/v1/campaigns", R"({"id":"x","name":"N","limit":1,"strategy":"magic"})", 422, "invalid",
       "strategy"},
      {kPost, "/v1/campaigns", R"({"id":"x","name":"N","limit":1,"durability":"ledger"})", 422, "invalid",
       "durability"},
      {kPost, "/v1/campaigns", R"({"id":"x","name":"N","limit":1,"colour":"red"})", 422, "invalid", "colour"},
      {kPost, "/v1/campaigns", R"({"id":"x","name":"N","limit":1,"limit":2})", 422, "invalid", "limit"},
      {kGet, "/v1/campaigns", "", 200},
      {Method::head, "/v1/campaigns", "", 200},
      {kGet, sale, "", 200},
      {kGet, "/v1/campaigns/nowhere", "", 404, "not-found"},
      {kGet, "/v1/campaigns/NOT_AN_ID", "", 404, "not-found"},
      {kGet, "/v1/campaigns/%zz", "", 400, "malformed"},
      {kPatch, "/v1/campaigns/new", R"({"limit":5,"name":"M"})", 200},
      {kPatch, "/v1/campaigns/new", R"({"starts_at":"2026-11-25T09:00:00Z"})", 200},
      {kPatch, "/v1/campaigns/new", R"({"starts_at":null})", 200},
      {kPatch, sale, R"({"limit":1})", 409, "conflict", "limit"},
      {kPatch, "/v1/campaigns/new", "", 400, "malformed"},
      {kPatch, "/v1/campaigns/new", "{}", 422, "invalid"},
      {kPatch, "/v1/campaigns/new", R"({"limit":0})", 422, "invalid", "limit"},
      {kPatch, "/v1/campaigns/new", R"({"limit":"9"})", 422, "invalid", "limit"},
      {kPatch, "/v1/campaigns/new", R"({"state":"sold_out"})", 422, "invalid", "state"},
      {kPatch, "/v1/campaigns/new", R"({"state":1})", 422, "invalid", "state"},
      {kPatch, "/v1/campaigns/new", R"({"id":"other"})", 422, "invalid", "id"},
      {kPatch, "/v1/campaigns/new", R"({"strategy":"atomic"})", 422, "invalid", "strategy"},
      {kPatch, "/v1/campaigns/nowhere", R"({"limit":5})", 404, "not-found"},
      // look-up
      {kGet, sale + "/coupons/alice", "", 200},
      {kGet, sale + "/coupons/%61lice", "", 200},
      {kGet, sale + "/coupons/nobody", "", 404, "not-found"},
      {kGet, sale + "/coupons/no%20body", "", 404, "not-found"},
      {kGet, sale + "/coupons/%6", "", 400, "malformed"},
      {kGet, "/v1/campaigns/nowhere/coupons/alice", "", 404, "not-found"},
      {kGet, code, "", 200},
      {kGet, "/v1/coupons/o4oooooooooooooo", "", 200},
      {kGet, "/v1/coupons/ZZZZZZZZZZZZZZZZ", "", 404, "not-found"},
      {kGet, "/v1/coupons/short", "", 404, "not-found"},
      {kGet, "/v1/coupons/%", "", 400, "malformed"},
      // redemption
      {kPost, code + "/redemption", "", 201},
      {kPost, code + "/redemption", "", 409, "conflict", "code"},
      {kPost, "/v1/coupons/ZZZZZZZZZZZZZZZZ/redemption", "", 404, "not-found"},
      {kPost, "/v1/coupons/%/redemption", "", 400, "malformed"},
      // lists
      {kGet, sale + "/coupons", "", 200},
      {kGet, sale + "/coupons?after=1&limit=1000", "", 200},
      {kGet, sale + "/coupons?limit=0", "", 422, "invalid", "limit"},
      {kGet, sale + "/coupons?limit=1001", "", 422, "invalid", "limit"},
      {kGet, sale + "/coupons?after=-1", "", 422, "invalid", "after"},
      {kGet, sale + "/coupons?after=1x", "", 422, "invalid", "after"},
      {kGet, sale + "/coupons?after=", "", 422, "invalid", "after"},
      {kGet, "/v1/campaigns/nowhere/coupons", "", 404, "not-found"},
      {kGet, "/v1/campaigns/%/coupons", "", 400, "malformed"},
      {kGet, sale + "/coupons.csv", "", 200},
      {kGet, "/v1/campaigns/nowhere/coupons.csv", "", 404, "not-found"},
      {kGet, "/v1/campaigns/%/coupons.csv", "", 400, "malformed"},
      {kGet, "/v1/admin/campaigns/sale/ledger", "", 200},
      {kGet, "/v1/admin/campaigns/sale/ledger?after=1&limit=10000", "", 200},
      {kGet, "/v1/admin/campaigns/sale/ledger?limit=10001", "", 422, "invalid", "limit"},
      {kGet, "/v1/admin/campaigns/nowhere/ledger", "", 404, "not-found"},
      {kGet, "/v1/admin/campaigns/%/ledger", "", 400, "malformed"},
      {kGet, "/v1/admin/campaigns/sale/ledger/missing", "", 200},
      {kGet, "/v1/admin/campaigns/nowhere/ledger/missing", "", 404, "not-found"},
      {kGet, "/v1/admin/campaigns/%/ledger/missing", "", 400, "malformed"},
      // health
      {kGet, "/healthz", "", 200},
      {kGet, "/readyz", "", 200},
      {kGet, "/metrics", "", 200},
  };
}

/// The same for requests that fit no route.
std::vector<Row> misfits() {
  return {
      {kGet, "/", "", 404, "not-found"},
      {kGet, "/v1", "", 404, "not-found"},
      {kGet, "/v1/campaigns/", "", 404, "not-found"},
      {kGet, "/v1/campaigns//coupons", "", 404, "not-found"},
      {kPost, "/v1/campaigns//coupons", "", 404, "not-found"},
      {kPost, "/v1/campaigns/sale/coupons/", "", 404, "not-found"},
      {kPost, "/v1/campaigns/sale/queue", R"({"user_id":"a"})", 404, "not-found"},
      {kGet, "/coupon/issue", "", 405, "method-not-allowed"},
      {kPost, "/healthz", "", 405, "method-not-allowed"},
      {Method::del, "/v1/campaigns/sale", "", 405, "method-not-allowed"},
      {Method::put, "/v1/campaigns", "", 405, "method-not-allowed"},
      {Method::other, "/metrics", "", 405, "method-not-allowed"},
      {Method::options, "/v1/campaigns/sale/coupons", "", 405, "method-not-allowed"},
  };
}

std::string name_of(const Row& row) {
  return std::string(http::to_text(row.method)) + " " + row.target + " " + row.body;
}

void expect(const Answered& answer, const Row& row) {
  EXPECT_EQ(answer.status(), row.status) << name_of(row) << "\n" << answer.response.body;
  if (row.status < 400) {
    EXPECT_NE(answer.response.content_type, kProblemContentType) << name_of(row);
    return;
  }
  EXPECT_EQ(answer.response.content_type, kProblemContentType) << name_of(row);
  const auto body = JsonObject::parse(answer.response.body);
  ASSERT_TRUE(body) << answer.response.body;
  EXPECT_EQ(std::get<std::string>(*body->find("type")), "/problems/" + row.type) << name_of(row);
  EXPECT_EQ(std::get<std::uint64_t>(*body->find("status")), static_cast<std::uint64_t>(row.status));
  EXPECT_FALSE(std::get<std::string>(*body->find("detail")).empty()) << name_of(row);
  const auto* field = body->find("field");
  EXPECT_EQ(field == nullptr ? "" : std::get<std::string>(*field), row.field) << name_of(row);
}

void prepare(TestApi& api) {
  api.create("default", 10);
  api.create("sale", 2);
  api.create("full", 1);
  api.create("future", 1, R"(,"starts_at":"2030-01-01T00:00:00Z")");
  api.create("halted", 1);
  api.create("over", 1);
  api.set_state("halted", "paused");
  api.set_state("over", "ended");
  EXPECT_EQ(api.issue("sale", "alice").status(), 201);
  EXPECT_EQ(api.issue("full", "alice").status(), 201);
  api.store("sale", "alice", 1);
}

/// The route that a target belongs to, found without the code under test.
const Route* route_of(Method method, std::string_view target) {
  const auto split = [](std::string_view path) {
    std::vector<std::string> segments{""};
    for (const char c : path) {
      if (c == '/') {
        segments.emplace_back();
      } else {
        segments.back() += c;
      }
    }
    return segments;
  };
  const auto given = split(target.substr(0, target.find('?')));
  for (const auto& route : routes()) {
    const auto wanted = split(route.pattern);
    if (route.method != (method == Method::head ? Method::get : method) || wanted.size() != given.size())
      continue;
    if (std::equal(wanted.begin(), wanted.end(), given.begin(), [](const auto& want, const auto& is) {
          return want.starts_with('{') ? !is.empty() : want == is;
        })) {
      return &route;
    }
  }
  return nullptr;
}

const YAML::Node& description() {
  static const YAML::Node loaded = YAML::LoadFile(DOORBUSTER_OPENAPI_FILE);
  return loaded;
}

std::string in_lower_case(std::string_view text) {
  std::string lower(text);
  std::transform(lower.begin(), lower.end(), lower.begin(), [](unsigned char c) { return std::tolower(c); });
  return lower;
}

YAML::Node described(const Route& route) {
  return description()["paths"][std::string(route.pattern)][in_lower_case(http::to_text(route.method))];
}

TEST(ApiTable, AnswersAsTheTableSaysAndAsTheDescriptionLists) {
  TestApi api;
  prepare(api);
  for (const auto& row : table()) {
    expect(api.ask({row.method, row.target, row.body}), row);
    const Route* route = route_of(row.method, row.target);
    ASSERT_NE(route, nullptr) << name_of(row);
    EXPECT_TRUE(described(*route)["responses"][std::to_string(row.status)])
        << route->pattern << " does not list " << row.status << " in docs/openapi.yaml";
  }
}

TEST(ApiTable, CoversEveryRoute) {
  std::set<const Route*> seen;
  for (const auto& row : table()) seen.insert(route_of(row.method, row.target));
  EXPECT_EQ(seen.size(), routes().size());
}

TEST(ApiTable, AnswersWhatFitsNoRoute) {
  TestApi api;
  prepare(api);
  for (const auto& row : misfits()) {
    const auto answer = api.ask({row.method, row.target, row.body});
    expect(answer, row);
    EXPECT_EQ(answer.header("Allow").empty(), row.status != 405) << name_of(row);
  }
  EXPECT_EQ(api.ask({Method::put, "/v1/campaigns"}).header("Allow"), "POST, GET, HEAD");
  EXPECT_EQ(api.ask({Method::put, "/coupon/issue"}).header("Allow"), "POST");
}

TEST(OpenApi, DescribesTheRoutesAndNothingElse) {
  std::set<std::string> in_code, in_description;
  for (const auto& route : routes()) {
    in_code.insert(in_lower_case(http::to_text(route.method)) + " " + std::string(route.pattern));
  }
  const std::set<std::string> methods = {"get", "put", "post", "delete", "options", "head", "patch", "trace"};
  for (const auto& path : description()["paths"]) {
    for (const auto& member : path.second) {
      const auto method = member.first.as<std::string>();
      if (methods.contains(method)) in_description.insert(method + " " + path.first.as<std::string>());
    }
  }
  EXPECT_EQ(in_code, in_description);
}

TEST(OpenApi, ListsTheRefusalsThatEveryRouteOfItsKindCanGive) {
  for (const auto& route : routes()) {
    const auto responses = described(route)["responses"];
    const auto has = [&](const char* status) { return static_cast<bool>(responses[status]); };
    EXPECT_EQ(has("401"), route.access != Access::everybody) << route.pattern;
    EXPECT_EQ(has("403"), route.access != Access::everybody && route.access != Access::any_token)
        << route.pattern;
  }
}

TEST(OpenApi, NamesEveryProblemType) {
  std::set<std::string> in_code, in_description;
  for (const auto& row : all_error_traits()) in_code.insert("/problems/" + std::string(row.slug));
  for (const auto& row : all_outcome_traits()) {
    if (!row.slug.empty()) in_code.insert("/problems/" + std::string(row.slug));
  }
  for (const int status : {400, 408, 413, 431, 500, 501, 503, 505}) {  // of the HTTP server itself
    const auto body = JsonObject::parse(http::server_problem(status, "why").body);
    ASSERT_TRUE(body) << status;
    in_code.insert(std::get<std::string>(*body->find("type")));
  }
  in_code.insert("/problems/timeout");  // the gateway's, which is no part of this program
  for (const auto& type : description()["components"]["schemas"]["Problem"]["properties"]["type"]["enum"]) {
    in_description.insert(type.as<std::string>());
  }
  EXPECT_EQ(in_code, in_description);
}

/// The gateway passes on what is below these paths and may lose its instance; the rest it answers by itself.
TEST(OpenApi, ListsWhatTheGatewayAddsWhereItPassesRequestsOn) {
  for (const auto& route : routes()) {
    const bool passed_on = route.pattern.starts_with("/v1/") || route.pattern.starts_with("/coupon/");
    for (const auto* status : {"502", "504"}) {
      EXPECT_EQ(static_cast<bool>(described(route)["responses"][status]), passed_on)
          << route.pattern << " " << status;
    }
  }
}

TEST(OpenApi, ListsEveryRuleThatACouponNames) {
  std::set<std::string> listed;
  for (const auto& each : description()["components"]["schemas"]["Coupon"]["properties"]["durable"]["enum"]) {
    listed.insert(each.as<std::string>());
  }
  EXPECT_EQ(listed, (std::set<std::string>{"log", "log(rf=1)", "ledger"}));
  for (const auto* strength : {"log", "log(rf=1)"}) {
    ApiOptions options;
    options.log_strength = strength;
    TestApi api(std::move(options));
    api.create("sale", 2);
    const auto coupon = JsonObject::parse(api.issue("sale", "alice").response.body);
    ASSERT_TRUE(coupon);
    EXPECT_TRUE(listed.contains(std::get<std::string>(*coupon->find("durable")))) << strength;
  }
}

/// Follows every `$ref` of the document.
void check_references(const YAML::Node& node) {
  if (node.IsSequence()) {
    for (const auto& each : node) check_references(each);
  }
  if (!node.IsMap()) return;
  for (const auto& member : node) {
    if (member.first.as<std::string>() != "$ref") {
      check_references(member.second);
      continue;
    }
    const auto reference = member.second.as<std::string>();
    ASSERT_TRUE(reference.starts_with("#/")) << reference;
    YAML::Node at = YAML::Clone(description());
    std::string_view rest = std::string_view(reference).substr(2);
    while (!rest.empty()) {
      const auto end = rest.find('/');
      YAML::Node deeper = at[std::string(rest.substr(0, end))];
      ASSERT_TRUE(deeper) << reference;
      at.reset(deeper);
      rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
    }
  }
}

TEST(OpenApi, HasNoDanglingReference) {
  check_references(description());
}

}  // namespace
}  // namespace doorbuster::api
