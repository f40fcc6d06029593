// The doorbuster.yaml that is shipped is the manual: it names every key, with its default and a comment.

#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <set>

#include "config/settings.hpp"

namespace doorbuster::config {
namespace {

struct Line {
  std::string value;
  std::string comment;  // of the line above
};

/// Reads `key: value` lines with at most one level of sections, which is all that the file has.
std::map<std::string, Line> shipped_keys() {
  std::ifstream file(DOORBUSTER_CONFIG_FILE);
  EXPECT_TRUE(file) << DOORBUSTER_CONFIG_FILE;
  std::map<std::string, Line> keys;
  std::string text, section, comment;
  while (std::getline(file, text)) {
    const auto start = text.find_first_not_of(' ');
    if (start == std::string::npos) {
      comment.clear();
      continue;
    }
    if (text[start] == '#') {
      comment = text.substr(start + 1);
      continue;
    }
    const auto colon = text.find(':');
    const std::string name = text.substr(start, colon - start);
    const std::string value = colon + 2 < text.size() ? text.substr(colon + 2) : "";
    if (start == 0 && value.empty()) {
      section = name + ".";
    } else {
      keys[(start == 0 ? "" : section) + name] = {value, comment};
    }
    comment.clear();
  }
  return keys;
}

TEST(ShippedFileTest, IsAccepted) {
  Sources sources;
  sources.file = DOORBUSTER_CONFIG_FILE;
  const auto settings = Settings::load(properties(), sources);
  EXPECT_TRUE(settings) << settings.error().detail;
}

TEST(ShippedFileTest, NamesEveryKeyWithItsDefaultAndItsHelp) {
  const auto keys = shipped_keys();
  for (const auto& property : properties()) {
    const auto found = keys.find(std::string(property.key));
    ASSERT_NE(found, keys.end()) << property.key << " is missing";
    const std::string value = property.fallback.empty() ? "''" : std::string(property.fallback);
    EXPECT_EQ(found->second.value, value) << property.key;
    EXPECT_EQ(found->second.comment, " " + std::string(property.help)) << property.key;
  }
  EXPECT_EQ(keys.size(), properties().size());
}

TEST(PropertiesTest, DefaultsAreWithinTheirBounds) {
  const auto settings = Settings::load(properties(), {});
  EXPECT_TRUE(settings) << settings.error().detail;
}

TEST(PropertiesTest, WithinASectionFlagsDiffer) {
  std::set<std::string> seen;
  for (const auto& property : properties()) {
    // `api` takes the flags of event_log and of the top level, too.
    const std::string role = section_of(property) == "up" ? "up" : "api";
    EXPECT_TRUE(seen.insert(role + flag_of(property)).second) << property.key;
  }
}

}  // namespace
}  // namespace doorbuster::config
