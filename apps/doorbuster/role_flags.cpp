#include "apps/doorbuster/role_flags.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>

namespace doorbuster {
namespace {

std::string_view type_name(config::Kind kind) {
  switch (kind) {
    case config::Kind::text:
      return "TEXT";
    case config::Kind::integer:
      return "INT";
    case config::Kind::boolean:
      return "true|false";
    case config::Kind::duration:
      return "TIME";
    case config::Kind::path:
      return "PATH";
    case config::Kind::size:
      return "SIZE";
    case config::Kind::tokens:
      return "LIST";
  }
  return "";
}

}  // namespace

RoleFlags::RoleFlags(CLI::App& command, std::span<const std::string_view> sections) {
  command.add_option("--config", config_file_, "YAML file with any of the keys [DOORBUSTER_CONFIG]")
      ->type_name("PATH");
  for (const auto section : sections) {
    for (const auto& property : config::properties()) {
      const auto flag = config::flag_of(property);
      if (config::section_of(property) != section || command.get_option_no_throw(flag) != nullptr) continue;
      command
          .add_option_function<std::string>(
              flag,
              [this, key = std::string(property.key)](const std::string& value) { given_[key] = value; },
              fmt::format("{} [{}]", property.help, config::environment_name_of(property)))
          ->type_name(std::string(type_name(property.kind)))
          ->default_str(std::string(property.fallback));
    }
  }
}

Result<config::Settings> RoleFlags::load() const {
  config::Sources sources;
  sources.file = config_file();
  sources.environment = config::process_environment();
  sources.flags = given_;
  return config::Settings::load(config::properties(), sources);
}

std::vector<std::string> RoleFlags::words_of(std::string_view section) const {
  std::vector<std::string> words;
  for (const auto& property : config::properties()) {
    const auto found = given_.find(property.key);
    if (found == given_.end() || config::section_of(property) != section) continue;
    words.push_back(config::flag_of(property) + "=" + found->second);
  }
  return words;
}

std::string RoleFlags::config_file() const {
  if (!config_file_.empty()) return config_file_;
  const char* const named = std::getenv("DOORBUSTER_CONFIG");
  return named == nullptr ? "" : named;
}

}  // namespace doorbuster
