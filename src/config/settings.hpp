#pragma once
// Settings of a role: flag > environment > file > default. Every key is in one table (properties.cpp), with
// its type, bounds and help; an unknown key or a bad value is one line that says where it stands.

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.hpp"
#include "base/error.hpp"

namespace doorbuster::config {

enum class Type : std::uint8_t {
  text,
  optional_text,  ///< may be empty
  secret,         ///< may be empty; has no flag, since command lines are everybody's to read
  integer,
  duration,
  boolean
};

struct Property {
  std::string_view key;   ///< in the file: `api.port`; in the environment: DOORBUSTER_API_PORT
  std::string_view flag;  ///< `--port`; empty: none
  Type type = Type::text;
  std::string_view standard;  ///< the default, as text
  std::int64_t least = 0;     ///< of an integer, or of a duration in milliseconds
  std::int64_t most = 0;      ///< a duration with 0 has no limits
  std::string_view help;
};

/// Every role that has settings: "api", "up", "worker", ...
std::span<const std::string_view> roles();
/// Every key of a role.
std::span<const Property> properties_of(std::string_view role);

/// Variables `DOORBUSTER_*` that are no settings: those of commands, of our scripts and of our tests. Every
/// other one is an error, because a mistyped setting would otherwise go unnoticed.
std::span<const std::string_view> other_variables();

/// An item of `api.tokens`, which has no flag: secrets do not belong on command lines.
struct TokenEntry {
  std::string token;
  std::string role;
  std::string sub;
  std::string place;  ///< file and line
};

/// An item of `gateway.routes`: its fields as they stand there.
struct RouteItem {
  std::map<std::string, std::string> fields;
  std::string place;  ///< file and line
};

/// Immutable after load().
class Settings {
 public:
  struct Sources {
    std::string file;                                                           ///< empty: none
    std::map<std::string, std::string> flags;                                   ///< by key
    std::function<std::optional<std::string>(const std::string&)> environment;  ///< by variable's name
    std::vector<std::string> variables;                                         ///< names of all that are set
  };
  /// \returns invalid; the detail names file and line, variable or flag
  static Result<Settings> load(std::string_view role, const Sources& sources);

  const std::string& text(std::string_view key) const;
  std::int64_t integer(std::string_view key) const;
  Duration duration(std::string_view key) const;
  bool boolean(std::string_view key) const;
  /// A secret: the value of `key`, or the first line of the file that `key` + "_file" names.
  /// \returns invalid when both are given or the file cannot be read
  Result<std::string> secret(const std::string& key) const;
  const std::vector<TokenEntry>& tokens() const { return tokens_; }
  const std::vector<RouteItem>& routes() const { return routes_; }

 private:
  Result<void> read_file(std::string_view role, const std::string& path);

  std::map<std::string, std::string, std::less<>> values_;
  std::vector<TokenEntry> tokens_;
  std::vector<RouteItem> routes_;
};

/// `api.port` → `DOORBUSTER_API_PORT`.
std::string environment_name(std::string_view key);

}  // namespace doorbuster::config
