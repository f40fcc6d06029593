#include "apps/doorbuster/gateway_command.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <future>
#include <optional>
#include <set>

#include "adapters/eureka/registry_lookup.hpp"
#include "adapters/redis/service_copy.hpp"
#include "apps/doorbuster/error_exit.hpp"
#include "apps/doorbuster/file_limit.hpp"
#include "apps/doorbuster/gateway_shard.hpp"
#include "apps/doorbuster/registry_membership.hpp"
#include "apps/doorbuster/settings_options.hpp"
#include "apps/doorbuster/signals.hpp"
#include "apps/doorbuster/stack_settings.hpp"
#include "base/log.hpp"
#include "base/random.hpp"
#include "proto/http/characters.hpp"

namespace doorbuster {
namespace {

using config::Settings;

// Together with what precedes it, the ten seconds of the contract.
constexpr Duration kDrainPatience = std::chrono::seconds(8);
/// A request that asks the registry first waits so long for it.
constexpr Duration kLookupTimeout = std::chrono::seconds(2);

Error bad(const char* key, std::string detail) {
  return make_error(ErrorCode::invalid, fmt::format("{}: {}", key, detail), key);
}

Result<std::shared_ptr<const gateway::RouteTable>> routes_of(const Settings& settings) {
  std::vector<gateway::RouteEntry> entries;
  for (const auto& item : settings.routes()) {
    const auto field = [&](const char* name) {
      const auto found = item.fields.find(name);
      return found == item.fields.end() ? std::string() : found->second;
    };
    gateway::RouteEntry entry;
    entry.path = field("path");
    entry.path_suffix = field("path_suffix");
    entry.host = field("host");
    entry.methods = field("methods");
    entry.header = field("header");
    entry.strip = field("strip");
    entry.prefix = field("prefix");
    entry.to = field("to");
    entry.idempotent = field("idempotent");
    entry.timeout = field("timeout");
    entry.exclusive = field("exclusive");
    entry.pipelining = field("pipelining");
    entry.place = item.place;
    entries.push_back(std::move(entry));
  }
  if (entries.empty()) {
    entries = gateway::RouteTable::standard();
    if (const auto& fixed = settings.text("gateway.upstream"); !fixed.empty()) {
      for (auto& entry : entries) {
        entry.to = fixed;
        entry.pipelining = settings.text("gateway.upstream_pipelining");
        entry.place = "gateway.upstream";
      }
    }
  }
  auto table = gateway::RouteTable::make(entries);
  if (!table) return table.error();
  return std::make_shared<const gateway::RouteTable>(std::move(*table));
}

Result<balancing::Policy> policy_of(const std::string& name) {
  if (name == "two_choices") return balancing::Policy::two_choices;
  if (name == "least_outstanding") return balancing::Policy::least_outstanding;
  if (name == "round_robin") return balancing::Policy::round_robin;
  return bad("gateway.balance",
             fmt::format("'{}' is none of two_choices, least_outstanding, round_robin", name));
}

Result<GatewayShard::Options> options_of(const Settings& settings) {
  GatewayShard::Options options;
  const auto number = [&](const char* key) { return static_cast<std::size_t>(settings.integer(key)); };
  auto& server = options.server;
  server.bind = settings.text("gateway.bind");
  server.port = static_cast<std::uint16_t>(settings.integer("gateway.port"));
  server.most_connections = number("gateway.most_connections");
  server.most_header_bytes = number("gateway.most_header_bytes");
  server.most_headers = 100;
  server.most_body_bytes = 64 * 1024;
  server.most_streamed_bytes = number("gateway.most_body_bytes");
  server.most_body_bytes = std::min<std::size_t>(server.most_body_bytes, server.most_streamed_bytes);
  // One after another: two requests of one client may not overtake each other on their ways to two instances.
  server.most_pipelined = 1;
  server.end_cancels = true;
  server.request_timeout = settings.duration("gateway.header_timeout");
  server.idle_timeout = settings.duration("gateway.idle_timeout");
  server.write_timeout = settings.duration("gateway.write_timeout");

  auto& gateway = options.gateway;
  gateway.request_timeout = settings.duration("gateway.request_timeout");
  gateway.most_retries = static_cast<std::uint32_t>(number("gateway.retries"));
  gateway.most_in_flight = number("gateway.most_in_flight");
  auto& service = gateway.service;
  const auto policy = policy_of(settings.text("gateway.balance"));
  if (!policy) return policy.error();
  service.balancer.policy = *policy;
  service.balancer.failures_to_eject = static_cast<std::uint32_t>(number("gateway.eject_after"));
  service.balancer.panic_percent = static_cast<std::uint32_t>(number("gateway.panic_percent"));
  service.retry_budget.percent = static_cast<std::uint32_t>(number("gateway.retry_percent"));
  service.upstream.most_waiting = number("gateway.most_waiting");
  service.upstream.most_connections = number("gateway.upstream_connections");
  service.upstream.pipelined_connections = number("gateway.pipelined_connections");
  service.upstream.connect_timeout = settings.duration("gateway.connect_timeout");
  service.upstream.idle_limit = settings.duration("gateway.upstream_idle");
  service.check_path = settings.text("gateway.check_path");
  service.check_every = settings.duration("gateway.check_every");
  service.check_out_every = std::max<Duration>(service.check_every / 4, std::chrono::milliseconds(50));

  auto routes = routes_of(settings);
  if (!routes) return routes.error();
  options.routes = std::move(*routes);
  auto trusted = gateway::AddressRanges::parse(settings.text("gateway.trusted_proxies"));
  if (!trusted) return bad("gateway.trusted_proxies", trusted.error().detail);
  options.trusted = std::move(*trusted);
  http::for_each_in_list(settings.text("gateway.cors_origins"),
                         [&](std::string_view one) { options.cors_origins.emplace_back(one); });
  options.access_log_every = static_cast<std::uint32_t>(number("gateway.access_log_every"));
  return options;
}

Result<void> check_public(const Settings& settings) {
  const auto loopback = gateway::AddressRanges::parse("127.0.0.0/8, ::1");
  const auto& bind = settings.text("gateway.bind");
  if (bind == "localhost" || loopback->contains(bind) || settings.boolean("gateway.allow_public")) return {};
  return bad(
      "gateway.bind",
      fmt::format("{} is not loopback, and an instance behind it may serve without tokens; when all of "
                  "them check tokens, say --allow-public true",
                  bind));
}

/// By `gateway.lookup`: whom each request asks. Neither: nobody.
struct Asked {
  std::vector<RegistryServer> registries;
  std::optional<redis::Options> redis;
};

Result<Asked> asked_of(const Settings& settings) {
  Asked asked;
  const auto& way = settings.text("gateway.lookup");
  if (way == "local") return asked;
  if (way != "registry" && way != "redis") {
    return bad("gateway.lookup", fmt::format("'{}' is none of local, registry, redis", way));
  }
  // With a copy in Redis, too: this gateway keeps it.
  auto servers = parse_registry_servers(settings.text("registry.urls"));
  if (!servers)
    return bad("gateway.lookup", fmt::format("'{}' needs a registry: {}", way, servers.error().detail));
  if (way == "registry") {
    asked.registries = std::move(*servers);
    return asked;
  }
  auto options = redis_options(settings);
  if (!options) return options.error();
  asked.redis = std::move(*options);
  return asked;
}

std::set<std::string> services_of(const gateway::RouteTable& table) {
  std::set<std::string> services;
  for (const auto& route : table.routes()) {
    if (!route.service.empty()) services.insert(route.service);
  }
  return services;
}

/// The threads of the process.
class GatewayShards {
 public:
  /// \param asked by each request, instead of the directory's copy
  Result<void> start(ServiceDirectory& directory, const Asked& asked, GatewayShard::Options options,
                     std::size_t count) {
    if (count > 1) {
      if (options.server.port == 0)
        return bad("gateway.port", "several --io-threads share a port: give its number");
      if (const auto free = net::probe_port(options.server.bind, options.server.port); !free)
        return free.error();
      options.server.share_port = true;
    }
    SystemRandom random;
    for (std::size_t i = 0; i < count; ++i) {
      std::array<std::uint8_t, sizeof options.seed> seed{};
      random.fill(seed);
      std::memcpy(&options.seed, seed.data(), seed.size());
      shards_.push_back(std::make_unique<GatewayShard>(fmt::format("io-{}", i)));
      auto& shard = *shards_.back();
      shard.shard().run([&] { lookups_.push_back(make_lookup(shard.shard(), directory, asked)); });
      if (asked.redis && i == 0) {
        shard.shard().run([&] {
          keeper_ =
              std::make_unique<ServiceCopyKeeper>(shard.shard(), *asked.redis, directory,
                                                  services_of(*options.routes), ServiceCopyKeeper::Times{});
        });
      }
      const auto built = shard.build(directory, *lookups_.back(), metrics_, options);
      if (!built) return built.error();
    }
    for (auto& shard : shards_) {
      if (const auto listening = shard->listen(); !listening) return listening.error();
    }
    return {};
  }

  std::uint16_t port() { return shards_.front()->port(); }

  /// /readyz says from now on that this gateway is to be left out.
  void begin_drain() {
    for (auto& shard : shards_) shard->begin_drain();
  }

  void drain() {
    std::vector<std::future<void>> drained;
    for (auto& shard : shards_) {
      auto done = std::make_shared<std::promise<void>>();
      drained.push_back(done->get_future());
      shard->drain(kDrainPatience, [done] { done->set_value(); });
    }
    for (auto& one : drained) one.wait();
  }

  void stop() {
    for (auto& shard : shards_) shard->tear_down();
    if (keeper_) shards_.front()->shard().run([&] { keeper_ = nullptr; });
    for (std::size_t i = 0; i < lookups_.size(); ++i) {
      shards_[i]->shard().run([&] { lookups_[i] = nullptr; });
    }
    for (auto& shard : shards_) shard->shard().stop();
  }

 private:
  static std::unique_ptr<InstanceLookup> make_lookup(rt::Shard& shard, ServiceDirectory& directory,
                                                     const Asked& asked) {
    if (asked.redis) return std::make_unique<RedisLookup>(shard, *asked.redis);
    if (asked.registries.empty()) return std::make_unique<LocalLookup>(directory);
    return std::make_unique<RegistryLookup>(shard, asked.registries, kLookupTimeout);
  }

  obs::Registry metrics_;
  std::unique_ptr<ServiceCopyKeeper> keeper_;  ///< on the first shard
  std::vector<std::unique_ptr<InstanceLookup>> lookups_;
  std::vector<std::unique_ptr<GatewayShard>> shards_;
};

Result<void> serve(const Settings& settings) {
  if (const auto level = set_log_level(settings.text("log.level")); !level) return level.error();
  if (const auto allowed = check_public(settings); !allowed) return allowed.error();
  auto options = options_of(settings);
  if (!options) return options.error();

  const StopSignals signals;  // before the first thread
  raise_file_limit();
  const auto registry = open_registry_client(settings, true);
  if (!registry) return registry.error();
  if (*registry == nullptr && !services_of(*options->routes).empty()) {
    return bad("registry.urls",
               "a route leads to a service that only a registry knows: give --registry, or --upstream");
  }
  const auto asked = asked_of(settings);
  if (!asked) return asked.error();
  EmptyDirectory nobody;
  ServiceDirectory& directory = *registry ? static_cast<ServiceDirectory&>(**registry) : nobody;
  RegistryMembership membership(settings, registry->get());
  GatewayShards shards;
  const auto started = shards.start(directory, *asked, std::move(*options),
                                    static_cast<std::size_t>(settings.integer("gateway.io_threads")));
  if (!started) {
    if (*registry) (*registry)->stop();
    shards.stop();
    return started.error();
  }
  log().info("gateway: http://{}:{}", settings.text("gateway.bind"), shards.port());
  membership.announce("coupon-gateway", settings.text("gateway.bind"), shards.port());
  membership.up();
  while (signals.wait(std::chrono::seconds(1)) == 0) {
  }
  log().info("gateway: stopping: no new connections, answering what is in the air");
  shards.begin_drain();
  membership.leave();
  shards.drain();
  if (*registry) (*registry)->stop();  // it may call no shard that is gone
  shards.stop();
  log().info("gateway: stopped");
  return {};
}

}  // namespace

void add_gateway_command(CLI::App& app, int& exit_code) {
  auto* command = app.add_subcommand("gateway", "reverse proxy: routes, balancing over instances, retries");
  auto options = std::make_shared<SettingsOptions>();
  options->add_to(*command, "gateway");
  command->callback([options, &exit_code] {
    const auto settings = options->load();
    if (!settings) {
      exit_code = exit_with("gateway", settings.error());
      return;
    }
    const auto served = serve(*settings);
    exit_code = served ? 0 : exit_with("gateway", served.error());
  });
}

}  // namespace doorbuster
