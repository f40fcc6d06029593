#pragma once
// The table of what can be configured: one row a key, from which flags, environment variables, the shipped
// doorbuster.yaml and all error messages follow.

#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <string_view>

namespace doorbuster::config {

enum class Kind : std::uint8_t {
  text,
  integer,   ///< within `least` and `most`
  boolean,   ///< true, false
  duration,  ///< 250ms, 5s, 2m, 1h; `least` and `most` in microseconds
  path,      ///< not empty
  size,      ///< bytes: 4096, 64KiB, 16MiB, 2GiB; `least` and `most` in bytes
  tokens,    ///< a list of {token, role, sub}
};

inline constexpr std::int64_t kUnbounded = std::numeric_limits<std::int64_t>::max();

struct Property {
  std::string_view key;  ///< path in the file: `api.port`; also DOORBUSTER_API_PORT
  Kind kind;
  std::string_view fallback;  ///< the default, as it is written in the file
  std::string_view help;      ///< one line
  std::int64_t least = 0;
  std::int64_t most = kUnbounded;
};

/// Every key of the program, by section, in the order of doorbuster.yaml.
std::span<const Property> properties();

/// `api` of `api.port`; empty for a key of the top level.
std::string_view section_of(const Property& property);
/// `--io-threads` for `api.io_threads`: sections share no role, so the last part is enough.
std::string flag_of(const Property& property);
/// `DOORBUSTER_API_IO_THREADS`
std::string environment_name_of(const Property& property);
/// What a value may be: "an integer from 1 to 65535".
std::string wanted(const Property& property);

}  // namespace doorbuster::config
