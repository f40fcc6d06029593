#pragma once
// `doorbuster up`: the whole system on this machine, each role a process of its own, started again when it
// dies.

#include <CLI/CLI.hpp>

namespace doorbuster {

/// Adds the subcommand. When it was chosen, `exit_code` says how it ended: 0 after Ctrl-C, 1 when it could
/// not start.
void add_up_command(CLI::App& app, int& exit_code);

}  // namespace doorbuster
