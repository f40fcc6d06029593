#include "apps/doorbuster/registry_command.hpp"

#include <fmt/format.h>
#include <sys/resource.h>

#include <chrono>
#include <future>
#include <memory>

#include "apps/doorbuster/error_exit.hpp"
#include "apps/doorbuster/settings_options.hpp"
#include "apps/doorbuster/signals.hpp"
#include "base/log.hpp"
#include "rt/shard.hpp"
#include "services/registry/registry_service.hpp"

namespace doorbuster {
namespace {

constexpr Duration kDrainPatience = std::chrono::seconds(8);

/// UTC at the start, and from there on without jumps: a clock that is set must not end everybody's lease.
class LeaseClock final : public Clock {
 public:
  LeaseClock() : began_utc_(SystemClock().now()), began_(boot_.now()) {}
  Timestamp now() override { return began_utc_ + (boot_.now() - began_); }

 private:
  BootClock boot_;
  Timestamp began_utc_;
  Timestamp began_;
};

registry::RegistryOptions registry_options(const config::Settings& settings, Timestamp now) {
  registry::RegistryOptions options;
  auto& leases = options.leases;
  leases.self_preservation = settings.boolean("registry.enable_self_preservation");
  leases.renewal_percent_threshold = settings.integer("registry.renewal_percent_threshold");
  leases.self_preservation_from =
      static_cast<std::size_t>(settings.integer("registry.self_preservation_from"));
  leases.double_duration = settings.boolean("registry.double_lease_duration");
  leases.eviction_interval = settings.duration("registry.eviction_interval");
  leases.delta_retention = settings.duration("registry.delta_retention");
  leases.most_instances = static_cast<std::size_t>(settings.integer("registry.most_instances"));
  leases.first_version =
      std::chrono::duration_cast<std::chrono::milliseconds>(now.time_since_epoch()).count();
  options.events.most_listeners = static_cast<std::size_t>(settings.integer("registry.most_listeners"));
  options.wait_time_when_empty = settings.duration("registry.wait_time_when_empty");
  options.most_body_bytes = static_cast<std::size_t>(settings.integer("registry.most_body_bytes"));
  return options;
}

net::HttpServerOptions server_options(const config::Settings& settings) {
  net::HttpServerOptions options;
  options.bind = settings.text("registry.bind");
  options.port = static_cast<std::uint16_t>(settings.integer("registry.port"));
  options.most_connections = static_cast<std::size_t>(settings.integer("registry.most_connections"));
  options.most_header_bytes = 16 * 1024;  // Java's clients send cookies and proxies' headers along
  options.most_body_bytes = static_cast<std::size_t>(settings.integer("registry.most_body_bytes"));
  options.request_timeout = settings.duration("registry.request_timeout");
  options.idle_timeout = settings.duration("registry.idle_timeout");
  options.write_timeout = settings.duration("registry.write_timeout");
  return options;
}

/// The shard with everything on it.
class RegistryShard {
 public:
  explicit RegistryShard(const config::Settings& settings)
      : options_(registry_options(settings, clock_.now())), server_options_(server_options(settings)) {
    shard_.start();
  }
  ~RegistryShard() {
    shard_.run([this] {
      *alive_ = false;
      server_ = nullptr;
      service_ = nullptr;
    });
    shard_.stop();
  }

  Result<void> listen() {
    Result<void> result;
    shard_.run([&] {
      service_ = std::make_unique<registry::RegistryService>(
          registry::RegistryParts{shard_, clock_, metrics_}, options_);
      metrics_.add(shard_, [this](obs::MetricsWriter& out) { write_server_metrics(out); });
      server_ = std::make_unique<net::HttpServer>(
          shard_, server_options_, [this](const http::Request& request, net::Responder responder) {
            auto answer = service_->handle(request);
            if (answer.body) return responder.send_stream(answer.head, std::move(answer.body));
            responder.send(answer.head);
          });
      result = server_->listen();
      if (result) tick();
    });
    return result;
  }

  std::uint16_t port() {
    std::uint16_t port = 0;
    shard_.run([&] { port = server_->port(); });
    return port;
  }

  void drain() {
    auto done = std::make_shared<std::promise<void>>();
    shard_.post([this, done] {
      service_->close_streams();
      server_->drain(kDrainPatience, [done] { done->set_value(); });
    });
    done->get_future().wait();
  }

 private:
  void tick() {
    shard_.after(options_.leases.eviction_interval, [this, alive = alive_] {
      if (!*alive) return;
      service_->tick();
      tick();
    });
  }

  void write_server_metrics(obs::MetricsWriter& out) const {
    if (!server_) return;
    const auto stats = server_->stats();
    out.gauge("doorbuster_http_connections", "Open connections", static_cast<double>(stats.open));
    out.counter("doorbuster_http_connections_total", "Accepted connections", stats.accepted);
    out.counter("doorbuster_http_connections_refused_total", "Connections over the bound, answered 503",
                stats.refused);
    out.counter("doorbuster_http_requests_total", "Requests that could be read", stats.requests);
    out.counter("doorbuster_http_bad_requests_total", "Requests that could not be read", stats.bad_requests);
    out.counter("doorbuster_http_timeouts_total", "Connections cut off for their slowness", stats.timed_out);
  }

  rt::Shard shard_{"registry"};
  LeaseClock clock_;
  obs::Registry metrics_;
  registry::RegistryOptions options_;
  net::HttpServerOptions server_options_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
  std::unique_ptr<registry::RegistryService> service_;
  std::unique_ptr<net::HttpServer> server_;
};

/// Connections are files: the usual soft limit of 1024 would be a limit of clients.
void raise_file_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

bool reachable_by_others(const std::string& bind) {
  return bind != "localhost" && bind != "::1" && !bind.starts_with("127.");
}

Result<void> serve(const config::Settings& settings) {
  if (const auto level = set_log_level(settings.text("log.level")); !level) return level.error();
  const StopSignals signals;  // before the first thread
  raise_file_limit();
  RegistryShard registry(settings);
  if (const auto listening = registry.listen(); !listening) return listening.error();
  const auto& bind = settings.text("registry.bind");
  log().info("registry: http://{}:{}, for Eureka clients http://{}:{}/eureka/", bind, registry.port(), bind,
             registry.port());
  if (reachable_by_others(bind)) {
    log().warn("registry: whoever reaches {} may register and deregister: there is no authentication yet",
               bind);
  }
  while (signals.wait(std::chrono::seconds(60)) == 0) {
  }
  log().info("registry: stopping: no new connections, answering what is in the air");
  registry.drain();
  log().info("registry: stopped");
  return {};
}

}  // namespace

void add_registry_command(CLI::App& app, int& exit_code) {
  auto* command =
      app.add_subcommand("registry", "service registry: instances announce themselves, by Eureka's protocol");
  auto options = std::make_shared<SettingsOptions>();
  options->add_to(*command, "registry");
  command->callback([options, &exit_code] {
    const auto settings = options->load();
    if (!settings) {
      exit_code = exit_with("registry", settings.error());
      return;
    }
    const auto served = serve(*settings);
    exit_code = served ? 0 : exit_with("registry", served.error());
  });
}

}  // namespace doorbuster
