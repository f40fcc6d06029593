#pragma once
// `doorbuster up`: the whole system on this machine, supervised.

#include <CLI/CLI.hpp>

namespace doorbuster {

/// Adds the subcommand; when it was chosen, it runs until SIGTERM or SIGINT, and `exit_code` says how it
/// ended.
void add_up_command(CLI::App& app, int& exit_code);

}  // namespace doorbuster
