#pragma once
// `doorbuster bench URL ...`: the load generator as a command.

#include <CLI/App.hpp>

namespace doorbuster {

/// Adds the subcommand. When it is chosen, parsing runs the load, prints the report and sets `exit_code`:
/// 0 good, 1 usage, 2 threshold missed, 3 invariant broken, 4 run invalid, 130 interrupted.
void add_bench_command(CLI::App& app, int& exit_code);

}  // namespace doorbuster
