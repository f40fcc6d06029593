#pragma once
// How a command says that it cannot go on: one line on stderr, which names the key of the configuration where
// one is to blame, and exit status 1.

#include <cstdio>
#include <string>

#include "base/error.hpp"

namespace doorbuster {

inline constexpr int kUsageExit = 1;

/// `doorbuster api: cannot listen on 127.0.0.1:8081: Address already in use`
inline int exit_with(const char* command, const Error& error) {
  const bool names_its_key = error.field.empty() || error.detail.find(error.field) != std::string::npos;
  const std::string key = names_its_key ? "" : " (see " + error.field + ")";
  std::fprintf(stderr, "doorbuster %s: %s%s\n", command, error.detail.c_str(), key.c_str());
  return kUsageExit;
}

}  // namespace doorbuster
