#include "config/property.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>

namespace doorbuster::config {
namespace {

constexpr std::int64_t kSecond = 1'000'000;  // microseconds, the unit of a duration's bounds
constexpr std::int64_t kMiB = 1 << 20;

constexpr std::array kProperties = {
    Property{"log_level", Kind::text, "info",
             "least weight of what is logged: trace, debug, info, warn, error, off"},

    Property{"up.stack", Kind::text, "embedded", "which parts: embedded (all in one process, SQLite files)"},
    Property{"up.bind", Kind::text, "127.0.0.1", "address to listen on"},
    Property{"up.port", Kind::integer, "8080", "port of the HTTP API", 1, 65535},
    Property{"up.data", Kind::path, "./doorbuster-data", "data folder, made when it is not there"},
    Property{"up.default_campaign", Kind::integer, "1000",
             "limit of a campaign `default`, created when there is none at all; 0: do not", 0, 1'000'000'000},
    Property{"up.restart", Kind::boolean, "true", "start a process again when it dies"},

    Property{"api.bind", Kind::text, "127.0.0.1",
             "address to listen on; other than loopback only with tokens"},
    Property{"api.port", Kind::integer, "8081", "port of the HTTP API; 0: any free one", 0, 65535},
    Property{"api.data", Kind::path, "./doorbuster-data", "data folder, made when it is not there"},
    Property{"api.default_campaign", Kind::integer, "0",
             "limit of a campaign `default`, created when there is none at all; 0: do not", 0, 1'000'000'000},
    Property{"api.tokens", Kind::tokens, "[]",
             "who may what: list of {token, role: user|merchant|admin, sub: id of a user}; none: everybody "
             "may all"},
    Property{"api.instance", Kind::text, "",
             "name of this process in the log; empty: host name and process id"},
    Property{"api.io_threads", Kind::integer, "1", "threads that serve connections", 1, 64},
    Property{"api.lookup_threads", Kind::integer, "2", "threads that ask the repository", 1, 64},
    Property{"api.most_lookups_waiting", Kind::integer, "1024", "look-ups that may wait; further ones: 503",
             1, 1'000'000},
    Property{"api.most_connections", Kind::integer, "20000",
             "connections of one io thread; further ones: 503", 1, 1'000'000},
    Property{"api.most_in_flight", Kind::integer, "65536",
             "issue requests of one io thread without an answer; further ones: 503", 1, 10'000'000},
    Property{"api.patience", Kind::duration, "1s", "longest wait for a coupon that is being made safe", 0,
             60 * kSecond},
    Property{"api.relay_after", Kind::duration, "250ms",
             "an event that is not safe after this is written again", kSecond / 100, 60 * kSecond},
    Property{"api.request_timeout", Kind::duration, "10s", "from a request's first byte to its last",
             kSecond / 10, 3600 * kSecond},
    Property{"api.idle_timeout", Kind::duration, "75s", "of a connection without a request", kSecond / 10,
             3600 * kSecond},
    Property{"api.write_timeout", Kind::duration, "30s", "of a client that does not take its replies",
             kSecond / 10, 3600 * kSecond},
    Property{"api.drain_timeout", Kind::duration, "8s", "longest wait for requests in the air when stopping",
             0, 9 * kSecond},

    Property{"event_log.gather", Kind::duration, "200us",
             "after a commit, wait so long for the next requests of those just answered; 0s: never", 0,
             kSecond / 10},
    Property{"event_log.checkpoint_size", Kind::size, "16MiB", "write-ahead log at which a checkpoint starts",
             kMiB, 4096 * kMiB},
    Property{"event_log.most_queued", Kind::integer, "65536",
             "events waiting for the disk; further ones: 503", 1, 10'000'000},
};

}  // namespace

std::span<const Property> properties() {
  return kProperties;
}

std::string_view section_of(const Property& property) {
  const auto dot = property.key.find('.');
  return dot == std::string_view::npos ? std::string_view() : property.key.substr(0, dot);
}

std::string flag_of(const Property& property) {
  std::string name(property.key.substr(property.key.rfind('.') + 1));  // npos + 1 is 0
  std::replace(name.begin(), name.end(), '_', '-');
  return "--" + name;
}

std::string environment_name_of(const Property& property) {
  std::string name = "DOORBUSTER_" + std::string(property.key);
  for (char& c : name) c = c == '.' ? '_' : static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return name;
}

std::string wanted(const Property& property) {
  switch (property.kind) {
    case Kind::text:
      return "a text";
    case Kind::path:
      return "a path";
    case Kind::boolean:
      return "true or false";
    case Kind::integer:
      return fmt::format("an integer from {} to {}", property.least, property.most);
    case Kind::duration:
      return fmt::format("a duration from {}ms to {}s, such as 250ms or 5s",
                         static_cast<double>(property.least) / 1e3, static_cast<double>(property.most) / 1e6);
    case Kind::size:
      return fmt::format("a size from {} to {} bytes, such as 64KiB or 16MiB", property.least, property.most);
    case Kind::tokens:
      return "a list of {token, role, sub}";
  }
  return {};
}

}  // namespace doorbuster::config
