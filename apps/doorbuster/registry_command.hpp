#pragma once
// `doorbuster registry`: where instances say where they are, by Eureka's protocol.

#include <CLI/CLI.hpp>

namespace doorbuster {

void add_registry_command(CLI::App& app, int& exit_code);

}  // namespace doorbuster
