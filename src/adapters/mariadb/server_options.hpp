#pragma once
// Where the database is, and how long it may take.

#include <cstdint>
#include <string>

#include "base/clock.hpp"

namespace doorbuster::mariadb {

/// Each field is a key of the configuration, `database.host` and so on; errors name the key that is at fault.
struct ServerOptions {
  std::string host = "127.0.0.1";
  std::uint16_t port = 3306;
  std::string user = "doorbuster";
  std::string password;
  std::string name = "doorbuster";
  Duration connect_timeout = std::chrono::seconds(5);
  /// A server that sends or takes nothing for so long is given up. Whole seconds, at least one.
  Duration answer_timeout = std::chrono::seconds(10);
  /// A statement waits so long for another's lock. Whole seconds, at least one.
  Duration lock_timeout = std::chrono::seconds(5);
};

}  // namespace doorbuster::mariadb
