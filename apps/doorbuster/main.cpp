// doorbuster: one program, one role per subcommand.

#include <CLI/CLI.hpp>
#include <exception>

#include "apps/doorbuster/api_command.hpp"
#include "apps/doorbuster/audit_command.hpp"
#ifdef DOORBUSTER_HAS_BENCH
#include "apps/doorbuster/bench_command.hpp"
#endif
#include "apps/doorbuster/campaign_command.hpp"
#include "apps/doorbuster/error_exit.hpp"
#include "apps/doorbuster/gateway_command.hpp"
#include "apps/doorbuster/log_command.hpp"
#include "apps/doorbuster/recover_command.hpp"
#include "apps/doorbuster/registry_command.hpp"
#include "apps/doorbuster/up_command.hpp"
#include "apps/doorbuster/worker_command.hpp"

namespace {

int run(int argc, char** argv) {
  CLI::App app{"Doorbuster hands out a limited number of things, first come, first served."};
  app.name("doorbuster");
  app.set_version_flag("--version", DOORBUSTER_VERSION);
  app.require_subcommand(1);
  int exit_code = 0;
  doorbuster::add_up_command(app, exit_code);
  doorbuster::add_api_command(app, exit_code);
  doorbuster::add_worker_command(app, exit_code);
  doorbuster::add_registry_command(app, exit_code);
  doorbuster::add_gateway_command(app, exit_code);
  doorbuster::add_campaign_command(app, exit_code);
#ifdef DOORBUSTER_HAS_BENCH
  doorbuster::add_bench_command(app, exit_code);
#endif
  doorbuster::add_audit_command(app, exit_code);
  doorbuster::add_log_command(app, exit_code);
  doorbuster::add_recover_command(app, exit_code);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return app.exit(error);  // --help, --version
    std::fprintf(stderr, "doorbuster: %s (doorbuster --help lists what there is)\n", error.what());
    return doorbuster::kUsageExit;
  }
  return exit_code;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run(argc, argv);
  } catch (const std::exception& error) {  // no memory, no thread: at start, as the data plane throws none
    std::fprintf(stderr, "doorbuster: %s\n", error.what());
    return doorbuster::kUsageExit;
  }
}
