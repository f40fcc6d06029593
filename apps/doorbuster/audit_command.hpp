#pragma once
// `doorbuster audit`: checks the promises of the contract over a data folder, a running api and the
// acknowledgements that clients wrote down.

#include <CLI/CLI.hpp>

namespace doorbuster {

/// Adds the subcommand. When it was chosen, `exit_code` says how it ended: 0 good, 3 a promise is broken,
/// 1 usage, or something could not be read.
void add_audit_command(CLI::App& app, int& exit_code);

}  // namespace doorbuster
