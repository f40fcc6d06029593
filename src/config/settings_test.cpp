#include "config/settings.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>

namespace doorbuster::config {
namespace {

constexpr std::array kTable = {
    Property{"level", Kind::text, "info", "a key of the top level"},
    Property{"api.port", Kind::integer, "8081", "a port", 0, 65535},
    Property{"api.data", Kind::path, "./data", "a folder"},
    Property{"api.restart", Kind::boolean, "true", "a switch"},
    Property{"api.drain_timeout", Kind::duration, "8s", "a time", 1000, 60'000'000},
    Property{"api.tokens", Kind::tokens, "[]", "a list"},
    Property{"event_log.checkpoint_size", Kind::size, "16MiB", "a size", 4096, 1 << 30},
};

class SettingsTest : public testing::Test {
 protected:
  SettingsTest() {
    char name[] = "settings-test-XXXXXX";
    const int descriptor = ::mkstemp(name);
    ::close(descriptor);
    path_ = name;
  }
  ~SettingsTest() override { std::remove(path_.c_str()); }

  Result<Settings> load(std::string_view yaml) {
    std::ofstream(path_) << yaml;
    sources_.file = path_;
    return Settings::load(kTable, sources_);
  }
  std::string complaint(std::string_view yaml) {
    const auto loaded = load(yaml);
    if (loaded) return "no complaint";
    EXPECT_EQ(loaded.error().detail.find('\n'), std::string::npos) << loaded.error().detail;
    return without_path(loaded.error().detail);
  }
  std::string without_path(std::string text) const {
    if (text.starts_with(path_)) text.replace(0, path_.size(), "FILE");
    return text;
  }

  std::string path_;
  Sources sources_;
};

TEST_F(SettingsTest, WithoutSourcesEveryKeyHasItsDefault) {
  const auto settings = Settings::load(kTable, {});
  ASSERT_TRUE(settings);
  EXPECT_EQ(settings->text("level"), "info");
  EXPECT_EQ(settings->integer("api.port"), 8081);
  EXPECT_EQ(settings->text("api.data"), "./data");
  EXPECT_TRUE(settings->boolean("api.restart"));
  EXPECT_EQ(settings->duration("api.drain_timeout"), std::chrono::seconds(8));
  EXPECT_EQ(settings->integer("event_log.checkpoint_size"), 16 << 20);
  EXPECT_TRUE(settings->records("api.tokens").empty());
  EXPECT_EQ(settings->origin("api.port"), "");
}

TEST_F(SettingsTest, ReadsEveryKindFromTheFile) {
  const auto settings = load(
      "level: debug\n"
      "api:\n"
      "  port: 0\n"
      "  data: /a b\n"
      "  restart: false\n"
      "  drain_timeout: 1.5s\n"
      "  tokens:\n"
      "    - {token: abcdefghijklmnop, role: user, sub: '17'}\n"
      "event_log:\n"
      "  checkpoint_size: 64KiB\n");
  ASSERT_TRUE(settings) << settings.error().detail;
  EXPECT_EQ(settings->text("level"), "debug");
  EXPECT_EQ(settings->integer("api.port"), 0);
  EXPECT_EQ(settings->text("api.data"), "/a b");
  EXPECT_FALSE(settings->boolean("api.restart"));
  EXPECT_EQ(settings->duration("api.drain_timeout"), std::chrono::milliseconds(1500));
  EXPECT_EQ(settings->integer("event_log.checkpoint_size"), 65536);
  const Record token = {{"token", "abcdefghijklmnop"}, {"role", "user"}, {"sub", "17"}};
  EXPECT_EQ(settings->records("api.tokens"), std::vector<Record>{token});
  EXPECT_EQ(without_path(settings->origin("api.port")), "FILE:3");
}

TEST_F(SettingsTest, FlagBeatsEnvironmentBeatsFileBeatsDefault) {
  constexpr std::string_view kFile = "api: {port: 1}";
  EXPECT_EQ(load("")->integer("api.port"), 8081);
  EXPECT_EQ(load(kFile)->integer("api.port"), 1);
  sources_.environment = {{"PATH", "/bin"}, {"DOORBUSTER_API_PORT", "2"}};
  EXPECT_EQ(load(kFile)->integer("api.port"), 2);
  EXPECT_EQ(load(kFile)->origin("api.port"), "DOORBUSTER_API_PORT");
  sources_.flags = {{"api.port", "3"}};
  EXPECT_EQ(load(kFile)->integer("api.port"), 3);
  EXPECT_EQ(load(kFile)->origin("api.port"), "--port");
}

TEST_F(SettingsTest, AnUnknownKeyIsRefusedWithItsLineAndAGuess) {
  EXPECT_EQ(complaint("api:\n  prot: 1\n"), "FILE:2: there is no key 'api.prot'; did you mean api.port?");
  EXPECT_EQ(complaint("\n\ngateway:\n  x: 1\n"), "FILE:3: there is no key 'gateway'");
  sources_.environment = {{"DOORBUSTER_API_PROT", "1"}};
  EXPECT_EQ(complaint(""),
            "DOORBUSTER_API_PROT: there is no such setting; did you mean DOORBUSTER_API_PORT?");
}

TEST_F(SettingsTest, VariablesOfTestsAndToolsArePassedOver) {
  sources_.environment = {{"DOORBUSTER_BINARY", "/x"}, {"DOORBUSTER_PACKAGES", "skip"}};
  EXPECT_EQ(complaint(""), "no complaint");
}

TEST_F(SettingsTest, ABadValueIsRefusedWithItsLineAndWhatIsWanted) {
  const std::string port = ": api.port must be an integer from 0 to 65535, not ";
  EXPECT_EQ(complaint("api:\n  port: many\n"), "FILE:2" + port + "'many'");
  EXPECT_EQ(complaint("api:\n  port: 65536\n"), "FILE:2" + port + "'65536'");
  EXPECT_EQ(complaint("api:\n  port: -1\n"), "FILE:2" + port + "'-1'");
  EXPECT_EQ(complaint("api:\n  port: 80x\n"), "FILE:2" + port + "'80x'");
  EXPECT_EQ(complaint("api:\n  restart: maybe\n"), "FILE:2: api.restart must be true or false, not 'maybe'");
  EXPECT_EQ(complaint("api:\n  data: ''\n"), "FILE:2: api.data must be a path, not ''");
  EXPECT_EQ(complaint("api:\n  drain_timeout: 61s\n"),
            "FILE:2: api.drain_timeout must be a duration from 1ms to 60s, such as 250ms or 5s, not '61s'");
  EXPECT_EQ(
      complaint("event_log:\n  checkpoint_size: 4KB\n"),
      "FILE:2: event_log.checkpoint_size must be a size from 4096 to 1073741824 bytes, such as 64KiB or "
      "16MiB, not '4KB'");
  sources_.environment = {{"DOORBUSTER_API_PORT", "x"}};
  EXPECT_EQ(complaint(""), "DOORBUSTER_API_PORT" + port + "'x'");
  sources_.environment.clear();
  sources_.flags = {{"api.port", "x"}};
  EXPECT_EQ(complaint(""), "--port" + port + "'x'");
}

TEST_F(SettingsTest, WhatIsNoSettingAtAllIsRefusedWithItsLine) {
  EXPECT_EQ(complaint("api:\n  port:\n"), "FILE:2: api.port has no value");
  EXPECT_EQ(complaint("api:\n  port: [1]\n"), "FILE:2: api.port must be an integer from 0 to 65535");
  EXPECT_EQ(complaint("api: 5\n"), "FILE:1: api is a section: its keys stand below it");
  EXPECT_EQ(complaint("api:\n  port: 1\n  port: 2\n"), "FILE:3: api.port is given twice");
  EXPECT_EQ(complaint("- a\n- b\n"), "FILE:1: the file must consist of `key: value` lines");
  EXPECT_EQ(complaint("level: a\n---\nlevel: b\n"), "FILE: has more than one document");
  EXPECT_TRUE(complaint("api:\n  port: 1\n bad: [\n").starts_with("FILE:3: "))
      << complaint("api:\n  port: 1\n bad: [\n");
}

TEST_F(SettingsTest, AnEmptyFileIsFine) {
  EXPECT_EQ(complaint(""), "no complaint");
  EXPECT_EQ(complaint("# nothing but a comment\n"), "no complaint");
  EXPECT_EQ(complaint("api:\n"), "no complaint");
}

TEST_F(SettingsTest, AFileThatIsNotThereIsNamed) {
  sources_.file = "no/such/file.yaml";
  const auto loaded = Settings::load(kTable, sources_);
  ASSERT_FALSE(loaded);
  EXPECT_EQ(loaded.error().detail, "no/such/file.yaml: cannot be read");
  EXPECT_EQ(loaded.error().code, ErrorCode::unavailable);
}

TEST_F(SettingsTest, TokensMayComeFromTheEnvironmentAndAreNeverRepeatedInAnError) {
  sources_.environment = {{"DOORBUSTER_API_TOKENS", "[{token: hidden-hidden-hidden, role: admin}]"}};
  const auto settings = load("");
  ASSERT_TRUE(settings) << settings.error().detail;
  EXPECT_EQ(settings->records("api.tokens").size(), 1U);
  for (const auto* wrong :
       {"hidden", "[hidden", "[hidden]", "{token: hidden}", "[{tokn: hidden}]", "[{token: [hidden]}]"}) {
    sources_.environment = {{"DOORBUSTER_API_TOKENS", wrong}};
    const auto said = complaint("");
    EXPECT_TRUE(said.starts_with("DOORBUSTER_API_TOKENS: ")) << said;
    EXPECT_EQ(said.find("hidden"), std::string::npos) << said;
  }
}

TEST(PropertyTest, FlagsAndVariablesFollowFromTheKey) {
  const Property property{"api.io_threads", Kind::integer, "1", "threads"};
  EXPECT_EQ(flag_of(property), "--io-threads");
  EXPECT_EQ(environment_name_of(property), "DOORBUSTER_API_IO_THREADS");
  EXPECT_EQ(section_of(property), "api");
  const Property top{"log_level", Kind::text, "info", "level"};
  EXPECT_EQ(flag_of(top), "--log-level");
  EXPECT_EQ(section_of(top), "");
}

}  // namespace
}  // namespace doorbuster::config
