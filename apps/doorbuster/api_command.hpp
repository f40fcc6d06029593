#pragma once
// `doorbuster api`: one process of the embedded system.

#include <CLI/CLI.hpp>

namespace doorbuster {

/// Adds the subcommand; when it was chosen, it serves until SIGTERM or SIGINT, and `exit_code` says how it
/// ended.
void add_api_command(CLI::App& app, int& exit_code);

}  // namespace doorbuster
