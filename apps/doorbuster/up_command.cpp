#include "apps/doorbuster/up_command.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>

#include "apps/doorbuster/child_process.hpp"
#include "apps/doorbuster/error_exit.hpp"
#include "apps/doorbuster/settings_options.hpp"
#include "apps/doorbuster/signals.hpp"
#include "base/log.hpp"
#include "net/http_client.hpp"

namespace doorbuster {
namespace {

using namespace std::chrono_literals;

constexpr int kFirstCampaign = 1000;  // coupons of `default`, made when there is no campaign
constexpr auto kStopPatience = 12s;   // the child has ten seconds for what is in the air
constexpr auto kFirstBackOff = 100ms;
constexpr std::chrono::milliseconds kLongestBackOff = 5s;

bool ready(const net::Url& url) {
  const auto answer = net::HttpClient(url, {}, 1s).exchange("GET", "/readyz");
  return answer && answer->status == 200;
}

void greet(const std::string& url, const std::string& data) {
  fmt::print(
      "\nDoorbuster is up: {0}   (data in {1}; Ctrl-C stops it)\n\n"
      "  curl -i {0}/v1/campaigns/default/coupons -d '{{\"user_id\": \"alice\"}}'\n\n"
      "  campaigns  {0}/v1/campaigns\n"
      "  health     {0}/readyz\n"
      "  metrics    {0}/metrics\n\n",
      url, data);
  std::fflush(stdout);
}

/// Keeps the child running until a signal comes.
class Supervisor {
 public:
  Supervisor(std::vector<std::string> arguments, net::Url url, std::string shown_url, std::string data)
      : arguments_(std::move(arguments)),
        url_(std::move(url)),
        shown_url_(std::move(shown_url)),
        data_(std::move(data)) {}

  /// \returns the exit status
  int run(const StopSignals& signals) {
    if (const auto started = child_.start(arguments_); !started) return exit_with("up", started.error());
    auto pause = 50ms;
    while (signals.wait(pause) == 0) {
      if (const auto status = child_.poll()) {
        // It ended by itself before it was ever ready and has said why: nothing that a restart mends. One
        // that was killed is started again.
        constexpr int kKilled = 128;
        if (!greeted_ && *status < kKilled)
          return *status == 0 ? kUsageExit : *status;  // it has said why: nothing that a restart mends
        log().warn("up: the api has ended with {}; starting it again in {} ms", *status, back_off_.count());
        restart_at_ = std::chrono::steady_clock::now() + back_off_;
        back_off_ = std::min(back_off_ * 2, kLongestBackOff);
      } else if (!child_.running()) {
        if (std::chrono::steady_clock::now() < restart_at_) continue;
        if (const auto started = child_.start(arguments_); !started)
          log().error("up: {}", started.error().detail);
        is_ready_ = false;
      } else if (!is_ready_ && ready(url_)) {
        is_ready_ = true;
        back_off_ = kFirstBackOff;
        if (!greeted_) greet(shown_url_, data_);
        greeted_ = true;
      }
    }
    child_.stop(kStopPatience);
    return 0;
  }

 private:
  std::vector<std::string> arguments_;
  net::Url url_;
  std::string shown_url_;
  std::string data_;
  ChildProcess child_;
  bool greeted_ = false;
  bool is_ready_ = false;
  std::chrono::milliseconds back_off_ = kFirstBackOff;
  std::chrono::steady_clock::time_point restart_at_;
};

int run_up(const config::Settings& settings, const std::string& config_file) {
  if (const auto level = set_log_level(settings.text("log.level")); !level)
    return exit_with("up", level.error());
  if (settings.text("up.stack") != "embedded") {
    const bool full = settings.text("up.stack") == "full";
    return exit_with(
        "up", make_error(ErrorCode::unsupported,
                         full ? "--stack full (Redis, Kafka, MariaDB) is not offered yet; --stack embedded is"
                              : fmt::format("there is no stack '{}'; embedded is the one there is",
                                            settings.text("up.stack"))));
  }
  if (settings.integer("up.port") == 0) {
    return exit_with("up",
                     make_error(ErrorCode::invalid, "--port: up needs a port of its own, from 1 to 65535"));
  }
  const auto bind = settings.text("up.bind");
  const auto port = settings.text("up.port");
  std::vector<std::string> arguments = {"api",
                                        "--bind",
                                        bind,
                                        "--port",
                                        port,
                                        "--data",
                                        settings.text("up.data"),
                                        "--log-level",
                                        settings.text("log.level"),
                                        "--default-campaign",
                                        std::to_string(kFirstCampaign)};
  if (!config_file.empty()) arguments.insert(arguments.end(), {"--config", config_file});
  const StopSignals signals;
  const std::string local = bind == "0.0.0.0" ? "127.0.0.1" : bind == "::" ? "::1" : bind;
  const std::string shown = local.find(':') == std::string::npos ? local : "[" + local + "]";
  return Supervisor(std::move(arguments), net::Url{local, port, ""}, fmt::format("http://{}:{}", shown, port),
                    settings.text("up.data"))
      .run(signals);
}

}  // namespace

void add_up_command(CLI::App& app, int& exit_code) {
  auto* command = app.add_subcommand("up", "the whole system on this machine, supervised");
  auto options = std::make_shared<SettingsOptions>();
  options->add_to(*command, "up");
  command->callback([options, &exit_code] {
    const auto settings = options->load();
    exit_code = settings ? run_up(*settings, options->file()) : exit_with("up", settings.error());
  });
}

}  // namespace doorbuster
