#pragma once
// `doorbuster worker`: from Kafka into the database. `doorbuster worker replay`: puts dead letters back.

#include <CLI/CLI.hpp>

namespace doorbuster {

void add_worker_command(CLI::App& app, int& exit_code);

}  // namespace doorbuster
