#include "apps/doorbuster/stack_settings.hpp"

#include <gtest/gtest.h>

namespace doorbuster {
namespace {

TEST(StackSettings, EveryRoleThatSpeaksToRedisTakesItsOptionsFromTheSettings) {
  for (const auto role : {"api", "gateway", "recover"}) {
    config::Settings::Sources sources;
    sources.flags = {
        {"redis.host", "redis.example"}, {"redis.port", "7001"}, {"redis.command_timeout", "250ms"}};
    const auto options = redis_options(config::Settings::load(role, sources).value());
    ASSERT_TRUE(options) << role;
    EXPECT_EQ(options->host, "redis.example");
    EXPECT_EQ(options->port, 7001);
    EXPECT_EQ(options->command_timeout, std::chrono::milliseconds(250));
  }
}

}  // namespace
}  // namespace doorbuster
