#pragma once
// `doorbuster api`: the embedded system as one process.

#include <CLI/CLI.hpp>

namespace doorbuster {

/// Adds the subcommand. When it was chosen, `exit_code` says how it ended: 0 after SIGTERM or SIGINT, 1 when
/// it could not start.
void add_api_command(CLI::App& app, int& exit_code);

}  // namespace doorbuster
