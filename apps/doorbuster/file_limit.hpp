#pragma once
// Connections are files: the usual soft limit of 1024 would end a crowd there.

#include <sys/resource.h>

namespace doorbuster {

inline void raise_file_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

}  // namespace doorbuster
