#pragma once
// Gives a subcommand a flag for each of its settings, and `--config`.

#include <CLI/CLI.hpp>
#include <map>
#include <memory>
#include <string>

#include "config/settings.hpp"

namespace doorbuster {

/// Lives as long as the CLI::App that it was added to.
class SettingsOptions {
 public:
  void add_to(CLI::App& command, std::string role);
  /// After parsing. \returns invalid
  Result<config::Settings> load() const;
  /// The file given by --config; empty: none.
  const std::string& file() const { return file_; }

 private:
  std::string role_;
  std::string file_;
  std::map<std::string, std::string> values_;
  std::map<std::string, CLI::Option*> options_;
  std::map<std::string, CLI::Option*> negations_;  // of what is true or false
};

}  // namespace doorbuster
