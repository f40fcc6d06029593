#include "config/settings.hpp"

#include <fmt/format.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <filesystem>
#include <fstream>
#include <set>

namespace doorbuster::config {
namespace {

constexpr std::string_view kVariablePrefix = "DOORBUSTER_";
/// Where tests find their servers.
constexpr std::string_view kTestPrefix = "DOORBUSTER_TEST_";
constexpr std::array<std::string_view, 12> kRouteFields = {
    "path",   "path_suffix", "host",    "methods",    "header",    "strip",
    "prefix", "to",          "timeout", "idempotent", "exclusive", "pipelining"};

const Property* find_property(std::span<const Property> properties, std::string_view key) {
  const auto found =
      std::find_if(properties.begin(), properties.end(), [key](const auto& one) { return one.key == key; });
  return found == properties.end() ? nullptr : &*found;
}

/// A key of any role: one file serves them all.
const Property* find_anywhere(std::string_view key) {
  for (const auto role : roles()) {
    if (const auto* found = find_property(properties_of(role), key)) return found;
  }
  return nullptr;
}

std::optional<std::string> why_bad_duration(const Property& property, const std::string& value) {
  const auto duration = parse_duration(value);
  if (property.most == 0) {
    if (duration) return std::nullopt;
    return "a duration such as 250ms, 5s or 2m";
  }
  const std::chrono::milliseconds least(property.least);
  const std::chrono::milliseconds most(property.most);
  if (duration && *duration >= least && *duration <= most) return std::nullopt;
  return fmt::format("a duration from {}ms to {}ms", least.count(), most.count());
}

std::optional<std::string> why_bad(const Property& property, const std::string& value) {
  switch (property.type) {
    case Type::integer: {
      std::int64_t number = 0;
      const auto* end = value.data() + value.size();
      const auto [stop, error] = std::from_chars(value.data(), end, number);
      if (error == std::errc{} && stop == end && number >= property.least && number <= property.most)
        return std::nullopt;
      return fmt::format("an integer from {} to {}", property.least, property.most);
    }
    case Type::duration:
      return why_bad_duration(property, value);
    case Type::boolean:
      if (value == "true" || value == "false") return std::nullopt;
      return "true or false";
    case Type::optional_text:
    case Type::secret:
      return std::nullopt;
    case Type::text:
      if (!value.empty()) return std::nullopt;
      return "a text that is not empty";
  }
  return std::nullopt;
}

Error bad_value(const std::string& where, const Property& property, const std::string& value,
                const std::string& wanted) {
  return make_error(
      ErrorCode::invalid,
      fmt::format("{}: '{}' is no value for {}: {} is wanted", where, value, property.key, wanted),
      std::string(property.key));
}

/// Levenshtein's distance.
std::size_t distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);  // one row of the table at a time
  for (std::size_t j = 0; j < row.size(); ++j) row[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = std::exchange(row[0], i);
    for (std::size_t j = 1; j < row.size(); ++j) {
      const auto changed = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({changed, row[j] + 1, row[j - 1] + 1});
    }
  }
  return row.back();
}

/// The known name that is nearest to a mistyped one, when there is one that is near.
/// \param name_of makes of a key what was mistyped: the key itself, or its variable
template <class NameOf>
std::string suggestion(std::string_view mistyped, NameOf name_of) {
  std::string best;
  std::size_t best_distance = 4;
  for (const auto role : roles()) {
    for (const auto& property : properties_of(role)) {
      const std::string name = name_of(property.key);
      const auto its_distance = distance(mistyped, name);
      if (its_distance >= best_distance) continue;
      best_distance = its_distance;
      best = name;
    }
  }
  return best.empty() ? "" : fmt::format("; did you mean '{}'?", best);
}

/// Whether a variable of ours says anything to anybody.
bool known_variable(std::string_view name) {
  if (name.starts_with(kTestPrefix)) return true;
  const auto others = other_variables();
  if (std::find(others.begin(), others.end(), name) != others.end()) return true;
  for (const auto role : roles()) {
    for (const auto& property : properties_of(role)) {
      if (environment_name(property.key) == name) return true;
    }
  }
  return false;
}

}  // namespace

std::string environment_name(std::string_view key) {
  std::string name(kVariablePrefix);
  for (const char c : key)
    name += c == '.' ? '_' : static_cast<char>(c >= 'a' && c <= 'z' ? c - 'a' + 'A' : c);
  return name;
}

Result<Settings> Settings::load(std::string_view role, const Sources& sources) {
  for (const auto& name : sources.variables) {
    if (!name.starts_with(kVariablePrefix) || known_variable(name)) continue;
    return make_error(ErrorCode::invalid,
                      fmt::format("{}: there is no such setting{}", name, suggestion(name, environment_name)),
                      name);
  }
  Settings settings;
  const auto properties = properties_of(role);
  for (const auto& property : properties) settings.values_[std::string(property.key)] = property.standard;
  if (!sources.file.empty()) {
    if (const auto read = settings.read_file(role, sources.file); !read) return read.error();
  }
  for (const auto& property : properties) {
    const auto name = environment_name(property.key);
    if (const auto value = sources.environment ? sources.environment(name) : std::nullopt) {
      if (const auto wanted = why_bad(property, *value)) return bad_value(name, property, *value, *wanted);
      settings.values_[std::string(property.key)] = *value;
    }
    if (const auto flag = sources.flags.find(std::string(property.key)); flag != sources.flags.end()) {
      if (const auto wanted = why_bad(property, flag->second)) {
        return bad_value(std::string(property.flag), property, flag->second, *wanted);
      }
      settings.values_[std::string(property.key)] = flag->second;
    }
  }
  return settings;
}

Result<void> Settings::read_file(std::string_view role, const std::string& path) {
  const auto at = [&path](const YAML::Node& node) {
    return fmt::format("{}:{}", path, node.Mark().line + 1);
  };
  const auto wrong = [](std::string detail) {
    return make_error(ErrorCode::invalid, std::move(detail), "config");
  };
  std::error_code missing;
  if (!std::filesystem::is_regular_file(path, missing))
    return wrong(fmt::format("{}: there is no such file", path));
  try {
    const auto root = YAML::LoadFile(path);
    if (root.IsNull()) return {};
    if (!root.IsMap()) return wrong(fmt::format("{}:1: sections such as 'api:' are wanted", path));
    std::set<std::string> seen;
    for (const auto& section : root) {
      const auto name = section.first.as<std::string>();
      if (section.second.IsNull()) continue;
      if (!section.second.IsMap())
        return wrong(fmt::format("{}: '{}' is not a section with keys", at(section.first), name));
      for (const auto& entry : section.second) {
        const auto key = fmt::format("{}.{}", name, entry.first.as<std::string>());
        if (!seen.insert(key).second)
          return wrong(fmt::format("{}: {} is given twice", at(entry.first), key));
        if (key == "api.tokens") {
          if (!entry.second.IsSequence())
            return wrong(fmt::format("{}: api.tokens is a list", at(entry.first)));
          for (const auto& item : entry.second) {
            if (!item.IsMap())
              return wrong(fmt::format("{}: a token is {{token: ..., role: ...}}", at(item)));
            TokenEntry token;
            token.place = at(item);
            for (const auto& field : item) {
              const auto field_name = field.first.as<std::string>();
              auto* slot = field_name == "token"  ? &token.token
                           : field_name == "role" ? &token.role
                           : field_name == "sub"  ? &token.sub
                                                  : nullptr;
              if (slot == nullptr)
                return wrong(fmt::format("{}: a token has no '{}'", at(field.first), field_name));
              *slot = field.second.as<std::string>();
            }
            tokens_.push_back(std::move(token));
          }
          continue;
        }
        if (key == "gateway.routes") {
          if (!entry.second.IsSequence())
            return wrong(fmt::format("{}: gateway.routes is a list", at(entry.first)));
          for (const auto& item : entry.second) {
            if (!item.IsMap()) return wrong(fmt::format("{}: a route is {{path: ..., to: ...}}", at(item)));
            RouteItem route{{}, at(item)};
            for (const auto& field : item) {
              const auto field_name = field.first.as<std::string>();
              if (std::find(kRouteFields.begin(), kRouteFields.end(), field_name) == kRouteFields.end())
                return wrong(fmt::format("{}: a route has no '{}'", at(field.first), field_name));
              if (!field.second.IsScalar())
                return wrong(fmt::format("{}: '{}' is one value", at(field.first), field_name));
              route.fields[field_name] = field.second.as<std::string>();
            }
            routes_.push_back(std::move(route));
          }
          continue;
        }
        const auto* property = find_anywhere(key);
        if (property == nullptr)
          return wrong(
              fmt::format("{}: unknown key '{}'{}", at(entry.first), key,
                          suggestion(key, [](std::string_view known) { return std::string(known); })));
        if (!entry.second.IsScalar()) return wrong(fmt::format("{}: {} is one value", at(entry.first), key));
        const auto value = entry.second.as<std::string>();
        if (const auto wanted = why_bad(*property, value))
          return bad_value(at(entry.second), *property, value, *wanted);
        if (find_property(properties_of(role), key) != nullptr) values_[key] = value;
      }
    }
  } catch (const YAML::Exception& failed) {
    return wrong(fmt::format("{}:{}: {}", path, failed.mark.line + 1, failed.msg));
  }
  return {};
}

const std::string& Settings::text(std::string_view key) const {
  const auto found = values_.find(key);
  DOORBUSTER_ASSERT(found != values_.end());
  return found->second;
}

std::int64_t Settings::integer(std::string_view key) const {
  const auto& value = text(key);
  std::int64_t number = 0;
  std::from_chars(value.data(), value.data() + value.size(), number);
  return number;
}

Duration Settings::duration(std::string_view key) const {
  return *parse_duration(text(key));
}

Result<std::string> Settings::secret(const std::string& key) const {
  const auto& path = text(key + "_file");
  if (path.empty()) return text(key);
  const auto wrong = [&](std::string_view what) {
    return make_error(ErrorCode::invalid, fmt::format("{}_file: {} {}", key, path, what), key + "_file");
  };
  if (!text(key).empty()) return wrong(fmt::format("is given, and {}, too: only one of them", key));
  std::ifstream file(path);
  std::string line;
  if (!file || !std::getline(file, line)) return wrong("cannot be read");
  return line;
}

bool Settings::boolean(std::string_view key) const {
  return text(key) == "true";
}

}  // namespace doorbuster::config
