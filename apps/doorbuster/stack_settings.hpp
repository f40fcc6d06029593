#pragma once
// The full stack's settings as the options of its adapters.

#include "adapters/kafka/kafka_options.hpp"
#include "adapters/mariadb/server_options.hpp"
#include "adapters/redis/options.hpp"
#include "config/settings.hpp"

namespace doorbuster {

/// \returns invalid (the file of the password cannot be read)
Result<mariadb::ServerOptions> database_options(const config::Settings& settings);
Result<redis::Options> redis_options(const config::Settings& settings);

}  // namespace doorbuster
