// The table of settings. `doorbuster.yaml` shows the same keys with the same defaults; a test compares them.

#include <algorithm>
#include <array>

#include "config/settings.hpp"

namespace doorbuster::config {
namespace {

constexpr std::array kApi = {
    Property{"api.bind", "--bind", Type::text, "127.0.0.1", 0, 0,
             "IP address to listen on; others than loopback need tokens"},
    Property{"api.port", "--port", Type::integer, "8081", 0, 65535,
             "TCP port; 0 takes any free one and prints it"},
    Property{"api.stack", "--stack", Type::text, "embedded", 0, 0,
             "embedded (memory and files), or full (Redis, Kafka, MariaDB)"},
    Property{"api.data", "--data", Type::text, "./doorbuster-data", 0, 0,
             "embedded: folder of log.db and repo.db"},
    Property{"api.auto_recover", "--auto-recover", Type::boolean, "true", 0, 0,
             "full: recover by itself a campaign whose ledger was lost or set back"},
    Property{"api.strategy", "--strategy", Type::text, "atomic", 0, 0,
             "how campaigns decide that are created without a strategy"},
    Property{"api.lock_scope", "--lock-scope", Type::text, "user", 0, 0,
             "full, strategies lock and fair-lock: a lock for each user, or one for the campaign"},
    Property{"api.latch_bytes", "--latch-bytes", Type::integer, "67108864", 0, 1'000'000'000'000,
             "full: memory of each thread for filters of holders, to say 'sold out' without asking Redis"},
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
    Property{"api.unload_ended_after", "--unload-ended-after", Type::duration, "1h", 0, 0,
             "embedded: so long after a campaign was ended, its holders leave the memory; 0s: never"},
    Property{"log.level", "--log-level", Type::text, "info", 0, 0, "trace, debug, info, warn, error or off"},
};

constexpr std::array kRegistry = {
    Property{"registry.bind", "--bind", Type::text, "127.0.0.1", 0, 0,
             "IP address to listen on; there is no authentication yet"},
    Property{"registry.port", "--port", Type::integer, "8761", 0, 65535,
             "TCP port; 0 takes any free one and prints it"},
    Property{"registry.enable_self_preservation", "--enable-self-preservation", Type::boolean, "true", 0, 0,
             "keep expired instances while many fall silent together"},
    Property{"registry.renewal_percent_threshold", "--renewal-percent-threshold", Type::integer, "85", 1, 100,
             "self-preservation begins under this share of the heartbeats that are due"},
    Property{"registry.self_preservation_from", "--self-preservation-from", Type::integer, "10", 0, 1'000'000,
             "with fewer instances there is no self-preservation"},
    Property{"registry.double_lease_duration", "--double-lease-duration", Type::boolean, "false", 0, 0,
             "expire after two lease durations, as Netflix's server does"},
    Property{"registry.eviction_interval", "--eviction-interval", Type::duration, "1s", 0, 0,
             "between two looks for expired leases"},
    Property{"registry.delta_retention", "--delta-retention", Type::duration, "180s", 0, 0,
             "how long a change is told in the delta"},
    Property{"registry.wait_time_when_empty", "--wait-time-when-empty", Type::duration, "0s", 0, 0,
             "after the start, answer lists with 403 for so long: clients keep what they have"},
    Property{"registry.most_instances", "--most-instances", Type::integer, "100000", 1, 10'000'000,
             "further registrations get 503"},
    Property{"registry.most_listeners", "--most-listeners", Type::integer, "1000", 0, 1'000'000,
             "streams of /v1/registry/events; further ones get 503"},
    Property{"registry.most_body_bytes", "--most-body-bytes", Type::integer, "65536", 1024, 16'777'216,
             "of a registration, unpacked"},
    Property{"registry.most_connections", "--most-connections", Type::integer, "20000", 1, 1'000'000,
             "connections at once; further ones get 503"},
    Property{"registry.request_timeout", "--request-timeout", Type::duration, "10s", 0, 0,
             "from the first byte of a request to its last"},
    Property{"registry.idle_timeout", "--idle-timeout", Type::duration, "75s", 0, 0, "between two requests"},
    Property{"registry.write_timeout", "--write-timeout", Type::duration, "30s", 0, 0,
             "a client that takes nothing of its replies for so long is cut off"},
    Property{"log.level", "--log-level", Type::text, "info", 0, 0, "trace, debug, info, warn, error or off"},
};

constexpr std::array kUp = {
    Property{"up.bind", "--bind", Type::text, "127.0.0.1", 0, 0,
             "IP address to listen on for the crowd; others than loopback need tokens"},
    Property{"up.port", "--port", Type::integer, "8080", 1, 65535, "TCP port for the crowd"},
    Property{"up.data", "--data", Type::text, "./doorbuster-data", 0, 0, "folder of log.db and repo.db"},
    Property{"up.stack", "--stack", Type::text, "embedded", 0, 0,
             "embedded: one api with everything in it; full: over Redis, Kafka and MariaDB"},
    Property{"up.instances", "--instances", Type::integer, "1", 1, 64,
             "api processes; several only with --stack full"},
    Property{"up.gateway", "--gateway", Type::boolean, "true", 0, 0, "a gateway in front"},
    Property{"up.registry", "--with-registry", Type::boolean, "true", 0, 0,
             "a registry of its own; without, the gateway is told the addresses"},
    Property{"up.registry_port", "--registry-port", Type::integer, "8761", 0, 65535,
             "TCP port of the registry; 0: any free one"},
    Property{"up.api_port", "--api-port", Type::integer, "8081", 0, 65535,
             "TCP port of the first api, the others follow; 0: any free ones"},
    Property{"up.worker_port", "--worker-port", Type::integer, "9091", 0, 65535,
             "TCP port of the worker; 0: any free one"},
    Property{"log.level", "--log-level", Type::text, "info", 0, 0, "trace, debug, info, warn, error or off"},
};

constexpr std::array kGateway = {
    Property{"gateway.bind", "--bind", Type::text, "127.0.0.1", 0, 0, "IP address to listen on"},
    Property{"gateway.port", "--port", Type::integer, "8080", 0, 65535,
             "TCP port; 0 takes any free one and prints it"},
    Property{"gateway.allow_public", "--allow-public", Type::boolean, "false", 0, 0,
             "listen on others than loopback: the instances must check tokens themselves"},
    Property{"gateway.io_threads", "--io-threads", Type::integer, "1", 1, 64, "threads for connections"},
    Property{"gateway.upstream", "--upstream", Type::optional_text, "", 0, 0,
             "fixed addresses in place of the service 'coupon-api': http://127.0.0.1:8081,..."},
    Property{"gateway.upstream_pipelining", "--upstream-pipelining", Type::integer, "256", 0, 4096,
             "requests that a connection to --upstream takes at once; 0: they are not api instances of ours"},
    Property{"gateway.lookup", "--lookup", Type::text, "local", 0, 0,
             "how instances are found for a request: local, registry or redis"},
    Property{"gateway.balance", "--balance", Type::text, "two_choices", 0, 0,
             "two_choices, least_outstanding or round_robin"},
    Property{"gateway.most_connections", "--most-connections", Type::integer, "20000", 1, 1'000'000,
             "clients at once on each thread; further ones get 503"},
    Property{"gateway.most_in_flight", "--most-in-flight", Type::integer, "32768", 1, 10'000'000,
             "requests without a reply on each thread; further ones get 503"},
    Property{"gateway.most_waiting", "--most-waiting", Type::integer, "16384", 0, 10'000'000,
             "requests that wait for a connection to an instance; further ones get 503"},
    Property{"gateway.most_header_bytes", "--most-header-bytes", Type::integer, "16384", 256, 1'048'576,
             "of a request's line and header; then 431"},
    Property{"gateway.most_body_bytes", "--most-body-bytes", Type::integer, "67108864", 0, 1'000'000'000'000,
             "of a request's body; then 413"},
    Property{"gateway.header_timeout", "--header-timeout", Type::duration, "10s", 0, 0,
             "from a request's first byte to its last; between two reads of a long body"},
    Property{"gateway.idle_timeout", "--idle-timeout", Type::duration, "75s", 0, 0,
             "a client's, between two requests"},
    Property{"gateway.write_timeout", "--write-timeout", Type::duration, "30s", 0, 0,
             "a client that takes nothing of its replies for so long is cut off"},
    Property{"gateway.request_timeout", "--request-timeout", Type::duration, "15s", 0, 0,
             "until an instance's reply begins, retries included; then 504"},
    Property{"gateway.connect_timeout", "--connect-timeout", Type::duration, "1s", 0, 0, "to an instance"},
    Property{"gateway.upstream_idle", "--upstream-idle", Type::duration, "4s", 0, 0,
             "an exclusive connection to an instance is kept so long without a request"},
    Property{"gateway.pipelined_connections", "--pipelined-connections", Type::integer, "4", 1, 256,
             "shared connections to an instance, before any is full or stalls"},
    Property{"gateway.upstream_connections", "--upstream-connections", Type::integer, "512", 1, 65535,
             "most connections to an instance, of each kind, on each thread"},
    Property{"gateway.retries", "--retries", Type::integer, "3", 0, 10, "of one request"},
    Property{"gateway.retry_percent", "--retry-percent", Type::integer, "20", 0, 100,
             "retries behind the first, as a share of a service's requests"},
    Property{"gateway.check_path", "--check-path", Type::optional_text, "/healthz", 0, 0,
             "asked of each instance; below 500 is well; empty: only those that are out are asked, by '/'"},
    Property{"gateway.check_every", "--check-every", Type::duration, "1s", 0, 0,
             "between two checks of an instance that is well; four times as often when it is out"},
    Property{"gateway.eject_after", "--eject-after", Type::integer, "5", 0, 1000,
             "failures in a row that put an instance out for a while; 0: never"},
    Property{"gateway.panic_percent", "--panic-percent", Type::integer, "50", 0, 100,
             "with fewer healthy instances all are used, except refused and deregistered ones"},
    Property{"gateway.access_log_every", "--access-log-every", Type::integer, "0", 0, 1'000'000'000,
             "one line in the log for so many requests; 0: none"},
    Property{"gateway.cors_origins", "--cors-origins", Type::optional_text, "", 0, 0,
             "origins whose pages may call, with commas; '*': all; empty: none"},
    Property{"gateway.trusted_proxies", "--trusted-proxies", Type::optional_text, "", 0, 0,
             "address ranges whose X-Forwarded fields are believed: 10.0.0.0/8, ..."},
    Property{"log.level", "--log-level", Type::text, "info", 0, 0, "trace, debug, info, warn, error or off"},
};

constexpr std::array kWorker = {
    Property{"worker.bind", "--bind", Type::text, "127.0.0.1", 0, 0,
             "IP address to listen on for /healthz, /readyz and /metrics"},
    Property{"worker.port", "--port", Type::integer, "9091", 0, 65535,
             "TCP port; 0 takes any free one and prints it"},
    Property{"worker.batch", "--batch", Type::integer, "10000", 1, 1'000'000,
             "most records in one transaction of the database"},
    Property{"log.level", "--log-level", Type::text, "info", 0, 0, "trace, debug, info, warn, error or off"},
};

constexpr std::array kRecover = {
    Property{"log.level", "--log-level", Type::text, "info", 0, 0, "trace, debug, info, warn, error or off"},
};

/// Where the parts of the full stack are. `make stack` writes these keys to build/stack/stack.yaml.
constexpr std::array kRedis = {
    Property{"redis.host", "--redis-host", Type::text, "127.0.0.1", 0, 0, "name or address of Redis"},
    Property{"redis.port", "--redis-port", Type::integer, "6379", 1, 65535, "port of Redis"},
    Property{"redis.password", "", Type::secret, "", 0, 0, "for AUTH; empty: none"},
    Property{"redis.password_file", "--redis-password-file", Type::optional_text, "", 0, 0,
             "file whose first line is the password of Redis"},
    // Below the least even a fork for the rewriting of the append-only file would end the connection; the
    // most is a third of a lock's lease, after which its renewal would come too late.
    Property{"redis.command_timeout", "--redis-command-timeout", Type::duration, "2s", 10, 10'000,
             "a command that is not answered after so long has an unknown outcome, and its connection ends"},
};

constexpr std::array kKafka = {
    Property{"kafka.brokers", "--kafka-brokers", Type::text, "127.0.0.1:9092", 0, 0,
             "host:port of some brokers, with commas between"},
    Property{"kafka.topic", "--kafka-topic", Type::text, "coupon-issued", 0, 0, "topic of the events"},
    Property{"kafka.dead_letter_topic", "--kafka-dead-letter-topic", Type::text, "coupon-issued-dead", 0, 0,
             "topic of the events that could not be stored"},
    Property{"kafka.group", "--kafka-group", Type::text, "doorbuster-worker", 0, 0,
             "consumer group of the workers"},
    Property{"kafka.partitions", "--kafka-partitions", Type::integer, "4", 1, 1000,
             "partitions of the topic when it is made; never changed afterwards"},
    Property{"kafka.replication", "--kafka-replication", Type::integer, "1", 1, 100,
             "copies of each partition; a topic with fewer is refused"},
    Property{"kafka.min_insync_replicas", "--kafka-min-insync-replicas", Type::integer, "1", 1, 100,
             "copies that must have an event before it counts as safe; a topic with fewer is refused"},
    Property{"kafka.delivery_timeout", "--kafka-delivery-timeout", Type::duration, "5s", 0, 0,
             "an event that is not acknowledged after so long has an unknown outcome"},
    Property{"kafka.stall", "--kafka-stall", Type::duration, "1s", 0, 0,
             "when the oldest event waits so long for its acknowledgement, new requests get 503"},
};

constexpr std::array kDatabase = {
    Property{"database.host", "--database-host", Type::text, "127.0.0.1", 0, 0, "name or address of MariaDB"},
    Property{"database.port", "--database-port", Type::integer, "3306", 1, 65535, "port of MariaDB"},
    Property{"database.user", "--database-user", Type::text, "doorbuster", 0, 0, "user of MariaDB"},
    Property{"database.password", "", Type::secret, "", 0, 0, "its password; empty: none"},
    Property{"database.password_file", "--database-password-file", Type::optional_text, "", 0, 0,
             "file whose first line is the password of MariaDB"},
    Property{"database.name", "--database-name", Type::text, "doorbuster", 0, 0, "database with the tables"},
};

/// How a role makes itself known to registries and learns who is there.
constexpr std::array kEureka = {
    Property{"registry.urls", "--registry", Type::optional_text, "", 0, 0,
             "Eureka registries, with commas between, such as http://127.0.0.1:8761/eureka/; empty: none"},
    Property{"eureka.instance_id", "--instance-id", Type::optional_text, "", 0, 0,
             "unique within its service; empty: host:service:port"},
    Property{"eureka.host", "--advertise-host", Type::optional_text, "", 0, 0,
             "name or address that others reach this process by; empty: the one towards the registry"},
    Property{"eureka.zone", "--zone", Type::text, "default", 0, 0, "where it runs; told as metadata"},
    Property{"eureka.renew_interval", "--renew-interval", Type::duration, "5s", 0, 0,
             "between two heartbeats"},
    Property{"eureka.lease", "--lease", Type::duration, "15s", 0, 0,
             "without a heartbeat for so long, the registry drops it"},
    Property{"eureka.poll_interval", "--poll-interval", Type::duration, "30s", 0, 0,
             "between two fetches; from our own registry, changes come at once in any case"},
    Property{"eureka.leave_wait", "--leave-wait", Type::duration, "200ms", 0, 0,
             "between leaving the registry and closing the port: gateways stop sending meanwhile"},
};

template <std::size_t A, std::size_t B>
constexpr std::array<Property, A + B> joined(const std::array<Property, A>& first,
                                             const std::array<Property, B>& second) {
  std::array<Property, A + B> all{};
  std::copy(first.begin(), first.end(), all.begin());
  std::copy(second.begin(), second.end(), all.begin() + A);
  return all;
}

constexpr auto kStack = joined(joined(kRedis, kKafka), kDatabase);
constexpr auto kApiAll = joined(joined(kApi, kEureka), kStack);
constexpr auto kGatewayAll = joined(joined(kGateway, kEureka), kRedis);
constexpr auto kWorkerAll = joined(joined(kWorker, kEureka), kStack);
constexpr auto kRecoverAll = joined(kRecover, kStack);

constexpr std::array<std::string_view, 7> kRoles = {"api",     "up",    "gateway", "worker",
                                                    "recover", "audit", "registry"};

constexpr std::array<std::string_view, 8> kOtherVariables = {
    "DOORBUSTER_TOKEN",         // commands that speak to an api: whoever they are
    "DOORBUSTER_PACKAGES",      // tools/install_packages
    "DOORBUSTER_SERVERS",       // tools/servers
    "DOORBUSTER_EUREKA_CACHE",  // tests/eureka
    "DOORBUSTER_BINARY",        // tests that drive the program
    "DOORBUSTER_LOST_WRITES",   // tests/fault: the shim
    "DOORBUSTER_LOSE_DIR",      // the shim: of which folder it forgets what was not synced
    "DOORBUSTER_IGNORE_FSYNC",  // the shim: an fsync that does nothing
};

}  // namespace

std::span<const std::string_view> roles() {
  return kRoles;
}

std::span<const std::string_view> other_variables() {
  return kOtherVariables;
}

std::span<const Property> properties_of(std::string_view role) {
  if (role == "api") return kApiAll;
  if (role == "gateway") return kGatewayAll;
  if (role == "up") return kUp;
  if (role == "registry") return kRegistry;
  if (role == "worker") return kWorkerAll;
  if (role == "recover") return kRecoverAll;
  if (role == "audit") return kStack;
  return {};
}

}  // namespace doorbuster::config
