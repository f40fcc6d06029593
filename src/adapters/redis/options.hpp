#pragma once
// Where Redis is, and how long anybody waits for it.

#include <cstdint>
#include <string>

#include "base/clock.hpp"

namespace doorbuster::redis {

struct Options {
  std::string host = "127.0.0.1";
  std::uint16_t port = 6379;
  std::string user;  ///< empty: the default user
  std::string password;
  int database = 0;
  std::string client_name = "doorbuster";  ///< shown by CLIENT LIST
  Duration connect_timeout = std::chrono::seconds(2);
  Duration command_timeout = std::chrono::seconds(2);  ///< of a command, from the moment at which it is sent
  Duration first_pause = std::chrono::milliseconds(20);  ///< before the second try to connect; doubles
  Duration longest_pause = std::chrono::seconds(1);
  std::size_t most_in_flight = 20'000;            ///< commands without a reply; further ones: overloaded
  std::size_t most_unsent_bytes = 64 << 20;       ///< the same for what the socket does not take
  bool wants_durability = true;                   ///< persistence on and eviction off, else nothing is done
  Duration hold_lasts = std::chrono::seconds(5);  ///< a hold that is older may be taken over
};

}  // namespace doorbuster::redis
