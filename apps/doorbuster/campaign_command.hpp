#pragma once
// `doorbuster campaign create | list | show | set | close`: campaigns over the HTTP API.

#include <CLI/CLI.hpp>

namespace doorbuster {

/// Adds the subcommand. When it was chosen, `exit_code` says how it ended: 0 good, 1 usage, refused or not
/// reachable.
void add_campaign_command(CLI::App& app, int& exit_code);

}  // namespace doorbuster
