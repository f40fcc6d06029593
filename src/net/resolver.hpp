#pragma once
// Host names to IP addresses, without blocking the shard.

#include <string>
#include <vector>

#include "base/unique_function.hpp"
#include "rt/shard.hpp"

namespace doorbuster::net {

/// `done` is called on the shard. \returns to it: unavailable; otherwise at least one address, IPv4 first
void resolve(rt::Shard& shard, const std::string& host,
             UniqueFunction<void(Result<std::vector<std::string>>)> done);

}  // namespace doorbuster::net
