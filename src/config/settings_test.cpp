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

TEST_F(SettingsTest, ADurationMayHaveLimits) {
  for (const auto* good : {"10ms", "2s", "10s"}) {
    sources_.flags["redis.command_timeout"] = good;
    EXPECT_EQ(error(), "") << good;
  }
  for (const auto* bad : {"0s", "9ms", "10001ms", "1h", "2", "soon", ""}) {
    sources_.flags["redis.command_timeout"] = bad;
    EXPECT_THAT(error(),
                EndsWith("is no value for redis.command_timeout: a duration from 10ms to 10000ms is wanted"))
        << bad;
  }
  sources_ = {};
  for (const auto role : {"api", "gateway", "worker", "recover"}) {
    EXPECT_EQ(Settings::load(role, sources_)->duration("redis.command_timeout"), std::chrono::seconds(2))
        << role;
  }
}

TEST_F(SettingsTest, RefusesAVariableThatIsNoSettingOfAnyRole) {
  sources_.variables = {"PATH", "DOORBUSTER_UP_PORT", "DOORBUSTER_BINARY", "DOORBUSTER_API_PROT"};
  EXPECT_EQ(error(), "DOORBUSTER_API_PROT: there is no such setting; did you mean 'DOORBUSTER_API_PORT'?");
  sources_.variables = {"DOORBUSTER_SOMETHING_ELSE"};
  EXPECT_EQ(error(), "DOORBUSTER_SOMETHING_ELSE: there is no such setting");
}

TEST_F(SettingsTest, BearsVariablesThatAreForOthers) {
  sources_.variables = {"PATH", "DOORBUSTER_UP_PORT", "DOORBUSTER_API_PORT", "DOORBUSTER_TEST_REDIS",
                        "doorbuster_api_prot"};
  for (const auto name : other_variables()) sources_.variables.emplace_back(name);
  EXPECT_EQ(error(), "");
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

TEST_F(SettingsTest, ASecretComesFromAFileOrTheEnvironmentAndHasNoFlag) {
  for (const auto role : roles()) {
    for (const auto& property : properties_of(role)) {
      EXPECT_EQ(property.type == Type::secret, property.flag.empty()) << property.key;
    }
  }
  EXPECT_EQ(Settings::load("api", sources_)->secret("redis.password").value(), "");
  file("redis:\n  password: from-the-file\n");
  EXPECT_EQ(Settings::load("api", sources_)->secret("redis.password").value(), "from-the-file");
  sources_.environment = [](const std::string& name) {
    return name == "DOORBUSTER_REDIS_PASSWORD" ? std::optional<std::string>("from-outside") : std::nullopt;
  };
  EXPECT_EQ(Settings::load("api", sources_)->secret("redis.password").value(), "from-outside");
}

TEST_F(SettingsTest, ASecretIsTheFirstLineOfItsOwnFile) {
  file("line one\nline two\n");
  sources_ = {};
  sources_.flags["database.password_file"] = path_;
  EXPECT_EQ(Settings::load("worker", sources_)->secret("database.password").value(), "line one");
  sources_.flags["database.password_file"] = "/no/such/file";
  const auto missing = Settings::load("worker", sources_)->secret("database.password");
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().detail, "database.password_file: /no/such/file cannot be read");
  sources_.environment = [](const std::string& name) {
    return name == "DOORBUSTER_DATABASE_PASSWORD" ? std::optional<std::string>("x") : std::nullopt;
  };
  EXPECT_THAT(Settings::load("worker", sources_)->secret("database.password").error().detail,
              EndsWith("only one of them"));
}

TEST_F(SettingsTest, TheShippedFileShowsEveryKeyWithItsDefault) {
  sources_.file = DOORBUSTER_SHIPPED_FILE;
  std::ifstream stream(DOORBUSTER_SHIPPED_FILE);
  const std::string shipped((std::istreambuf_iterator<char>(stream)), std::istreambuf_iterator<char>());
  for (const auto role : roles()) {
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
