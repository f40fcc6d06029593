#include "apps/doorbuster/up_command.hpp"

#include <fmt/format.h>

#include <array>
#include <cstdio>

#include "apps/doorbuster/role_flags.hpp"
#include "apps/doorbuster/supervisor.hpp"
#include "base/log.hpp"
#include "net/http_client.hpp"

namespace doorbuster {
namespace {

// The first section that has a flag keeps it: --port is that of `up`, --io-threads goes on to the api.
constexpr std::array<std::string_view, 4> kSections = {"", "up", "api", "event_log"};

int complain(const std::string& detail) {
  fmt::print(stderr, "doorbuster up: {}\n", detail);
  return 1;
}

/// Where this machine reaches what listens on `bind`.
std::string reachable(const std::string& bind) {
  if (bind == "0.0.0.0") return "127.0.0.1";
  if (bind == "::" || bind == "[::]") return "[::1]";
  return bind.find(':') != std::string::npos && bind.front() != '[' ? "[" + bind + "]" : bind;
}

std::vector<std::string> child_arguments(const config::Settings& settings, const RoleFlags& flags) {
  std::vector<std::string> words = {"api",
                                    "--bind",
                                    settings.text("up.bind"),
                                    "--port",
                                    std::to_string(settings.integer("up.port")),
                                    "--data",
                                    settings.text("up.data"),
                                    "--default-campaign",
                                    std::to_string(settings.integer("up.default_campaign"))};
  if (const auto file = flags.config_file(); !file.empty()) words.insert(words.end(), {"--config", file});
  for (const auto* section : {"", "api", "event_log"}) {
    const auto more = flags.words_of(section);
    words.insert(words.end(), more.begin(), more.end());
  }
  return words;
}

void announce(const std::string& url, const config::Settings& settings) {
  const bool open = settings.records("api.tokens").empty();
  const std::string token = open ? "" : " -H 'Authorization: Bearer TOKEN'";
  fmt::print(
      "\n"
      "doorbuster is ready\n"
      "  API       {0}\n"
      "  readiness {0}/readyz\n"
      "  metrics   {0}/metrics\n"
      "  data      {1}\n"
      "\n",
      url, settings.text("up.data"));
  if (settings.integer("up.default_campaign") == 0) {
    fmt::print("Create a campaign:\n  doorbuster campaign create sale --limit 1000 --url {}\n\n", url);
  } else {
    fmt::print(
        "Ask for a coupon:\n"
        "  curl -X POST {}/v1/campaigns/default/coupons{} -H 'Content-Type: application/json' "
        "-d '{{\"user_id\":\"alice\"}}'\n\n",
        url, token);
  }
  fmt::print("Ctrl-C stops it.\n\n");
  std::fflush(stdout);
}

int up_main(const RoleFlags& flags) {
  const auto settings = flags.load();
  if (!settings) return complain(settings.error().detail);
  if (auto set = set_log_level(settings->text("log_level")); !set) {
    return complain(fmt::format("{}: {}", settings->origin("log_level"), set.error().detail));
  }
  const auto& stack = settings->text("up.stack");
  if (stack == "full") return complain("--stack full is not offered yet; use --stack embedded");
  if (stack != "embedded") {
    return complain(
        fmt::format("{}: up.stack must be embedded, not '{}'", settings->origin("up.stack"), stack));
  }

  const auto url =
      fmt::format("http://{}:{}", reachable(settings->text("up.bind")), settings->integer("up.port"));
  const auto parsed = net::parse_url(url);
  if (!parsed) {
    return complain(fmt::format("up.bind '{}': {}", settings->text("up.bind"), parsed.error().detail));
  }
  net::HttpClient client(*parsed, {}, std::chrono::seconds(1));

  SupervisorOptions options;
  options.name = "api";
  options.arguments = child_arguments(*settings, flags);
  options.restart = settings->boolean("up.restart");
  options.ready = [&] {
    const auto answer = client.exchange("GET", "/readyz");
    return answer && answer->status == 200;
  };
  options.announce = [&] { announce(url, *settings); };
  return Supervisor(std::move(options)).run();
}

}  // namespace

void add_up_command(CLI::App& app, int& exit_code) {
  auto* command = app.add_subcommand("up", "The whole system on this machine, supervised");
  auto flags = std::make_shared<RoleFlags>(*command, kSections);
  command->callback([flags, &exit_code] { exit_code = up_main(*flags); });
  command->footer("Flags of `doorbuster api` are handed on to it. Ctrl-C stops everything, exit status 0.");
}

}  // namespace doorbuster
