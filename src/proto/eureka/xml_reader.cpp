#include <fmt/format.h>

#include "proto/eureka/codec.hpp"
#include "proto/eureka/fields.hpp"
#include "proto/eureka/readers.hpp"
#include "proto/eureka/text.hpp"
#include "proto/eureka/xml.hpp"

namespace doorbuster::eureka {

using leases::InstanceInfo;

namespace {

/// Without the line breaks of a document that was written for people.
std::string_view trimmed(std::string_view text) {
  const auto begin = text.find_first_not_of(" \t\r\n");
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t\r\n") - begin + 1);
}

void read_map(leases::NamedValues& values, const XmlElement& element) {
  for (const auto& child : element.children) {
    leases::set_value(values, child.name, child.children.empty() ? child.text : trimmed(child.text));
  }
}

Result<void> read_port(leases::Port& port, const XmlElement& element) {
  if (const auto* enabled = element.attribute("enabled")) set_port_enabled(port, *enabled);
  return set_port_number(port, element.name, trimmed(element.text));
}

Result<void> read_child(InstanceInfo& instance, const XmlElement& child) {
  if (child.name == "port") return read_port(instance.port, child);
  if (child.name == "securePort") return read_port(instance.secure_port, child);
  if (child.name == "metadata") {
    read_map(instance.metadata, child);
    return {};
  }
  if (child.name == "leaseInfo") {
    for (const auto& field : child.children) {
      if (const auto set = set_lease_field(instance.lease, field.name, trimmed(field.text)); !set) return set;
    }
    return {};
  }
  if (child.name == "dataCenterInfo") {
    for (const auto& field : child.children) {
      if (field.name == "name") set_data_center(instance, trimmed(field.text));
      if (field.name == "metadata") read_map(instance.data_center_metadata, field);
    }
    return {};
  }
  return set_field(instance, child.name, trimmed(child.text));
}

Result<InstanceInfo> instance_of(const XmlElement& element) {
  InstanceInfo instance;
  for (const auto& child : element.children) {
    if (const auto read = read_child(instance, child); !read) return read.error();
  }
  complete(instance);
  return instance;
}

Result<leases::Application> application_of(const XmlElement& element) {
  leases::Application application;
  for (const auto& child : element.children) {
    if (child.name == "name") application.name = upper_case(trimmed(child.text));
    if (child.name != "instance") continue;
    auto instance = instance_of(child);
    if (!instance) return instance.error();
    application.instances.push_back(std::move(*instance));
  }
  return application;
}

Result<XmlElement> parse_root(std::string_view text, std::string_view name) {
  auto root = parse_xml(text);
  if (root && root->name != name) {
    return make_error(ErrorCode::invalid,
                      fmt::format("the root is <{}>, not <{}>", root->name.substr(0, 64), name),
                      std::string(name));
  }
  return root;
}

}  // namespace

Result<InstanceInfo> read_instance_xml(std::string_view text) {
  // Netflix's own clients name the class: <com.netflix.appinfo.InstanceInfo> in the oldest.
  const auto root = parse_xml(text);
  if (!root) return root.error();
  if (root->name != "instance" && !root->name.ends_with(".InstanceInfo")) {
    return make_error(ErrorCode::invalid,
                      fmt::format("the root is <{}>, not <instance>", root->name.substr(0, 64)), "instance");
  }
  return instance_of(*root);
}

Result<leases::Application> read_application_xml(std::string_view text) {
  const auto root = parse_root(text, "application");
  if (!root) return root.error();
  return application_of(*root);
}

Result<leases::Applications> read_applications_xml(std::string_view text) {
  const auto root = parse_root(text, "applications");
  if (!root) return root.error();
  leases::Applications applications;
  for (const auto& child : root->children) {
    // XStream's escapes are undone by now: the element is <versions__delta>.
    if (child.name == "versions_delta") {
      applications.version = parse_number(trimmed(child.text)).value_or(-1);
    } else if (child.name == "apps_hashcode") {
      applications.hash_code = trimmed(child.text);
    } else if (child.name == "application") {
      auto application = application_of(child);
      if (!application) return application.error();
      applications.applications.push_back(std::move(*application));
    }
  }
  return applications;
}

}  // namespace doorbuster::eureka
