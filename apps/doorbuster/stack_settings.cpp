#include "apps/doorbuster/stack_settings.hpp"

namespace doorbuster {

Result<mariadb::ServerOptions> database_options(const config::Settings& settings) {
  auto password = settings.secret("database.password");
  if (!password) return password.error();
  mariadb::ServerOptions options;
  options.host = settings.text("database.host");
  options.port = static_cast<std::uint16_t>(settings.integer("database.port"));
  options.user = settings.text("database.user");
  options.password = std::move(*password);
  options.name = settings.text("database.name");
  return options;
}

Result<redis::Options> redis_options(const config::Settings& settings) {
  auto password = settings.secret("redis.password");
  if (!password) return password.error();
  redis::Options options;
  options.host = settings.text("redis.host");
  options.port = static_cast<std::uint16_t>(settings.integer("redis.port"));
  options.password = std::move(*password);
  options.command_timeout = settings.duration("redis.command_timeout");
  return options;
}

Result<bool> locks_campaign(const config::Settings& settings) {
  const auto& scope = settings.text("api.lock_scope");
  if (scope == "campaign") return true;
  if (scope == "user") return false;
  return make_error(ErrorCode::invalid,
                    "api.lock_scope: '" + scope + "' is no scope; user and campaign are the two",
                    "api.lock_scope");
}

}  // namespace doorbuster
