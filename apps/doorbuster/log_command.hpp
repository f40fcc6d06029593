#pragma once
// `doorbuster log`: prints the embedded event log as lines of JSON.

#include <CLI/CLI.hpp>

namespace doorbuster {

void add_log_command(CLI::App& app, int& exit_code);

}  // namespace doorbuster
