#include "apps/doorbuster/api_command.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <future>
#include <thread>
#include <vector>

#include "apps/doorbuster/embedded_stack.hpp"
#include "apps/doorbuster/error_exit.hpp"
#include "apps/doorbuster/file_limit.hpp"
#include "apps/doorbuster/full_stack.hpp"
#include "apps/doorbuster/io_shard.hpp"
#include "apps/doorbuster/registry_membership.hpp"
#include "apps/doorbuster/settings_options.hpp"
#include "apps/doorbuster/signals.hpp"
#include "apps/doorbuster/stack_settings.hpp"
#include "base/log.hpp"

namespace doorbuster {
namespace {

// Together with the flush that follows, the ten seconds of the contract.
constexpr Duration kDrainPatience = std::chrono::seconds(8);
constexpr Duration kSettlePatience = std::chrono::seconds(1);
constexpr Duration kReadyPatience = std::chrono::seconds(10);
constexpr const char* kPipelining = "64";  // requests at once that a gateway may put on one connection

Result<api::Authorizer> authorizer_of(const config::Settings& settings, const std::string& bind) {
  std::vector<api::Token> tokens;
  for (const auto& entry : settings.tokens()) {
    const auto role = api::parse_role(entry.role);
    if (!role) {
      return make_error(
          ErrorCode::invalid,
          fmt::format("{}: api.tokens: '{}' is no role; user, merchant or admin", entry.place, entry.role));
    }
    api::Token token{entry.token, *role, std::nullopt};
    if (!entry.sub.empty()) {
      const auto subject = UserId::parse(entry.sub);
      if (!subject) {
        return make_error(ErrorCode::invalid,
                          fmt::format("{}: api.tokens: sub: {}", entry.place, subject.error().detail));
      }
      token.subject = *subject;
    }
    tokens.push_back(std::move(token));
  }
  auto authorizer = api::Authorizer::make(std::move(tokens));
  if (!authorizer) {
    return make_error(ErrorCode::invalid,
                      fmt::format("{}: {}", authorizer.error().field, authorizer.error().detail));
  }
  if (const auto open = api::check_open_mode(*authorizer, bind); !open) return open.error();
  return std::move(*authorizer);
}

/// The shards of the process, in the order of their numbers.
class Shards {
 public:
  Result<void> start(ApiStack& stack, Clock& clock, IoShard::Options options, std::size_t count) {
    stack_ = &stack;
    auto& server = options.server;
    if (count > 1) {
      if (server.port == 0) {
        return make_error(ErrorCode::invalid, "--port: several --io-threads share a port: give its number");
      }
      if (const auto free = net::probe_port(server.bind, server.port); !free) return free.error();
      server.share_port = true;
    }
    for (std::size_t i = 0; i < count; ++i) {
      options.name = fmt::format("io-{}", i);
      shards_.push_back(std::make_unique<IoShard>(options.name));
      const auto built = shards_.back()->build(stack, clock, metrics_, options);
      if (!built) return built;
    }
    metrics_.add([&stack](obs::MetricsWriter& out) { stack.write_metrics(out); });
    return {};
  }

  /// The registry of metrics is only read from here on.
  Result<void> listen() {
    for (auto& shard : shards_) {
      const auto listening = shard->listen();
      if (!listening) return listening.error();
    }
    return {};
  }

  /// Until every shard can decide. \returns what the last one waited for in vain
  Result<void> wait_ready() {
    const auto until = std::chrono::steady_clock::now() + kReadyPatience;
    for (auto& shard : shards_) {
      for (auto ready = shard->ready(); !ready; ready = shard->ready()) {
        if (std::chrono::steady_clock::now() > until) return ready;
        std::this_thread::sleep_for(std::chrono::milliseconds(5));
      }
    }
    return {};
  }

  IoShard& first() { return *shards_.front(); }

  void drain() {
    std::vector<std::future<void>> drained;
    for (auto& shard : shards_) {
      auto done = std::make_shared<std::promise<void>>();
      drained.push_back(done->get_future());
      shard->drain(kDrainPatience, [done] { done->set_value(); });
    }
    for (auto& one : drained) one.wait();
  }

  /// Waits for coupons whose append has failed: the relay writes them again, and their numbers are not
  /// missing after the next start. Nothing waits here when all is well.
  void settle() {
    const auto until = std::chrono::steady_clock::now() + kSettlePatience;
    // Queued requests, too. What is left of these is another instance's to take over.
    while (has_queued() && std::chrono::steady_clock::now() < until) {
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    while (stack_->settles() && stack_->log().accepting() && has_pending()) {
      if (std::chrono::steady_clock::now() > until) {
        log().warn("api: some coupons could not be made safe; nobody was told of them");
        return;
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
  }

  /// After drain(), or when start() failed.
  void stop() {
    if (stack_ != nullptr) stack_->stop();  // its last completions are posted to shards that still run
    for (auto& shard : shards_) shard->close();
    for (auto& shard : shards_) shard->shard().stop();
    for (auto& shard : shards_) shard->destroy();
  }

 private:
  bool has_queued() {
    return std::any_of(shards_.begin(), shards_.end(),
                       [](const auto& shard) { return shard->queued() != 0; });
  }

  bool has_pending() {
    bool any = false;
    first().shard().run([&] {
      first().ledger().list([&](Result<std::vector<CampaignView>> views) {
        if (!views) return;
        for (const auto& view : *views) any = any || view.issued > view.durable;
      });
    });
    return any;
  }

  ApiStack* stack_ = nullptr;
  obs::Registry metrics_;
  std::vector<std::unique_ptr<IoShard>> shards_;
};

/// Makes the campaign `default` when there is none at all, so that a first request works at once. Several
/// processes may do so at the same time: they want the same.
Result<void> make_default_campaign(ApiStack& stack, IoShard& shard, std::uint64_t limit) {
  auto made = std::make_shared<std::promise<Result<void>>>();
  shard.shard().post([&stack, &shard, limit, made] {
    stack.catalog().list(shard.shard(), [&shard, limit, made](Result<std::vector<CampaignDefinition>> all) {
      if (!all) return made->set_value(all.error());
      if (!all->empty()) return made->set_value({});
      CampaignDefinition definition;
      definition.id = *CampaignId::parse("default");
      definition.name = "default";
      definition.limit = limit;
      shard.campaigns().create(definition, [made](Result<api::CampaignService::Created> created) {
        // Closed: another process is just creating it, or a recovery is at it.
        const bool fine = created || created.error().code == ErrorCode::closed;
        made->set_value(fine ? Result<void>() : Result<void>(created.error()));
      });
    });
  });
  return made->get_future().get();
}

Result<IoShard::Options> shard_options(const config::Settings& settings, api::Authorizer authorizer) {
  IoShard::Options options;
  const auto strategy = parse_strategy(settings.text("api.strategy"));
  if (!strategy) {
    return make_error(ErrorCode::invalid,
                      fmt::format("api.strategy: there is no strategy '{}'", settings.text("api.strategy")));
  }
  options.default_strategy = *strategy;
  options.instance = InstanceName(fmt::format("api-{}", ::getpid()));
  options.server.bind = settings.text("api.bind");
  options.server.port = static_cast<std::uint16_t>(settings.integer("api.port"));
  options.server.most_connections = static_cast<std::size_t>(settings.integer("api.most_connections"));
  options.server.request_timeout = settings.duration("api.request_timeout");
  options.server.idle_timeout = settings.duration("api.idle_timeout");
  options.server.write_timeout = settings.duration("api.write_timeout");
  options.issue.patience = settings.duration("api.patience");
  options.issue.most_in_flight = static_cast<std::size_t>(settings.integer("api.most_in_flight"));
  options.issue.instance = options.instance;
  options.authorizer = std::move(authorizer);
  return options;
}

Result<std::unique_ptr<ApiStack>> open_stack(const config::Settings& settings, Clock& clock) {
  // Looked at under either stack, as the types of all values are.
  if (const auto scope = locks_campaign(settings); !scope) return scope.error();
  const auto& name = settings.text("api.stack");
  if (name == "embedded") {
    auto stack = EmbeddedStack::open(settings, clock);
    if (!stack) return stack.error();
    return std::unique_ptr<ApiStack>(std::move(*stack));
  }
  if (name == "full") {
    auto stack = FullStack::open(settings);
    if (!stack) return stack.error();
    return std::unique_ptr<ApiStack>(std::move(*stack));
  }
  return make_error(ErrorCode::invalid,
                    fmt::format("api.stack: '{}' is no stack; embedded and full are the two", name),
                    "api.stack");
}

Result<void> serve(const config::Settings& settings) {
  if (const auto level = set_log_level(settings.text("log.level")); !level) return level.error();
  auto authorizer = authorizer_of(settings, settings.text("api.bind"));
  if (!authorizer) return authorizer.error();

  const StopSignals signals;  // before the first thread
  raise_file_limit();
  const auto registry = open_registry_client(settings, false);
  if (!registry) return registry.error();
  RegistryMembership membership(settings, registry->get());
  SystemClock clock;
  auto options = shard_options(settings, std::move(*authorizer));
  if (!options) return options.error();
  auto stack = open_stack(settings, clock);
  if (!stack) return stack.error();

  Shards shards;
  Result<void> started = shards.start(**stack, clock, std::move(*options),
                                      static_cast<std::size_t>(settings.integer("api.io_threads")));
  if (started) started = shards.wait_ready();
  if (started && settings.integer("api.default_campaign") > 0) {
    started = make_default_campaign(**stack, shards.first(),
                                    static_cast<std::uint64_t>(settings.integer("api.default_campaign")));
  }
  // Last: whoever finds the port open finds the campaign, too.
  if (started) started = shards.listen();
  if (!started) {
    shards.stop();
    return started.error();
  }
  log().info("api: http://{}:{}, {}", settings.text("api.bind"), shards.first().port(), (*stack)->summary());
  membership.announce("coupon-api", settings.text("api.bind"), shards.first().port(),
                      {{std::string(kPipeliningMetadata), kPipelining}});
  membership.up();
  while (signals.wait(std::chrono::seconds(1)) == 0) (*stack)->watch();
  membership.leave();
  log().info("api: stopping: no new connections, answering what is in the air");
  shards.drain();
  shards.settle();
  shards.stop();
  log().info("api: stopped");
  return {};
}

}  // namespace

void add_api_command(CLI::App& app, int& exit_code) {
  auto* command = app.add_subcommand("api", "coupon API instance: HTTP, ledger, event log, worker");
  auto options = std::make_shared<SettingsOptions>();
  options->add_to(*command, "api");
  command->callback([options, &exit_code] {
    const auto settings = options->load();
    if (!settings) {
      exit_code = exit_with("api", settings.error());
      return;
    }
    const auto served = serve(*settings);
    exit_code = served ? 0 : exit_with("api", served.error());
  });
}

}  // namespace doorbuster
