#include "base/log.hpp"

#include <spdlog/sinks/stdout_sinks.h>
#include <unistd.h>

#include <memory>

namespace doorbuster {

spdlog::logger& log() {
  // Kept for ever: threads may still write while statics are destroyed.
  static spdlog::logger* const logger = [] {
    auto* made = new spdlog::logger("doorbuster", std::make_shared<spdlog::sinks::stderr_sink_mt>());
    made->set_pattern("%Y-%m-%dT%H:%M:%S.%fZ %l [%P] %v", spdlog::pattern_time_type::utc);
    made->flush_on(spdlog::level::trace);
    return made;
  }();
  return *logger;
}

Result<void> set_log_level(std::string_view level) {
  const auto parsed = spdlog::level::from_str(std::string(level));
  if (parsed == spdlog::level::off && level != "off") {
    return make_error(ErrorCode::invalid, "the log level is one of trace, debug, info, warn, error, off",
                      "log_level");
  }
  log().set_level(parsed);
  return {};
}

}  // namespace doorbuster
