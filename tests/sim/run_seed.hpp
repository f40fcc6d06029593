#pragma once
// What sim_main.cpp runs; each simulated world defines it.

#include <cstdint>
#include <optional>
#include <string>

namespace doorbuster::sim {

/// One run of the world that `seed` stands for. \returns the first broken promise
std::optional<std::string> run_seed(std::uint64_t seed);

}  // namespace doorbuster::sim
