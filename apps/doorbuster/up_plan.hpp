#pragma once
// Which processes `up` runs, with which flags, on which ports.

#include <string>
#include <vector>

#include "apps/doorbuster/supervisor.hpp"
#include "config/settings.hpp"

namespace doorbuster {

struct UpFlags {
  std::string config_file;
  std::vector<std::string> api;  ///< handed on, as given
  std::vector<std::string> gateway;
  std::vector<std::string> worker;
};

struct UpPlan {
  std::vector<ChildPlan> children;
  std::string greeting;
};

/// Everything that can be known to be wrong is said here, before anything is started. \returns invalid,
/// unavailable (a port in use), conflict (the data belong to another process)
Result<UpPlan> plan_up(const config::Settings& settings, const UpFlags& flags);

}  // namespace doorbuster
