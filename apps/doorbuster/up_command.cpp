#include "apps/doorbuster/up_command.hpp"

#include "apps/doorbuster/error_exit.hpp"
#include "apps/doorbuster/settings_options.hpp"
#include "apps/doorbuster/signals.hpp"
#include "apps/doorbuster/supervisor.hpp"
#include "apps/doorbuster/up_plan.hpp"
#include "base/log.hpp"

namespace doorbuster {
namespace {

int run_up(const config::Settings& settings, const UpFlags& flags) {
  if (const auto level = set_log_level(settings.text("log.level")); !level)
    return exit_with("up", level.error());
  auto plan = plan_up(settings, flags);
  if (!plan) return exit_with("up", plan.error());
  const StopSignals signals;  // before the first thread
  return Supervisor(std::move(plan->children), std::move(plan->greeting)).run(signals);
}

}  // namespace

void add_up_command(CLI::App& app, int& exit_code) {
  auto* command = app.add_subcommand("up", "the whole system on this machine, supervised");
  auto options = std::make_shared<SettingsOptions>();
  options->add_to(*command, "up");
  auto flags = std::make_shared<UpFlags>();
  command->add_option("--api-flag", flags->api,
                      "handed on to each api: --api-flag=--io-threads=2; repeatable");
  command->add_option("--gateway-flag", flags->gateway, "handed on to the gateway; repeatable");
  command->add_option("--worker-flag", flags->worker, "handed on to the worker; repeatable");
  command->callback([options, flags, &exit_code] {
    const auto settings = options->load();
    flags->config_file = options->file();
    exit_code = settings ? run_up(*settings, *flags) : exit_with("up", settings.error());
  });
}

}  // namespace doorbuster
