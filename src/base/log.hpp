#pragma once
// The program's log: one line an event on stderr. `doorbuster::log().warn("disk full: {}", path)`.

#include <spdlog/logger.h>

#include <string_view>

#include "base/error.hpp"

namespace doorbuster {

/// The one logger; thread-safe. Level `info` until set_log_level().
spdlog::logger& log();
/// `trace`, `debug`, `info`, `warn`, `error`, `off`. \returns invalid
Result<void> set_log_level(std::string_view level);

}  // namespace doorbuster
