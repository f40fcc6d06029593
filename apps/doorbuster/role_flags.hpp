#pragma once
// The flags of a role: one for each key of its sections in the table of properties, and `--config`.

#include <CLI/CLI.hpp>
#include <map>
#include <span>
#include <string>
#include <string_view>

#include "config/settings.hpp"

namespace doorbuster {

/// Lives as long as the command line is parsed.
class RoleFlags {
 public:
  /// Flags that the command has already are left out: `up --port` is its own, not the api's.
  RoleFlags(CLI::App& command, std::span<const std::string_view> sections);
  RoleFlags(const RoleFlags&) = delete;
  RoleFlags& operator=(const RoleFlags&) = delete;

  /// File, environment and the flags given. After parsing. \returns as Settings::load()
  Result<config::Settings> load() const;
  /// The flags given for keys of one section, as words for another program's command line.
  std::vector<std::string> words_of(std::string_view section) const;
  /// `--config`, else DOORBUSTER_CONFIG; may be empty.
  std::string config_file() const;

 private:
  std::string config_file_;
  std::map<std::string, std::string, std::less<>> given_;
};

}  // namespace doorbuster
