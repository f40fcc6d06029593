// The command line: one subcommand a role. What a role consists of is in its own file.

#include <CLI/CLI.hpp>
#include <cstdio>
#include <exception>
#include <string>

#include "apps/doorbuster/api_command.hpp"
#include "apps/doorbuster/audit_command.hpp"
#include "apps/doorbuster/campaign_command.hpp"
#include "apps/doorbuster/up_command.hpp"
#ifdef DOORBUSTER_HAS_BENCH
#include "apps/doorbuster/bench_command.hpp"
#endif

namespace {

constexpr int kUsage = 1;

/// One line, whatever the library says in how many.
int complain(const CLI::App& app, const CLI::ParseError& error) {
  std::string command = "doorbuster";
  for (const auto* chosen : app.get_subcommands()) command += " " + chosen->get_name();
  std::string detail = error.what();
  for (char& c : detail) c = c == '\n' ? ' ' : c;
  std::fprintf(stderr, "doorbuster: %s (see `%s --help`)\n", detail.c_str(), command.c_str());
  return kUsage;
}

int run(int argc, char** argv) {
  CLI::App app{"First come, first served handing-out of limited coupons", "doorbuster"};
  app.set_version_flag("--version", "doorbuster " DOORBUSTER_VERSION);
  app.require_subcommand(1);
  int exit_code = 0;
  doorbuster::add_up_command(app, exit_code);
  doorbuster::add_api_command(app, exit_code);
  doorbuster::add_campaign_command(app, exit_code);
#ifdef DOORBUSTER_HAS_BENCH
  doorbuster::add_bench_command(app, exit_code);
#endif
  doorbuster::add_audit_command(app, exit_code);
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& success) {
    return app.exit(success);  // --help, --version
  } catch (const CLI::ParseError& error) {
    return complain(app, error);
  }
  return exit_code;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run(argc, argv);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "doorbuster: %s\n", error.what());
    return kUsage;
  }
}
