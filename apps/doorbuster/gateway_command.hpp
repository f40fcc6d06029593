#pragma once
// `doorbuster gateway`: the reverse proxy before the instances.

#include <CLI/CLI.hpp>

namespace doorbuster {

/// Adds the subcommand; when it was chosen, it serves until SIGTERM or SIGINT, and `exit_code` says how it
/// ended.
void add_gateway_command(CLI::App& app, int& exit_code);

}  // namespace doorbuster
