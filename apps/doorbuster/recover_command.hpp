#pragma once
// `doorbuster recover`: makes a ledger in Redis say what database and log say.

#include <CLI/CLI.hpp>

namespace doorbuster {

void add_recover_command(CLI::App& app, int& exit_code);

}  // namespace doorbuster
