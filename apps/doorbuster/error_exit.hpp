#pragma once
// How a command says that it cannot go on: one line on stderr, exit status 1.

#include <cstdio>

#include "base/error.hpp"

namespace doorbuster {

inline constexpr int kUsageExit = 1;

/// `doorbuster api: cannot listen on 127.0.0.1:8081: Address already in use`
inline int exit_with(const char* command, const Error& error) {
  std::fprintf(stderr, "doorbuster %s: %s\n", command, error.detail.c_str());
  return kUsageExit;
}

}  // namespace doorbuster
