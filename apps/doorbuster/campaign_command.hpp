#pragma once
// `doorbuster campaign create | list | show | set | close`, over the HTTP API.

#include <CLI/CLI.hpp>

namespace doorbuster {

/// Adds the subcommand and its own; `exit_code`: 0 done, 1 not, with one line on stderr.
void add_campaign_command(CLI::App& app, int& exit_code);

}  // namespace doorbuster
