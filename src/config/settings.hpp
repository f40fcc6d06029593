#pragma once
// The values of all keys, from where they were given: flag > environment > file > default.

#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "base/clock.hpp"
#include "base/error.hpp"
#include "config/property.hpp"

namespace doorbuster::config {

/// One entry of a list: its members as text, in the order of the file.
using Record = std::vector<std::pair<std::string, std::string>>;

struct Sources {
  std::string file;  ///< YAML; empty: none
  std::vector<std::pair<std::string, std::string>>
      environment;                                        ///< name, value; what is not ours is passed over
  std::map<std::string, std::string, std::less<>> flags;  ///< key -> value as typed
};

/// The environment of this process, for Sources.
std::vector<std::pair<std::string, std::string>> process_environment();

/// Immutable after load(): any thread may read it. Asking for a key that is not in the table, or by another
/// kind than its own, is a defect and ends the program.
class Settings {
 public:
  /// \returns invalid, with one line that begins with the place: `doorbuster.yaml:7`, `DOORBUSTER_API_PORT`
  /// or
  /// `--port`; unavailable when the file cannot be read
  static Result<Settings> load(std::span<const Property> table, const Sources& sources);

  const std::string& text(std::string_view key) const;  ///< text and path
  std::int64_t integer(std::string_view key) const;     ///< integer and size
  bool boolean(std::string_view key) const;
  Duration duration(std::string_view key) const;
  const std::vector<Record>& records(std::string_view key) const;
  /// Where the value was given; empty for a default.
  const std::string& origin(std::string_view key) const;

 private:
  using Value = std::variant<std::string, std::int64_t, bool, Duration, std::vector<Record>>;
  struct Entry {
    Value value;
    std::string origin;
  };
  friend class Loader;

  const Entry& entry(std::string_view key) const;

  std::map<std::string, Entry, std::less<>> entries_;
};

}  // namespace doorbuster::config
