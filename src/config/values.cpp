#include <algorithm>
#include <array>
#include <charconv>
#include <numeric>
#include <string>
#include <utility>
#include <vector>

#include "config/values.hpp"

namespace doorbuster::config {
namespace {

/// Levenshtein's distance: insertions, deletions and replacements from `a` to `b`.
std::size_t distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 0; i < a.size(); ++i) {
    std::size_t diagonal = std::exchange(row[0], i + 1);
    for (std::size_t j = 0; j < b.size(); ++j) {
      const std::size_t replaced = diagonal + (a[i] == b[j] ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = std::min({replaced, row[j] + 1, row[j + 1] + 1});
    }
  }
  return row.back();
}

}  // namespace

std::optional<std::int64_t> parse_integer(std::string_view text) {
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return number;
}

std::optional<bool> parse_boolean(std::string_view text) {
  if (text == "true") return true;
  if (text == "false") return false;
  return std::nullopt;
}

std::optional<std::int64_t> parse_size(std::string_view text) {
  constexpr std::array<std::pair<std::string_view, int>, 3> kUnits = {
      {{"KiB", 10}, {"MiB", 20}, {"GiB", 30}}};
  int shift = 0;
  for (const auto& [unit, bits] : kUnits) {
    if (!text.ends_with(unit)) continue;
    text.remove_suffix(unit.size());
    shift = bits;
  }
  const auto number = parse_integer(text);
  if (!number || *number < 0 || *number > (std::int64_t{1} << 62) >> shift) return std::nullopt;
  return *number << shift;
}

std::string_view nearest(std::string_view text, const std::vector<std::string>& names) {
  std::string_view best;
  std::size_t least = std::max<std::size_t>(2, text.size() / 4) + 1;
  for (const auto& name : names) {
    if (const auto far = distance(text, name); far < least) {
      least = far;
      best = name;
    }
  }
  return best;
}

}  // namespace doorbuster::config
