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
/// `api.lock_scope`: whether a lock of the strategies that have one is the campaign's, and not each user's.
/// \returns invalid (it is none of the two)
Result<bool> locks_campaign(const config::Settings& settings);

}  // namespace doorbuster
