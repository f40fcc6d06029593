#include "core/leases/instance.hpp"

#include <algorithm>

namespace doorbuster::leases {
namespace {

constexpr std::array<std::string_view, kStatuses> kStatusNames = {"DOWN", "OUT_OF_SERVICE", "STARTING",
                                                                  "UNKNOWN", "UP"};
static_assert(std::is_sorted(kStatusNames.begin(), kStatusNames.end()));
constexpr std::array<std::string_view, 3> kActionNames = {"ADDED", "MODIFIED", "DELETED"};

}  // namespace

std::string_view to_text(InstanceStatus status) {
  return kStatusNames[static_cast<std::size_t>(status)];
}

std::optional<InstanceStatus> parse_status(std::string_view text) {
  for (std::size_t i = 0; i < kStatusNames.size(); ++i) {
    if (kStatusNames[i] == text) return static_cast<InstanceStatus>(i);
  }
  return std::nullopt;
}

std::string_view to_text(Action action) {
  return kActionNames[static_cast<std::size_t>(action)];
}

std::optional<Action> parse_action(std::string_view text) {
  for (std::size_t i = 0; i < kActionNames.size(); ++i) {
    if (kActionNames[i] == text) return static_cast<Action>(i);
  }
  return std::nullopt;
}

const std::string* find_value(const NamedValues& values, std::string_view name) {
  const auto found =
      std::find_if(values.begin(), values.end(), [&](auto& pair) { return pair.first == name; });
  return found == values.end() ? nullptr : &found->second;
}

void set_value(NamedValues& values, std::string_view name, std::string_view value) {
  const auto found =
      std::find_if(values.begin(), values.end(), [&](auto& pair) { return pair.first == name; });
  if (found == values.end()) {
    values.emplace_back(name, value);
  } else {
    found->second = value;
  }
}

std::string hash_code(const StatusCounts& counts) {
  std::string hash;
  for (std::size_t i = 0; i < counts.size(); ++i) {
    if (counts[i] == 0) continue;
    hash += kStatusNames[i];
    hash += '_';
    hash += std::to_string(counts[i]);
    hash += '_';
  }
  return hash;
}

}  // namespace doorbuster::leases
