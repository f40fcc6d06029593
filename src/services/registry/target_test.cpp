#include "services/registry/target.hpp"

#include <gtest/gtest.h>

namespace doorbuster::registry {
namespace {

TEST(Target, StandsUnderEveryPrefixThatClientsUse) {
  for (const auto* prefix : {"/eureka", "/eureka/v2", "/eureka/V2", "/eureka/v1", "/v2", ""}) {
    for (const auto* slash : {"", "/"}) {
      const auto all = parse_target(std::string(prefix) + "/apps" + slash);
      ASSERT_TRUE(all) << prefix;
      EXPECT_EQ(all->subject, Subject::all);
      const auto delta = parse_target(std::string(prefix) + "/apps/delta" + slash);
      ASSERT_TRUE(delta);
      EXPECT_EQ(delta->subject, Subject::delta);
      const auto app = parse_target(std::string(prefix) + "/apps/shop" + slash);
      ASSERT_TRUE(app);
      EXPECT_EQ(app->subject, Subject::app);
      EXPECT_EQ(app->app, "SHOP");
    }
  }
}

TEST(Target, ANameThatIsNotUtf8IsNone) {
  for (const auto* path : {"/eureka/apps/%C1", "/eureka/apps/A/%FFx", "/eureka/vips/%C0%80"}) {
    EXPECT_FALSE(parse_target(path)) << path;
  }
  EXPECT_EQ(parse_target("/eureka/vips/%C3%A9")->id, "\xC3\xA9");
}

TEST(Target, KeepsIdsAsTheyAre) {
  for (const auto* path : {"/eureka/apps/A/h:b:1", "/eureka/apps/A/h%3Ab%3A1", "/eureka/apps/A/h:b:1/"}) {
    const auto target = parse_target(path);
    ASSERT_TRUE(target) << path;
    EXPECT_EQ(target->subject, Subject::instance);
    EXPECT_EQ(target->id, "h:b:1");
  }
  EXPECT_EQ(parse_target("/apps/A/a/b%2Fc")->id, "a/b/c");  // Python leaves a slash as it is
  EXPECT_EQ(parse_target("/apps/A/a/b/status")->id, "a/b");
  EXPECT_EQ(parse_target("/apps/A/a/b/status")->subject, Subject::status);
  EXPECT_EQ(parse_target("/apps/A/x/metadata")->subject, Subject::metadata);
  EXPECT_EQ(parse_target("/apps/A/status")->subject, Subject::instance);
  EXPECT_EQ(parse_target("/apps/A/status")->id, "status");
  EXPECT_EQ(parse_target("/apps/A/delta")->id, "delta");
  EXPECT_EQ(parse_target("/eureka/v2/instances/x")->subject, Subject::id);
  EXPECT_EQ(parse_target("/eureka/vips/Shop")->id, "Shop");
  EXPECT_EQ(parse_target("/eureka/svips/s")->subject, Subject::secure_vip);
  EXPECT_EQ(parse_target("/eureka/asg/a/status")->subject, Subject::asg);
  EXPECT_EQ(parse_target("/eureka/peerreplication/batch/")->subject, Subject::replication);
}

TEST(Target, IsNoneElsewhere) {
  for (const auto* path : {"/", "", "/eureka", "/eureka/", "/x", "/v1/registry/events", "/eureka/v3/apps",
                           "/apps//x", "/apps/%zz", "/apps/A/%4", "/instances", "/instances/", "/metrics"}) {
    EXPECT_FALSE(parse_target(path)) << path;
  }
}

}  // namespace
}  // namespace doorbuster::registry
