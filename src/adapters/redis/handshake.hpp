#pragma once
// What is said first on every connection, and what Redis must be to be trusted with coupons. Without I/O: the
// connections, blocking and not, send the commands and hand the replies over.

#include <string>
#include <vector>

#include "adapters/redis/command.hpp"
#include "adapters/redis/options.hpp"
#include "adapters/redis/reply.hpp"

namespace doorbuster::redis {

/// How much of what Redis has answered survives a crash of its operating system.
enum class Persistence : std::uint8_t { none, everysec, always, unknown };
std::string_view to_text(Persistence persistence);

struct ServerFacts {
  std::string run_id;  ///< another one after every start of the server
  std::string version;
  bool loading = false;
  bool master = true;
  bool appendonly = false;
  Persistence persistence = Persistence::unknown;  ///< `unknown` when CONFIG is forbidden
  std::string eviction;                            ///< maxmemory-policy
};

/// AUTH, SELECT, CLIENT SETNAME as the options want, then INFO and CONFIG GET. SCRIPT LOADs may follow.
std::vector<Command> handshake_commands(const Options& options);
/// INFO and CONFIG GET alone, to look again later.
std::vector<Command> look_again_commands();

/// Reads the replies to handshake_commands() or look_again_commands(), in their order. \returns what refuses
Result<ServerFacts> facts_of(const std::vector<Reply>& replies);

/// Whether decisions may be entrusted to this server. \returns unavailable (still loading), unsupported (a
/// replica, persistence off, eviction on), naming the key of the configuration
Result<void> check(const ServerFacts& facts, const Options& options);

}  // namespace doorbuster::redis
