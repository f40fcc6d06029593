#pragma once
// Reads single values as text. Errors name no place: the caller knows it.

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.hpp"

namespace doorbuster::config {

std::optional<std::int64_t> parse_integer(std::string_view text);
std::optional<bool> parse_boolean(std::string_view text);
/// `4096`, `64KiB`, `16MiB`, `2GiB`.
std::optional<std::int64_t> parse_size(std::string_view text);
/// The one of `names` that `text` was probably meant to be; empty when none is near.
std::string_view nearest(std::string_view text, const std::vector<std::string>& names);

}  // namespace doorbuster::config
