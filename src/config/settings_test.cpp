#include "config/settings.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

namespace doorbuster::config {
namespace {

using testing::EndsWith;
using testing::HasSubstr;

class SettingsTest : public testing::Test {
 protected:
  ~SettingsTest() override { std::filesystem::remove(path_); }
  void file(const std::string& text) {
    std::ofstream(path_) << text;
    sources_.file = path_;
  }
  std::string error() {
    const auto settings = Settings::load("api", sources_);
    return settings ? "" : settings.error().detail;
  }

  std::string path_ = testing::TempDir() + "settings_test_" + std::to_string(::getpid()) + ".yaml";
  Settings::Sources sources_;
};

TEST_F(SettingsTest, FlagBeatsEnvironmentBeatsFileBeatsDefault) {
  EXPECT_EQ(Settings::load("api", sources_)->integer("api.port"), 8081);
  file("api:\n  port: 1\n  data: /d\n");
  EXPECT_EQ(Settings::load("api", sources_)->integer("api.port"), 1);
  sources_.environment = [](const std::string& name) {
    return name == "DOORBUSTER_API_PORT" ? std::optional<std::string>("2") : std::nullopt;
  };
  EXPECT_EQ(Settings::load("api", sources_)->integer("api.port"), 2);
  sources_.flags["api.port"] = "3";
  EXPECT_EQ(Settings::load("api", sources_)->integer("api.port"), 3);
  EXPECT_EQ(Settings::load("api", sources_)->text("api.data"), "/d");
}

TEST_F(SettingsTest, OneFileServesAllRoles) {
  file("up:\n  port: 9\napi:\n  port: 1\n");
  EXPECT_EQ(Settings::load("up", sources_)->integer("up.port"), 9);
}

TEST_F(SettingsTest, NamesFileAndLineOfAnUnknownKey) {
  file("api:\n  bind: 127.0.0.1\n  prot: 1\n");
  EXPECT_THAT(error(), EndsWith(":3: unknown key 'api.prot'; did you mean 'api.port'?"));
}

TEST_F(SettingsTest, NamesPlaceAndWishOfABadValue) {
  file("api:\n  port: 65536\n");
  EXPECT_THAT(error(),
              EndsWith(":2: '65536' is no value for api.port: an integer from 0 to 65535 is wanted"));
  file("api:\n  idle_timeout: 5\n");
  EXPECT_THAT(error(), HasSubstr(":2: '5' is no value for api.idle_timeout: a duration"));
  sources_ = {};
  sources_.flags["api.port"] = "x";
  EXPECT_THAT(error(), testing::StartsWith("--port: 'x' is no value for api.port"));
  sources_ = {};
  sources_.environment = [](const std::string& name) {
    return name == "DOORBUSTER_API_IO_THREADS" ? std::optional<std::string>("0") : std::nullopt;
  };
  EXPECT_THAT(error(), testing::StartsWith("DOORBUSTER_API_IO_THREADS: '0' is no value"));
}

TEST_F(SettingsTest, SaysWhatIsWrongWithTheFileItself) {
  sources_.file = "/no/such/file.yaml";
  EXPECT_EQ(error(), "/no/such/file.yaml: there is no such file");
  file("api: [\n");
  EXPECT_THAT(error(), HasSubstr(".yaml:"));
  file("just text\n");
  EXPECT_THAT(error(), EndsWith(":1: sections such as 'api:' are wanted"));
  file("api: 5\n");
  EXPECT_THAT(error(), EndsWith(":1: 'api' is not a section with keys"));
  file("api:\n  port: [1]\n");
  EXPECT_THAT(error(), EndsWith(":2: api.port is one value"));
  file("api:\n  port: 1\n  port: 2\n");
  EXPECT_THAT(error(), EndsWith(":3: api.port is given twice"));
}

TEST_F(SettingsTest, ReadsTokens) {
  file("api:\n  tokens:\n    - {token: secret-secret-secret, role: user, sub: alice}\n");
  const auto settings = Settings::load("api", sources_);
  ASSERT_TRUE(settings);
  ASSERT_EQ(settings->tokens().size(), 1U);
  EXPECT_EQ(settings->tokens()[0].sub, "alice");
  EXPECT_EQ(settings->tokens()[0].place, path_ + ":3");
  file("api:\n  tokens:\n    - {token: x, roll: user}\n");
  EXPECT_THAT(error(), EndsWith(":3: a token has no 'roll'"));
}

TEST_F(SettingsTest, TheShippedFileShowsEveryKeyWithItsDefault) {
  sources_.file = DOORBUSTER_SHIPPED_FILE;
  std::ifstream stream(DOORBUSTER_SHIPPED_FILE);
  const std::string shipped((std::istreambuf_iterator<char>(stream)), std::istreambuf_iterator<char>());
  for (const auto* role : {"api", "up"}) {
    const auto settings = Settings::load(role, sources_);
    ASSERT_TRUE(settings) << settings.error().detail;
    for (const auto& property : properties_of(role)) {
      EXPECT_EQ(settings->text(property.key), property.standard) << property.key;
      const auto name = property.key.substr(property.key.find('.') + 1);
      EXPECT_THAT(shipped, HasSubstr("\n  " + std::string(name) + ": ")) << property.key;
    }
  }
}

}  // namespace
}  // namespace doorbuster::config
