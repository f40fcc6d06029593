#pragma once
// `doorbuster bench`: puts a campaign under load and says how it held.

#include <CLI/CLI.hpp>

namespace doorbuster {

/// Adds the subcommand. When it was chosen, `exit_code` says how it ended: 0 good, 1 usage, 2 a threshold was
/// missed, 3 an invariant is broken, 4 the run is invalid, 130 interrupted (the report is written all the
/// same).
void add_bench_command(CLI::App& app, int& exit_code);

}  // namespace doorbuster
