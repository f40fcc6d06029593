#pragma once
// What the campaign's limit is, asked of the target itself: a number above it is a broken promise.

#include <cstdint>
#include <optional>
#include <string_view>

#include "loadlab/options.hpp"

namespace doorbuster::loadlab {

/// `"limit"` in the body of `GET /v1/campaigns/{id}`; nullopt when it is no such object.
std::optional<std::uint64_t> limit_in(std::string_view body);

/// Asks the first target, unless it was given with a path of its own. Blocking, two seconds at most. nullopt
/// when the target does not say: it is a null target, or wants a token of another role.
std::optional<std::uint64_t> ask_limit(const Options& options);

}  // namespace doorbuster::loadlab
