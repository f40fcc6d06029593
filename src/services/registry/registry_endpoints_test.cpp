#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "services/registry/gzip.hpp"
#include "services/registry/test_registry.hpp"

namespace doorbuster::registry {
namespace {

using http::Method;
using leases::InstanceStatus;
using testing::Contains;
using testing::HasSubstr;
using testing::Not;
using testing::Pair;

std::string gzipped(std::string_view text) {
  GzipRope rope;
  rope.add(gzip_piece(text));
  return rope.finish().joined();
}

constexpr std::string_view kBody =
    R"({"instance":{"instanceId":"x","hostName":"h","ipAddr":"1.1.1.1","app":"shop","status":"UP"}})";

class RegistryEndpoints : public testing::Test {
 protected:
  void expect_bare(const Answer& answer, int status) {
    EXPECT_EQ(answer.head.status, status);
    EXPECT_EQ(answer.head.body, "");
    EXPECT_EQ(answer.head.content_type, "");
    EXPECT_EQ(answer.body, nullptr);
  }
  TestRegistry registry_;
};

TEST_F(RegistryEndpoints, SayExactlyWhatClientsInsistOn) {
  const TestRegistry::Headers json = {{"Content-Type", kJson}};
  expect_bare(registry_.ask(Method::put, "/eureka/apps/SHOP/x?status=UP&lastDirtyTimestamp=1"), 404);
  expect_bare(registry_.ask(Method::post, "/eureka/apps/SHOP", kBody, json), 204);
  expect_bare(registry_.ask(Method::put, "/eureka/v2/apps/shop/x?status=UP&lastDirtyTimestamp=1", "", json),
              200);
  expect_bare(registry_.ask(Method::put, "/apps/SHOP/x"), 200);
  expect_bare(registry_.ask(Method::put, "/eureka/apps/SHOP/x/status?value=OUT_OF_SERVICE"), 200);
  expect_bare(registry_.ask(Method::del, "/eureka/apps/SHOP/x/status?value=UP"), 200);
  expect_bare(registry_.ask(Method::put, "/eureka/apps/SHOP/x/metadata?a=1"), 200);
  expect_bare(registry_.ask(Method::del, "/eureka/apps/SHOP/x"), 200);
  expect_bare(registry_.ask(Method::del, "/eureka/apps/SHOP/x"), 404);
  expect_bare(registry_.ask(Method::put, "/eureka/apps/SHOP/x/status?value=UP"), 404);
  expect_bare(registry_.ask(Method::del, "/eureka/apps/SHOP/x/status"), 404);
  expect_bare(registry_.ask(Method::put, "/eureka/apps/SHOP/x/metadata?a=1"), 404);
  expect_bare(registry_.get("/eureka/apps/SHOP"), 404);
  expect_bare(registry_.get("/eureka/apps/SHOP/x"), 404);
  expect_bare(registry_.get("/eureka/instances/x"), 404);
  expect_bare(registry_.ask(Method::put, "/eureka/asg/a/status?value=ENABLED"), 400);
}

TEST_F(RegistryEndpoints, AnswerXmlUnlessJsonIsAskedFor) {
  registry_.enroll("SHOP", "x");
  for (const auto* path : {"/eureka/apps/", "/eureka/apps/delta", "/eureka/apps/SHOP", "/eureka/apps/SHOP/x",
                           "/eureka/instances/x", "/eureka/vips/v"}) {
    EXPECT_EQ(registry_.get(path, "*/*").head.content_type, "application/xml") << path;
    EXPECT_THAT(registry_.get(path, "*/*").head.body, testing::StartsWith("<")) << path;
    EXPECT_EQ(registry_.get(path, "application/json, application/*+json").head.content_type, kJson) << path;
    EXPECT_THAT(registry_.get(path).head.body, testing::StartsWith("{")) << path;
  }
}

TEST_F(RegistryEndpoints, PackOnlyOnRequest) {
  registry_.enroll("SHOP", "x");
  const auto ask = [&](const std::string& coding) {
    return registry_.ask(Method::get, "/eureka/apps", {}, {{"Accept", kJson}, {"Accept-Encoding", coding}});
  };
  const auto plain = registry_.get("/eureka/apps").head.body;
  for (const auto* coding : {"gzip", "deflate, gzip;q=0.5", "br, GZIP"}) {
    const auto packed = ask(coding);
    EXPECT_THAT(packed.head.headers, Contains(Pair("Content-Encoding", "gzip"))) << coding;
    EXPECT_EQ(*gunzip(packed.head.body, 10'000), plain);
  }
  for (const auto* coding : {"identity", "deflate", "gzip;q=0", "*"}) {
    EXPECT_THAT(ask(coding).head.headers, Not(Contains(Pair("Content-Encoding", "gzip")))) << coding;
    EXPECT_EQ(ask(coding).head.body, plain);
  }
}

TEST_F(RegistryEndpoints, TakePackedRegistrations) {
  const auto ask = [&](std::string_view body, const std::string& coding) {
    return registry_.ask(Method::post, "/eureka/apps/SHOP", body,
                         {{"Content-Type", kJson}, {"Content-Encoding", coding}});
  };
  EXPECT_EQ(ask(gzipped(kBody), "gzip").head.status, 204);
  EXPECT_EQ(ask(kBody, "identity").head.status, 204);
  EXPECT_EQ(ask(kBody, "gzip").head.status, 400);
  EXPECT_EQ(ask(kBody, "br").head.status, 415);
  EXPECT_EQ(ask(gzipped(std::string(1'000'000, ' ')), "gzip").head.status, 413);
}

TEST_F(RegistryEndpoints, TakeXml) {
  const auto xml = [&](std::string_view body) {
    return registry_.ask(Method::post, "/eureka/apps/GO", body, {{"Content-Type", "application/xml"}});
  };
  EXPECT_EQ(
      xml("<instance><hostName>h</hostName><ipAddr>1.1.1.1</ipAddr><app>go</app></instance>").head.status,
      204);
  EXPECT_EQ(registry_.get("/eureka/apps/GO/h").head.status, 200);
  const auto refused = xml("<instance><hostName>");
  EXPECT_EQ(refused.head.status, 400);
  EXPECT_THAT(refused.head.body, testing::StartsWith("<error><message>no XML at byte"));
}

TEST_F(RegistryEndpoints, NameTheFieldThatIsWrong) {
  const auto post = [&](const std::string& instance) {
    const auto answer = registry_.ask(Method::post, "/eureka/apps/SHOP", R"({"instance":)" + instance + "}",
                                      {{"Content-Type", kJson}});
    EXPECT_EQ(answer.head.status, 400);
    EXPECT_EQ(answer.head.content_type, kJson);
    return answer.head.body;
  };
  EXPECT_EQ(post(R"({"app":"SHOP","ipAddr":"1"})"), R"({"error":"Missing hostname"})");
  EXPECT_EQ(post(R"({"app":"SHOP","hostName":"h"})"), R"({"error":"Missing ip address"})");
  EXPECT_EQ(post(R"({"app":"other","hostName":"h","ipAddr":"1"})"),
            R"({"error":"Mismatched appName, expecting SHOP but was OTHER"})");
  EXPECT_EQ(post(R"({"app":"SHOP","hostName":"h","ipAddr":"1","port":"http"})"),
            R"({"error":"'http' is no port for port"})");
  EXPECT_THAT(post("{"), HasSubstr("no JSON at byte"));
  EXPECT_EQ(registry_.status(Method::put, "/eureka/apps/SHOP/x/status?value=WELL"), 400);
  EXPECT_EQ(registry_.status(Method::put, "/eureka/apps/SHOP/x/status"), 400);
  EXPECT_EQ(registry_.status(Method::put, "/eureka/apps/SHOP/x/metadata?a=%ff"), 400);
}

TEST_F(RegistryEndpoints, FindByVip) {
  registry_.enroll("SHOP", "1", R"(,"vipAddress":"shop,store","secureVipAddress":"safe")");
  registry_.enroll("SHOP", "2", R"(,"vipAddress":"store")");
  registry_.enroll("OTHER", "3", R"(,"vipAddress":"Store")");
  EXPECT_EQ(registry_.applications("/eureka/vips/shop").hash_code, "UP_1_");
  EXPECT_EQ(registry_.applications("/eureka/vips/store").hash_code, "UP_2_");
  EXPECT_EQ(registry_.applications("/eureka/vips/Store").applications.at(0).name, "OTHER");
  EXPECT_EQ(registry_.applications("/eureka/svips/safe").hash_code, "UP_1_");
  EXPECT_EQ(registry_.applications("/eureka/vips/none").version, -1);
  EXPECT_TRUE(registry_.applications("/eureka/vips/none").applications.empty());
}

TEST_F(RegistryEndpoints, AFullFetchAndTheDeltaAgree) {
  registry_.enroll("SHOP", "1");
  registry_.enroll("SHOP", "2");
  auto full = registry_.applications();
  EXPECT_NE(full.version, -1);
  registry_.status(Method::del, "/eureka/apps/SHOP/1");
  registry_.status(Method::put, "/eureka/apps/SHOP/2/status?value=DOWN");
  const auto delta = registry_.applications("/eureka/apps/delta");
  EXPECT_GT(delta.version, full.version);
  EXPECT_EQ(delta.hash_code, "DOWN_1_");
  full = registry_.applications();
  EXPECT_EQ(full.hash_code, delta.hash_code);
  EXPECT_EQ(full.version, delta.version);
}

TEST_F(RegistryEndpoints, MergeMetadataFromTheQuery) {
  registry_.enroll("SHOP", "x", R"(,"metadata":{"zone":"a"})");
  EXPECT_EQ(
      registry_.status(Method::put, "/eureka/apps/SHOP/x/metadata?zone=b+c&n=%C3%A9&zone=ignored&empty"),
      200);
  EXPECT_EQ(registry_.applications().applications.at(0).instances.at(0).metadata,
            (leases::NamedValues{{"zone", "b c"}, {"n", "\xc3\xa9"}, {"empty", ""}}));
}

TEST_F(RegistryEndpoints, SendLongListsInPieces) {
  for (int i = 0; i < 500; ++i) registry_.enroll("SHOP", std::to_string(i));
  const auto answer = registry_.get("/eureka/apps");
  ASSERT_NE(answer.body, nullptr);
  const auto read = eureka::read_applications(eureka::Format::json, TestRegistry::text_of(answer));
  ASSERT_TRUE(read);
  EXPECT_EQ(read->applications.at(0).instances.size(), 500U);
}

TEST_F(RegistryEndpoints, EvictWhoFallsSilent) {
  registry_.enroll("SHOP", "x", R"(,"leaseInfo":{"renewalIntervalInSecs":1,"durationInSecs":3})");
  registry_.pass(3);
  EXPECT_EQ(registry_.status(Method::put, "/eureka/apps/SHOP/x"), 200);
  registry_.pass(4);
  EXPECT_EQ(registry_.status(Method::put, "/eureka/apps/SHOP/x"), 404);
  EXPECT_EQ(registry_.applications().hash_code, "");
}

TEST_F(RegistryEndpoints, KeepTheirMethods) {
  EXPECT_EQ(registry_.status(Method::post, "/eureka/apps"), 405);
  EXPECT_EQ(registry_.status(Method::put, "/eureka/apps/delta"), 405);
  EXPECT_EQ(registry_.status(Method::patch, "/eureka/apps/A/x"), 405);
  EXPECT_EQ(registry_.status(Method::get, "/eureka/apps/A/x/status"), 405);
  EXPECT_EQ(registry_.status(Method::get, "/eureka/apps/A/x/metadata"), 405);
  EXPECT_EQ(registry_.status(Method::post, "/"), 405);
  EXPECT_EQ(registry_.status(Method::head, "/eureka/apps"), 200);
  EXPECT_EQ(registry_.status(Method::get, "/nowhere"), 404);
  EXPECT_EQ(registry_.status(Method::post, "/eureka/peerreplication/batch/"), 501);
}

TEST(RegistryService, AnswersForbiddenUntilTheInstancesMayHaveComeBack) {
  RegistryOptions options;
  options.wait_time_when_empty = std::chrono::seconds(30);
  TestRegistry registry(options);
  EXPECT_EQ(registry.enroll("SHOP", "x"), 204);
  for (const auto* path : {"/eureka/apps", "/eureka/apps/delta", "/eureka/apps/SHOP", "/eureka/vips/v"}) {
    EXPECT_EQ(registry.get(path).head.status, 403) << path;
  }
  registry.pass(30);
  EXPECT_EQ(registry.get("/eureka/apps").head.status, 200);
}

TEST(RegistryService, RefusesMoreThanItMayHold) {
  RegistryOptions options;
  options.leases.most_instances = 1;
  TestRegistry registry(options);
  EXPECT_EQ(registry.enroll("SHOP", "1"), 204);
  EXPECT_EQ(registry.enroll("SHOP", "2"), 503);
}

TEST(RegistryService, ShowsPeopleWhoIsThereAndRunsNoScriptOfTheirs) {
  TestRegistry registry;
  EXPECT_THAT(registry.get("/").head.body, HasSubstr("Nobody is registered yet"));
  const std::string links = R"x(,"statusPageUrl":"javascript:alert(1)","homePageUrl":"https://h/?a=1&b=2")x";
  registry.enroll("SHOP", "<script>", links);
  const auto page = registry.get("/eureka/", "text/html").head.body;
  EXPECT_THAT(page, HasSubstr("&lt;script&gt;"));
  EXPECT_THAT(page, Not(HasSubstr("<script>")));
  EXPECT_THAT(page, Not(HasSubstr("javascript:")));
  EXPECT_THAT(page, HasSubstr(R"(<a href="https://h/?a=1&amp;b=2")"));
  EXPECT_THAT(page, Not(HasSubstr("Self-preservation.")));
  for (int i = 0; i < 20; ++i) registry.enroll("SHOP", std::to_string(i));
  registry.pass(61);
  EXPECT_THAT(registry.get("/").head.body, HasSubstr("Self-preservation."));
}

TEST(RegistryService, TellsItsNumbers) {
  TestRegistry registry;
  registry.enroll("SHOP", "1");
  registry.status(Method::put, "/eureka/apps/SHOP/2");
  const auto text = registry.get("/metrics").head.body;
  EXPECT_THAT(text, HasSubstr("doorbuster_registry_instances{status=\"UP\"} 1\n"));
  EXPECT_THAT(text,
              HasSubstr("doorbuster_registry_requests_total{operation=\"register\",status=\"2xx\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("doorbuster_registry_requests_total{operation=\"renew\",status=\"4xx\"} 1\n"));
  EXPECT_EQ(registry.get("/readyz").head.status, 200);
  EXPECT_EQ(registry.get("/healthz").head.status, 200);
}

}  // namespace
}  // namespace doorbuster::registry
