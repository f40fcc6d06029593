#pragma once
// What holds for whatever a registration or a list says: written in either format, it reads back the same.

#include "proto/eureka/codec.hpp"
#include "tests/fuzz/fuzz_support.hpp"

namespace doorbuster::fuzz {

/// Without what XML cannot hold: control characters and U+FFFE, U+FFFF become U+FFFD there, and texts lose
/// the blanks around them.
inline bool xml_holds(const leases::InstanceInfo& instance) {
  const auto plain = [](std::string_view text) {
    for (const char c : text) {
      if (static_cast<unsigned char>(c) < 0x21) return false;
    }
    return text.find("\xef\xbf\xbe") == std::string_view::npos &&
           text.find("\xef\xbf\xbf") == std::string_view::npos;
  };
  bool holds = true;
  for (const auto* text :
       {&instance.instance_id, &instance.host_name, &instance.app, &instance.ip_address, &instance.sid,
        &instance.app_group, &instance.home_page_url, &instance.status_page_url, &instance.health_check_url,
        &instance.secure_health_check_url, &instance.vip_address, &instance.secure_vip_address,
        &instance.asg_name}) {
    holds = holds && plain(*text);
  }
  for (const auto* values : {&instance.metadata, &instance.data_center_metadata}) {
    for (const auto& [name, value] : *values) holds = holds && plain(name) && !name.empty() && plain(value);
  }
  return holds;
}

/// What a reader leaves out or makes of what it has read: `na` is no sid, an id comes from elsewhere.
inline leases::InstanceInfo normal(leases::InstanceInfo instance) {
  if (instance.sid == "na" || instance.sid == "unknown") instance.sid.clear();
  return instance;
}

inline void check_roundtrip(const leases::InstanceInfo& instance) {
  for (const auto format : {eureka::Format::json, eureka::Format::xml}) {
    if (format == eureka::Format::xml && !xml_holds(instance)) continue;
    // A member named @class is taken for Java's note of a type.
    if (leases::find_value(instance.metadata, "@class") != nullptr) continue;
    if (leases::find_value(instance.data_center_metadata, "@class") != nullptr) continue;
    const auto text = eureka::write_instance(format, instance);
    const auto again = eureka::read_instance(format, text);
    check(again.has_value(), "what is written can be read");
    check(normal(*again) == normal(instance), "what is written reads back the same");
  }
}

inline void check_list(eureka::Format format, std::string_view text) {
  const auto read = eureka::read_applications(format, text);
  if (!read) {
    check(!read.error().detail.empty(), "an error says what is wrong");
    return;
  }
  for (const auto written : {eureka::Format::json, eureka::Format::xml}) {
    const auto again = eureka::read_applications(written, eureka::write_applications(written, *read));
    check(again.has_value(), "a list that is written can be read");
    check(again->version == read->version, "a list keeps its version");
    check(again->applications.size() == read->applications.size(), "no app is lost");
    if (written == eureka::Format::json) check(again->hash_code == read->hash_code, "and its hash code");
  }
}

}  // namespace doorbuster::fuzz
