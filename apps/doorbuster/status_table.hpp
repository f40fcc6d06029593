#pragma once
// The table of processes that `up` shows, as text; without a terminal.

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace doorbuster {

struct ProcessStatus {
  std::string name;  ///< `api-1`
  int pid = 0;       ///< 0: it does not run
  int port = 0;
  std::string state;  ///< `ready`, `starting`, `restarting in 2 s`
  std::uint64_t restarts = 0;
  std::optional<double> requests_per_second;
  std::optional<double> cpu_percent;  ///< of one core
  std::optional<std::uint64_t> memory_bytes;
};

/// One line for the heads and one for each process, none longer than `width`. In a narrow terminal the less
/// important columns are left out, then what is left is cut.
std::vector<std::string> render_table(const std::vector<ProcessStatus>& processes, std::size_t width);

/// `1,234`, `12.3 k`: short enough for a column.
std::string short_number(double number);
/// `8 MB`.
std::string short_bytes(std::uint64_t bytes);

}  // namespace doorbuster
