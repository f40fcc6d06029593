#include "apps/doorbuster/api_command.hpp"

#include <fmt/format.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>

#include "apps/doorbuster/embedded_stack.hpp"
#include "apps/doorbuster/role_flags.hpp"
#include "base/log.hpp"

namespace doorbuster {
namespace {

constexpr std::array<std::string_view, 3> kSections = {"", "api", "event_log"};

int complain(const std::string& detail) {
  fmt::print(stderr, "doorbuster api: {}\n", detail);
  return 1;
}

/// Connections are files: a soft limit of 1024 would end the crowd there.
void raise_file_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

InstanceName instance_name(const std::string& configured) {
  if (!configured.empty()) return InstanceName(std::string_view(configured).substr(0, 31));
  char host[64] = "localhost";
  ::gethostname(host, sizeof host - 1);
  const std::string_view name = host;
  return InstanceName(fmt::format("{}-{}", name.substr(0, 20), ::getpid()));
}

Result<api::Authorizer> authorizer(const config::Settings& settings) {
  std::vector<api::Token> tokens;
  const auto& records = settings.records("api.tokens");
  const auto bad = [&](std::string_view field, std::string_view detail) {
    return make_error(ErrorCode::invalid,
                      fmt::format("{}: {}: {}", settings.origin("api.tokens"), field, detail));
  };
  for (std::size_t i = 0; i < records.size(); ++i) {
    api::Token token;
    for (const auto& [name, value] : records[i]) {
      const auto field = fmt::format("api.tokens[{}].{}", i, name);
      if (name == "token") token.secret = value;
      if (name == "role") {
        const auto role = api::parse_role(value);
        if (!role) return bad(field, fmt::format("a role is user, merchant or admin, not '{}'", value));
        token.role = *role;
      }
      if (name == "sub") {
        const auto user = UserId::parse(value);
        if (!user) return bad(field, user.error().detail);
        token.subject = *user;
      }
    }
    tokens.push_back(std::move(token));
  }
  auto made = api::Authorizer::make(std::move(tokens));
  if (!made) return bad(made.error().field, made.error().detail);
  return made;
}

Result<EmbeddedOptions> options_from(const config::Settings& settings) {
  const auto count = [&](std::string_view key) { return static_cast<std::size_t>(settings.integer(key)); };
  EmbeddedOptions options;
  auto who = authorizer(settings);
  if (!who) return who.error();
  options.authorizer = std::move(*who);
  options.data = settings.text("api.data");
  options.io_threads = count("api.io_threads");
  options.lookup_threads = count("api.lookup_threads");
  options.most_lookups_waiting = count("api.most_lookups_waiting");
  options.drain_timeout = settings.duration("api.drain_timeout");
  options.default_campaign = count("api.default_campaign");
  options.issue.patience = settings.duration("api.patience");
  options.issue.relay_after = settings.duration("api.relay_after");
  options.issue.most_in_flight = count("api.most_in_flight");
  options.issue.instance = instance_name(settings.text("api.instance"));
  options.http.bind = settings.text("api.bind");
  options.http.port = static_cast<std::uint16_t>(settings.integer("api.port"));
  options.http.most_connections = count("api.most_connections");
  options.http.request_timeout = settings.duration("api.request_timeout");
  options.http.idle_timeout = settings.duration("api.idle_timeout");
  options.http.write_timeout = settings.duration("api.write_timeout");
  options.gather = settings.duration("event_log.gather");
  options.checkpoint_bytes = settings.integer("event_log.checkpoint_size");
  options.most_queued_events = count("event_log.most_queued");
  if (auto open = api::check_open_mode(options.authorizer, options.http.bind); !open) return open.error();
  return options;
}

/// Blocked before any thread is made, so that all threads inherit it and only the wait below takes them.
sigset_t block_stop_signals() {
  sigset_t stop;
  sigemptyset(&stop);
  for (const int number : {SIGTERM, SIGINT, SIGHUP}) sigaddset(&stop, number);
  ::pthread_sigmask(SIG_BLOCK, &stop, nullptr);
  std::signal(SIGPIPE, SIG_IGN);
  return stop;
}

int api_main(const RoleFlags& flags) {
  const auto settings = flags.load();
  if (!settings) return complain(settings.error().detail);
  if (auto set = set_log_level(settings->text("log_level")); !set) {
    return complain(fmt::format("{}: {}", settings->origin("log_level"), set.error().detail));
  }
  auto options = options_from(*settings);
  if (!options) return complain(options.error().detail);
  const std::string bind = options->http.bind;
  const std::string data = options->data;

  const sigset_t stop = block_stop_signals();
  raise_file_limit();
  auto stack = EmbeddedStack::start(std::move(*options));
  if (!stack) return complain(stack.error().detail);
  log().info("api: serving on http://{}:{}, data folder {}, {} records read back", bind, (*stack)->port(),
             data, (*stack)->restored());

  int number = 0;
  ::sigwait(&stop, &number);
  log().info("api: stopping on {}", number == SIGINT ? "SIGINT" : number == SIGHUP ? "SIGHUP" : "SIGTERM");
  (*stack)->stop();
  stack->reset();
  log().info("api: stopped");
  return 0;
}

}  // namespace

void add_api_command(CLI::App& app, int& exit_code) {
  auto* command = app.add_subcommand("api", "One api process: HTTP, ledger, event log, worker");
  auto flags = std::make_shared<RoleFlags>(*command, kSections);
  command->callback([flags, &exit_code] { exit_code = api_main(*flags); });
  command->footer("Stops on SIGTERM or SIGINT: answers what is in the air, flushes, exit status 0.");
}

}  // namespace doorbuster
