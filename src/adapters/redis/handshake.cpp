#include "adapters/redis/handshake.hpp"

#include <algorithm>

namespace doorbuster::redis {
namespace {

/// The value of `name` in the text of INFO, which has a line `name:value` for each.
std::string_view field_of(std::string_view info, std::string_view name) {
  std::size_t at = 0;
  while (at < info.size()) {
    const auto end = std::min(info.find("\r\n", at), info.size());
    const auto line = info.substr(at, end - at);
    if (line.size() > name.size() && line[name.size()] == ':' && line.substr(0, name.size()) == name) {
      return line.substr(name.size() + 1);
    }
    at = end + 2;
  }
  return {};
}

std::string where(const Options& options) {
  return "Redis at " + options.host + ":" + std::to_string(options.port);
}

}  // namespace

std::string_view to_text(Persistence persistence) {
  switch (persistence) {
    case Persistence::none:
      return "none";
    case Persistence::everysec:
      return "everysec";
    case Persistence::always:
      return "always";
    case Persistence::unknown:
      break;
  }
  return "unknown";
}

std::vector<Command> handshake_commands(const Options& options) {
  std::vector<Command> commands;
  if (!options.password.empty() && !options.user.empty()) {
    commands.push_back({"AUTH", options.user, options.password});
  } else if (!options.password.empty()) {
    commands.push_back({"AUTH", options.password});
  }
  if (options.database != 0) commands.push_back({"SELECT", std::to_string(options.database)});
  commands.push_back({"CLIENT", "SETNAME", options.client_name});
  for (auto& command : look_again_commands()) commands.push_back(std::move(command));
  return commands;
}

std::vector<Command> look_again_commands() {
  std::vector<Command> commands;
  commands.push_back({"INFO"});
  commands.push_back({"CONFIG", "GET", "appendfsync"});
  return commands;
}

Result<ServerFacts> facts_of(const std::vector<Reply>& replies) {
  DOORBUSTER_ASSERT(replies.size() >= 2);
  const auto& fsync = replies.back();  // CONFIG may be forbidden: the only refusal that is tolerated
  for (std::size_t i = 0; i + 1 < replies.size(); ++i) {
    if (replies[i].is_error()) return error_of(replies[i]);
  }
  const auto info = replies[replies.size() - 2].text();
  ServerFacts facts;
  facts.run_id = field_of(info, "run_id");
  facts.version = field_of(info, "redis_version");
  facts.loading = field_of(info, "loading") == "1";
  facts.master = field_of(info, "role") != "slave";
  facts.appendonly = field_of(info, "aof_enabled") == "1";
  facts.eviction = field_of(info, "maxmemory_policy");
  if (facts.run_id.empty()) {
    return make_error(ErrorCode::unsupported, "INFO does not tell run_id: this is no Redis", "redis.host");
  }
  if (!facts.appendonly) {
    facts.persistence = Persistence::none;
  } else if (fsync.size() == 2) {
    const auto value = fsync[1].text();
    facts.persistence = value == "always"     ? Persistence::always
                        : value == "everysec" ? Persistence::everysec
                                              : Persistence::none;
  }
  return facts;
}

Result<void> check(const ServerFacts& facts, const Options& options) {
  if (facts.loading) {
    return make_error(ErrorCode::unavailable, where(options) + " is still reading its append-only file");
  }
  if (!options.wants_durability) return {};
  const auto refused = [&options](const std::string& what) {
    return make_error(ErrorCode::unsupported, where(options) + " (redis.host) " + what, "redis.host");
  };
  if (!facts.master) return refused("is a replica: the ledger needs the master");
  if (!facts.appendonly) {
    return refused("keeps nothing on disk: coupons need `appendonly yes` in its redis.conf");
  }
  if (facts.persistence == Persistence::none) {
    return refused("leaves its file to chance: coupons need `appendfsync everysec` or `always`");
  }
  if (facts.eviction != "noeviction") {
    return refused("may evict what it was told (maxmemory-policy " + facts.eviction +
                   "): coupons need `maxmemory-policy noeviction` in its redis.conf");
  }
  return {};
}

}  // namespace doorbuster::redis
