#include <fmt/format.h>

#include <boost/json.hpp>

#include "proto/eureka/codec.hpp"
#include "proto/eureka/fields.hpp"
#include "proto/eureka/readers.hpp"
#include "proto/eureka/text.hpp"

namespace doorbuster::eureka {

using leases::InstanceInfo;

namespace {

namespace json = boost::json;

/// The text of a scalar. nullopt for null, objects and arrays.
std::optional<std::string> text_of(const json::value& value) {
  switch (value.kind()) {
    case json::kind::string:
      return std::string(value.get_string());
    case json::kind::bool_:
      return value.get_bool() ? "true" : "false";
    case json::kind::int64:
      return std::to_string(value.get_int64());
    case json::kind::uint64:
      return std::to_string(value.get_uint64());
    case json::kind::double_: {  // 1.7e12 is a time, too
      const double number = value.get_double();
      if (number > -9e15 && number < 9e15) return std::to_string(static_cast<std::int64_t>(number));
      return std::nullopt;
    }
    default:
      return std::nullopt;
  }
}

Error wrong_kind(std::string_view field, std::string_view wanted) {
  return make_error(ErrorCode::invalid, fmt::format("{} is {}", field, wanted), std::string(field));
}

/// `{"$": 8080, "@enabled": "true"}`, a bare number, or a number in a string.
Result<void> read_port(leases::Port& port, std::string_view field, const json::value& value) {
  const auto* object = value.if_object();
  if (object == nullptr) {
    const auto text = text_of(value);
    if (!text)
      return value.is_null() ? Result<void>() : wrong_kind(field, "a number or {\"$\", \"@enabled\"}");
    return set_port_number(port, field, *text);
  }
  for (const auto& [name, member] : *object) {
    const auto text = text_of(member);
    if (!text) continue;
    if (name == "$") {
      if (const auto set = set_port_number(port, field, *text); !set) return set;
    } else if (name == "@enabled") {
      set_port_enabled(port, *text);
    }
  }
  return {};
}

void read_map(leases::NamedValues& values, const json::value& value) {
  const auto* object = value.if_object();
  if (object == nullptr) return;
  for (const auto& [name, member] : *object) {
    if (name == "@class") continue;
    // What is no scalar is kept as its JSON: a map of Java's has texts only.
    auto text = text_of(member);
    if (!text && !member.is_null()) text = json::serialize(member);
    if (text) values.emplace_back(std::string(name), std::move(*text));
  }
}

Result<void> read_member(InstanceInfo& instance, std::string_view name, const json::value& value) {
  if (name == "port") return read_port(instance.port, name, value);
  if (name == "securePort") return read_port(instance.secure_port, name, value);
  if (name == "metadata") {
    read_map(instance.metadata, value);
    return {};
  }
  const auto* object = value.if_object();
  if (name == "leaseInfo") {
    if (object == nullptr) return {};
    for (const auto& [member, number] : *object) {
      const auto text = text_of(number);
      if (!text) continue;
      if (const auto set = set_lease_field(instance.lease, member, *text); !set) return set;
    }
    return {};
  }
  if (name == "dataCenterInfo") {
    if (object == nullptr) return {};
    for (const auto& [member, of_it] : *object) {
      if (member == "name") set_data_center(instance, text_of(of_it).value_or(""));
      if (member == "metadata") read_map(instance.data_center_metadata, of_it);
    }
    return {};
  }
  const auto text = text_of(value);
  return text ? set_field(instance, name, *text) : Result<void>();
}

Result<InstanceInfo> instance_of(const json::value& value) {
  const auto* object = value.if_object();
  if (object == nullptr) return wrong_kind("instance", "an object");
  InstanceInfo instance;
  for (const auto& [name, member] : *object) {
    if (const auto read = read_member(instance, name, member); !read) return read.error();
  }
  complete(instance);
  return instance;
}

/// Calls `each` with the items of an array, with a single object itself (as older servers write a list of
/// one), or not at all.
template <class Each>
Result<void> for_each_item(const json::value& value, Each each) {
  if (const auto* items = value.if_array()) {
    for (const auto& item : *items) {
      if (Result<void> done = each(item); !done) return done;
    }
  } else if (value.is_object()) {
    return each(value);
  }
  return {};
}

Result<leases::Application> application_of(const json::value& value) {
  const auto* object = value.if_object();
  if (object == nullptr) return wrong_kind("application", "an object");
  leases::Application application;
  for (const auto& [name, member] : *object) {
    if (name == "name") application.name = upper_case(text_of(member).value_or(""));
    if (name != "instance") continue;
    const auto read = for_each_item(member, [&](const json::value& item) -> Result<void> {
      auto instance = instance_of(item);
      if (!instance) return instance.error();
      application.instances.push_back(std::move(*instance));
      return {};
    });
    if (!read) return read.error();
  }
  return application;
}

Result<json::value> parse(std::string_view text, json::storage_ptr memory) {
  boost::system::error_code error;
  json::stream_parser parser(std::move(memory));
  std::size_t taken = parser.write_some(text.data(), text.size(), error);
  if (!error && taken < text.size()) {
    // Blanks alone may follow.
    if (text.find_first_not_of(" \t\r\n", taken) != std::string_view::npos) error = json::error::extra_data;
  }
  if (!error) parser.finish(error);
  if (error) {
    return make_error(ErrorCode::malformed, fmt::format("no JSON at byte {}: {}", taken, error.message()));
  }
  return parser.release();
}

/// The value under the root's only name, or the root itself.
const json::value& unwrapped(const json::value& root, std::string_view name) {
  const auto* object = root.if_object();
  const auto* inner = object == nullptr ? nullptr : object->if_contains(name);
  return inner == nullptr ? root : *inner;
}

}  // namespace

Result<InstanceInfo> read_instance_json(std::string_view text) {
  json::monotonic_resource memory;
  const auto root = parse(text, &memory);
  if (!root) return root.error();
  return instance_of(unwrapped(*root, "instance"));
}

Result<leases::Application> read_application_json(std::string_view text) {
  json::monotonic_resource memory;
  const auto root = parse(text, &memory);
  if (!root) return root.error();
  return application_of(unwrapped(*root, "application"));
}

Result<leases::Applications> read_applications_json(std::string_view text) {
  json::monotonic_resource memory;
  const auto root = parse(text, &memory);
  if (!root) return root.error();
  const auto* object = unwrapped(*root, "applications").if_object();
  if (object == nullptr) return wrong_kind("applications", "an object");
  leases::Applications applications;
  for (const auto& [name, member] : *object) {
    if (name == "versions__delta") {
      applications.version = parse_number(text_of(member).value_or("")).value_or(-1);
    } else if (name == "apps__hashcode") {
      applications.hash_code = text_of(member).value_or("");
    } else if (name == "application") {
      const auto read = for_each_item(member, [&](const json::value& item) -> Result<void> {
        auto application = application_of(item);
        if (!application) return application.error();
        applications.applications.push_back(std::move(*application));
        return {};
      });
      if (!read) return read.error();
    }
  }
  return applications;
}

}  // namespace doorbuster::eureka
