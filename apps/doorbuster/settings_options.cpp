#include "apps/doorbuster/settings_options.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdlib>

namespace doorbuster {

void SettingsOptions::add_to(CLI::App& command, std::string role) {
  role_ = std::move(role);
  command.add_option("--config", file_, "YAML file with settings (doorbuster.yaml shows them all)");
  for (const auto& property : config::properties_of(role_)) {
    if (property.flag.empty()) continue;
    const std::string key(property.key);
    auto help = fmt::format("{} [{}; {}]", property.help, property.standard, config::environment_name(key));
    const std::string flag(property.flag);
    if (property.type == config::Type::boolean) {
      // `--gateway`, `--gateway false`, `--no-gateway`
      options_[key] = command.add_option(flag, values_[key], std::move(help))->expected(0, 1);
      const auto name = flag.substr(flag.rfind("--with-", 0) == 0 ? 7 : 2);
      const std::string same = "the same as " + flag + " false";
      negations_[key] = command.add_flag("--no-" + name, same);
      continue;
    }
    options_[key] = command.add_option(flag, values_[key], std::move(help));
  }
}

Result<config::Settings> SettingsOptions::load() const {
  config::Settings::Sources sources;
  sources.file = file_;
  for (const auto& [key, option] : options_) {
    if (option->count() == 0) continue;
    const bool alone = values_.at(key).empty() && negations_.count(key) > 0;
    sources.flags[key] = alone ? "true" : values_.at(key);
  }
  for (const auto& [key, negation] : negations_) {
    if (negation->count() > 0) sources.flags[key] = "false";
  }
  sources.environment = [](const std::string& name) -> std::optional<std::string> {
    const char* value = std::getenv(name.c_str());
    return value == nullptr ? std::nullopt : std::optional<std::string>(value);
  };
  for (char** variable = ::environ; *variable != nullptr; ++variable) {
    const std::string_view entry = *variable;
    sources.variables.emplace_back(entry.substr(0, entry.find('=')));
  }
  return config::Settings::load(role_, sources);
}

}  // namespace doorbuster
