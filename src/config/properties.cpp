// The table of settings. `doorbuster.yaml` shows the same keys with the same defaults; a test compares them.

#include <array>

#include "config/settings.hpp"

namespace doorbuster::config {
namespace {

constexpr std::array kApi = {
    Property{"api.bind", "--bind", Type::text, "127.0.0.1", 0, 0,
             "IP address to listen on; others than loopback need tokens"},
    Property{"api.port", "--port", Type::integer, "8081", 0, 65535,
             "TCP port; 0 takes any free one and prints it"},
    Property{"api.data", "--data", Type::text, "./doorbuster-data", 0, 0, "folder of log.db and repo.db"},
    Property{"api.io_threads", "--io-threads", Type::integer, "1", 1, 64,
             "threads for connections; the first one decides"},
    Property{"api.default_campaign", "--default-campaign", Type::integer, "0", 0, 1'000'000'000,
             "when there is no campaign, make one named 'default' with so many coupons; 0: do not"},
    Property{"api.most_connections", "--most-connections", Type::integer, "20000", 1, 1'000'000,
             "connections at once on each thread; further ones get 503"},
    Property{"api.most_in_flight", "--most-in-flight", Type::integer, "65536", 1, 10'000'000,
             "issue requests without an answer on each thread; further ones get 503"},
    Property{"api.request_timeout", "--request-timeout", Type::duration, "10s", 0, 0,
             "from the first byte of a request to its last"},
    Property{"api.idle_timeout", "--idle-timeout", Type::duration, "75s", 0, 0, "between two requests"},
    Property{"api.write_timeout", "--write-timeout", Type::duration, "30s", 0, 0,
             "a client that takes nothing of its replies for so long is cut off"},
    Property{"api.patience", "--patience", Type::duration, "1s", 0, 0,
             "longest wait for a coupon that is decided but not yet safe; then 503"},
    Property{"api.log_queue", "--log-queue", Type::integer, "65536", 1, 10'000'000,
             "events waiting for the event log; when it is full, 503"},
    Property{"api.log_gather", "--log-gather", Type::duration, "200us", 0, 0,
             "after a large commit, wait so long for those just answered; 0us: never"},
    Property{"api.lookup_threads", "--lookup-threads", Type::integer, "2", 1, 64,
             "threads for look-ups, lists and redemptions"},
    Property{"log.level", "--log-level", Type::text, "info", 0, 0, "trace, debug, info, warn, error or off"},
};

constexpr std::array kUp = {
    Property{"up.bind", "--bind", Type::text, "127.0.0.1", 0, 0, "IP address to listen on"},
    Property{"up.port", "--port", Type::integer, "8080", 0, 65535, "TCP port"},
    Property{"up.data", "--data", Type::text, "./doorbuster-data", 0, 0, "folder of log.db and repo.db"},
    Property{"up.stack", "--stack", Type::text, "embedded", 0, 0, "embedded; 'full' is not offered yet"},
    Property{"log.level", "--log-level", Type::text, "info", 0, 0, "trace, debug, info, warn, error or off"},
};

}  // namespace

std::span<const Property> properties_of(std::string_view role) {
  if (role == "api") return kApi;
  if (role == "up") return kUp;
  return {};
}

}  // namespace doorbuster::config
