#include "config/settings.hpp"

#include <fmt/format.h>
#include <unistd.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <array>
#include <fstream>
#include <optional>
#include <set>
#include <sstream>

#include "config/values.hpp"

namespace doorbuster::config {
namespace {

constexpr std::string_view kPrefix = "DOORBUSTER_";
constexpr std::array<std::string_view, 3> kTokenMembers = {"token", "role", "sub"};

Error bad(const std::string& place, std::string detail, std::string_view key = {}) {
  return make_error(ErrorCode::invalid, place + ": " + std::move(detail), std::string(key));
}

bool secret(const Property& property) {
  return property.kind == Kind::tokens;
}

Error bad_value(const Property& property, const std::string& place, std::string_view text) {
  // A secret must not end up in a log by way of an error message.
  const std::string given = secret(property) ? "" : fmt::format(", not '{}'", text.substr(0, 80));
  return bad(place, fmt::format("{} must be {}{}", property.key, wanted(property), given), property.key);
}

bool within(const Property& property, std::int64_t number) {
  return number >= property.least && number <= property.most;
}

}  // namespace

/// Collects the values; the file first, what overrides it after.
class Loader {
 public:
  explicit Loader(std::span<const Property> table) : table_(table) {}

  Result<void> defaults() {
    for (const auto& property : table_) {
      if (auto set = set_text(property, std::string(property.fallback), "default"); !set) return set;
      settings_.entries_.find(property.key)->second.origin.clear();
    }
    return {};
  }

  Result<void> file(const std::string& path) {
    std::ifstream stream(path);
    std::stringstream text;
    if (!stream || !(text << stream.rdbuf())) {
      // An empty file fails the second test, too, and is fine.
      if (!stream.is_open() || stream.bad()) {
        return make_error(ErrorCode::unavailable, fmt::format("{}: cannot be read", path), "config");
      }
    }
    file_ = path;
    try {
      const auto documents = YAML::LoadAll(text.str());
      if (documents.size() > 1) return bad(path, "has more than one document");
      if (documents.empty() || documents[0].IsNull()) return {};
      if (!documents[0].IsMap())
        return bad(place(documents[0]), "the file must consist of `key: value` lines");
      return mapping(documents[0], "");
    } catch (const YAML::Exception& error) {
      return bad(error.mark.is_null() ? path : fmt::format("{}:{}", path, error.mark.line + 1), error.msg);
    }
  }

  Result<void> environment(const std::vector<std::pair<std::string, std::string>>& variables) {
    for (const auto& [name, value] : variables) {
      if (!name.starts_with(kPrefix)) continue;
      const auto* property =
          find([&, &name = name](const auto& p) { return environment_name_of(p) == name; });
      if (property != nullptr) {
        if (auto set = set_text(*property, value, name); !set) return set;
      } else if (of_a_section(name)) {
        std::vector<std::string> names;
        for (const auto& p : table_) names.push_back(environment_name_of(p));
        return bad(name, "there is no such setting" + meant(name, names));
      }
    }
    return {};
  }

  Result<void> flags(const std::map<std::string, std::string, std::less<>>& flags) {
    for (const auto& [key, value] : flags) {
      const auto* property = find([&, &key = key](const auto& p) { return p.key == key; });
      DOORBUSTER_ASSERT(property != nullptr);
      if (auto set = set_text(*property, value, flag_of(*property)); !set) return set;
    }
    return {};
  }

  Settings take() { return std::move(settings_); }

 private:
  template <class Predicate>
  const Property* find(Predicate predicate) const {
    const auto found = std::find_if(table_.begin(), table_.end(), predicate);
    return found == table_.end() ? nullptr : &*found;
  }

  std::string place(const YAML::Node& node) const {
    return fmt::format("{}:{}", file_, node.Mark().line + 1);
  }

  static std::string meant(std::string_view given, const std::vector<std::string>& names) {
    const auto near = nearest(given, names);
    return near.empty() ? std::string() : fmt::format("; did you mean {}?", near);
  }

  /// Is it meant for us? DOORBUSTER_API_PROT is; other variables with our prefix belong to tests and tools.
  bool of_a_section(std::string_view name) const {
    return find([&](const auto& property) {
             if (section_of(property).empty()) return false;
             const auto full = environment_name_of(property);
             return name.starts_with(
                 std::string_view(full).substr(0, kPrefix.size() + section_of(property).size() + 1));
           }) != nullptr;
  }

  Result<void> mapping(const YAML::Node& node, const std::string& prefix) {
    std::set<std::string> seen;
    for (const auto& member : node) {
      if (!member.first.IsScalar()) return bad(place(member.first), "a key must be a name");
      const std::string key = prefix + member.first.Scalar();
      if (!seen.insert(key).second)
        return bad(place(member.first), fmt::format("{} is given twice", key), key);
      if (auto taken = take(member.first, member.second, key); !taken) return taken;
    }
    return {};
  }

  Result<void> take(const YAML::Node& name, const YAML::Node& value, const std::string& key) {
    if (const auto* property = find([&](const auto& p) { return p.key == key; })) {
      // A value that is not there has no place of its own.
      return set_node(*property, value, place(value.IsNull() ? name : value));
    }
    if (find([&](const auto& p) { return section_of(p) == key; }) != nullptr) {
      if (value.IsNull()) return {};
      if (value.IsMap()) return mapping(value, key + ".");
      return bad(place(value), fmt::format("{} is a section: its keys stand below it", key), key);
    }
    std::vector<std::string> names;
    for (const auto& p : table_) names.emplace_back(p.key);
    return bad(place(name), fmt::format("there is no key '{}'{}", key, meant(key, names)), key);
  }

  Result<void> set_node(const Property& property, const YAML::Node& node, const std::string& where) {
    if (property.kind == Kind::tokens) return set_tokens(property, node, where);
    if (node.IsNull()) return bad(where, fmt::format("{} has no value", property.key), property.key);
    if (!node.IsScalar())
      return bad(where, fmt::format("{} must be {}", property.key, wanted(property)), property.key);
    return set_scalar(property, node.Scalar(), where);
  }

  /// A value from a flag, the environment or the table; a list is written as in the file: [{token: ...}].
  Result<void> set_text(const Property& property, const std::string& text, const std::string& where) {
    if (property.kind != Kind::tokens) return set_scalar(property, text, where);
    try {
      return set_tokens(property, YAML::Load(text), where);
    } catch (const YAML::Exception&) {
      return bad_value(property, where, text);
    }
  }

  Result<void> set_scalar(const Property& property, const std::string& text, const std::string& where) {
    Settings::Value value;
    switch (property.kind) {
      case Kind::path:
        if (text.empty()) return bad_value(property, where, text);
        [[fallthrough]];
      case Kind::text:
        value = text;
        break;
      case Kind::boolean: {
        const auto flag = parse_boolean(text);
        if (!flag) return bad_value(property, where, text);
        value = *flag;
        break;
      }
      case Kind::integer:
      case Kind::size: {
        const auto number = property.kind == Kind::size ? parse_size(text) : parse_integer(text);
        if (!number || !within(property, *number)) return bad_value(property, where, text);
        value = *number;
        break;
      }
      case Kind::duration: {
        const auto duration = parse_duration(text);
        if (!duration || !within(property, duration->count())) return bad_value(property, where, text);
        value = *duration;
        break;
      }
      case Kind::tokens:
        DOORBUSTER_ASSERT(false);
    }
    settings_.entries_.insert_or_assign(std::string(property.key), Settings::Entry{std::move(value), where});
    return {};
  }

  Result<void> set_tokens(const Property& property, const YAML::Node& node, const std::string& where) {
    std::vector<Record> records;
    if (!node.IsNull() && !node.IsSequence()) return bad_value(property, where, {});
    for (const auto& item : node) {
      const auto item_place = where.starts_with(file_ + ":") && !file_.empty() ? place(item) : where;
      if (!item.IsMap()) return bad_value(property, item_place, {});
      Record record;
      for (const auto& member : item) {
        const auto& name = member.first.Scalar();
        if (!member.first.IsScalar() || !member.second.IsScalar() ||
            std::find(kTokenMembers.begin(), kTokenMembers.end(), name) == kTokenMembers.end()) {
          return bad(item_place,
                     fmt::format("an entry of {} has token, role and sub, each a text", property.key),
                     property.key);
        }
        record.emplace_back(name, member.second.Scalar());
      }
      records.push_back(std::move(record));
    }
    settings_.entries_.insert_or_assign(std::string(property.key),
                                        Settings::Entry{std::move(records), where});
    return {};
  }

  std::span<const Property> table_;
  std::string file_;
  Settings settings_;
};

std::vector<std::pair<std::string, std::string>> process_environment() {
  std::vector<std::pair<std::string, std::string>> variables;
  for (char** variable = environ; *variable != nullptr; ++variable) {
    const std::string_view text = *variable;
    const auto equals = text.find('=');
    if (equals != std::string_view::npos)
      variables.emplace_back(text.substr(0, equals), text.substr(equals + 1));
  }
  return variables;
}

Result<Settings> Settings::load(std::span<const Property> table, const Sources& sources) {
  Loader loader(table);
  if (auto set = loader.defaults(); !set) return set.error();
  if (!sources.file.empty()) {
    if (auto set = loader.file(sources.file); !set) return set.error();
  }
  if (auto set = loader.environment(sources.environment); !set) return set.error();
  if (auto set = loader.flags(sources.flags); !set) return set.error();
  return loader.take();
}

const Settings::Entry& Settings::entry(std::string_view key) const {
  const auto found = entries_.find(key);
  DOORBUSTER_ASSERT(found != entries_.end());
  return found->second;
}

const std::string& Settings::text(std::string_view key) const {
  const auto* value = std::get_if<std::string>(&entry(key).value);
  DOORBUSTER_ASSERT(value != nullptr);
  return *value;
}

std::int64_t Settings::integer(std::string_view key) const {
  const auto* value = std::get_if<std::int64_t>(&entry(key).value);
  DOORBUSTER_ASSERT(value != nullptr);
  return *value;
}

bool Settings::boolean(std::string_view key) const {
  const auto* value = std::get_if<bool>(&entry(key).value);
  DOORBUSTER_ASSERT(value != nullptr);
  return *value;
}

Duration Settings::duration(std::string_view key) const {
  const auto* value = std::get_if<Duration>(&entry(key).value);
  DOORBUSTER_ASSERT(value != nullptr);
  return *value;
}

const std::vector<Record>& Settings::records(std::string_view key) const {
  const auto* value = std::get_if<std::vector<Record>>(&entry(key).value);
  DOORBUSTER_ASSERT(value != nullptr);
  return *value;
}

const std::string& Settings::origin(std::string_view key) const {
  return entry(key).origin;
}

}  // namespace doorbuster::config
