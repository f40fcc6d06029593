// Answers, in the order and the spellings that Netflix's server uses: clients have come to depend on both.

#include <fmt/format.h>

#include "proto/eureka/codec.hpp"
#include "proto/eureka/text.hpp"

namespace doorbuster::eureka {

using leases::InstanceInfo;

namespace {

constexpr std::string_view kEmptyMap = "java.util.Collections$EmptyMap";

std::string_view class_of(const std::string& data_center) {
  return data_center == "Amazon" ? "com.netflix.appinfo.AmazonInfo"
                                 : "com.netflix.appinfo.InstanceInfo$DefaultDataCenterInfo";
}

bool has_sid(const InstanceInfo& instance) {
  return !instance.sid.empty() && instance.sid != "na" && instance.sid != "unknown";
}

/// The fields at the end, all of them texts: `put(name, text)` for each that has a value.
template <class Put>
void each_late_field(const InstanceInfo& instance, Put put) {
  const auto put_text = [&](std::string_view name, const std::string& text) {
    if (!text.empty()) put(name, text);
  };
  put_text("appGroupName", instance.app_group);
  put_text("homePageUrl", instance.home_page_url);
  put_text("statusPageUrl", instance.status_page_url);
  put_text("healthCheckUrl", instance.health_check_url);
  put_text("secureHealthCheckUrl", instance.secure_health_check_url);
  put_text("vipAddress", instance.vip_address);
  put_text("secureVipAddress", instance.secure_vip_address);
  put("isCoordinatingDiscoveryServer", instance.is_coordinating_discovery_server ? "true" : "false");
  const auto put_time = [&](std::string_view name, std::int64_t milliseconds) {
    char digits[24];
    const auto end = std::to_chars(digits, digits + sizeof digits, milliseconds).ptr;
    put(name, std::string_view(digits, end));
  };
  if (instance.last_updated_ms != 0) put_time("lastUpdatedTimestamp", instance.last_updated_ms);
  if (instance.last_dirty_ms != 0) put_time("lastDirtyTimestamp", instance.last_dirty_ms);
  if (instance.action) put("actionType", to_text(*instance.action));
  put_text("asgName", instance.asg_name);
}

template <class Put>
void each_lease_field(const leases::LeaseInfo& lease, Put put) {
  put("renewalIntervalInSecs", lease.renewal_interval_s);
  put("durationInSecs", lease.duration_s);
  put("registrationTimestamp", lease.registered_ms);
  put("lastRenewalTimestamp", lease.last_renewal_ms);
  put("evictionTimestamp", lease.evicted_ms);
  put("serviceUpTimestamp", lease.service_up_ms);
}

class JsonWriter {
 public:
  explicit JsonWriter(std::string& out) : out_(out) {}

  void write(const InstanceInfo& instance) {
    begin();
    text("instanceId", instance.instance_id);
    text("hostName", instance.host_name);
    text("app", instance.app);
    text("ipAddr", instance.ip_address);
    if (has_sid(instance)) text("sid", instance.sid);
    text("status", to_text(instance.status));
    text("overriddenStatus", to_text(instance.overridden_status));
    port("port", instance.port);
    port("securePort", instance.secure_port);
    number("countryId", instance.country_id);
    name("dataCenterInfo");
    begin();
    text("@class", class_of(instance.data_center));
    text("name", instance.data_center);
    if (!instance.data_center_metadata.empty()) map("metadata", instance.data_center_metadata);
    end();
    name("leaseInfo");
    begin();
    each_lease_field(instance.lease, [&](std::string_view key, std::int64_t value) { number(key, value); });
    end();
    map("metadata", instance.metadata);
    each_late_field(instance, [&](std::string_view key, std::string_view value) { text(key, value); });
    end();
  }

 private:
  void begin() {
    out_ += '{';
    first_ = true;
  }
  void end() {
    out_ += '}';
    first_ = false;
  }
  /// \param key of the program: it needs no escapes
  void name(std::string_view key) {
    if (!first_) out_ += ',';
    first_ = false;
    out_ += '"';
    out_ += key;
    out_ += "\":";
  }
  void text(std::string_view key, std::string_view value) {
    name(key);
    append_json_string(out_, value);
  }
  void number(std::string_view key, std::int64_t value) {
    name(key);
    append_number(out_, value);
  }
  void port(std::string_view key, const leases::Port& port) {
    name(key);
    out_ += "{\"$\":";  // a number always: eureka-js-client compares it with ===
    append_number(out_, port.number);
    out_ += port.enabled ? R"(,"@enabled":"true"})" : R"(,"@enabled":"false"})";
  }
  void map(std::string_view key, const leases::NamedValues& values) {
    name(key);
    begin();
    if (values.empty()) text("@class", kEmptyMap);
    for (const auto& [member, value] : values) {
      if (!first_) out_ += ',';
      first_ = false;
      append_json_string(out_, member);
      out_ += ':';
      append_json_string(out_, value);
    }
    end();
  }

  std::string& out_;
  bool first_ = true;
};

class XmlWriter {
 public:
  explicit XmlWriter(std::string& out) : out_(out) {}

  void write(const InstanceInfo& instance) {
    out_ += "<instance>";
    text("instanceId", instance.instance_id);
    text("hostName", instance.host_name);
    text("app", instance.app);
    text("ipAddr", instance.ip_address);
    if (has_sid(instance)) text("sid", instance.sid);
    text("status", to_text(instance.status));
    text("overriddenstatus", to_text(instance.overridden_status));  // so in XML alone
    port("port", instance.port);
    port("securePort", instance.secure_port);
    number("countryId", instance.country_id);
    out_ += "<dataCenterInfo class=\"";
    out_ += class_of(instance.data_center);
    out_ += "\">";
    text("name", instance.data_center);
    if (!instance.data_center_metadata.empty()) map(instance.data_center_metadata);
    out_ += "</dataCenterInfo><leaseInfo>";
    each_lease_field(instance.lease, [&](std::string_view key, std::int64_t value) { number(key, value); });
    out_ += "</leaseInfo>";
    map(instance.metadata);
    each_late_field(instance, [&](std::string_view key, std::string_view value) { text(key, value); });
    out_ += "</instance>";
  }

  /// \param key of the program: a name without `_` and `$`
  void text(std::string_view key, std::string_view value) {
    open(key);
    append_xml_text(out_, value);
    close(key);
  }

 private:
  void open(std::string_view key) {
    out_ += '<';
    out_ += key;
    out_ += '>';
  }
  void close(std::string_view key) {
    out_ += "</";
    out_ += key;
    out_ += '>';
  }
  void number(std::string_view key, std::int64_t value) {
    open(key);
    append_number(out_, value);
    close(key);
  }
  void port(std::string_view key, const leases::Port& port) {
    out_ += '<';
    out_ += key;
    out_ += port.enabled ? " enabled=\"true\">" : " enabled=\"false\">";
    append_number(out_, port.number);
    close(key);
  }
  void map(const leases::NamedValues& values) {
    if (values.empty()) {
      out_ += "<metadata class=\"";
      out_ += kEmptyMap;
      out_ += "\"/>";
      return;
    }
    out_ += "<metadata>";
    for (const auto& [member, value] : values) {
      key_.clear();
      append_xml_name(key_, member);
      text(key_, value);
    }
    out_ += "</metadata>";
  }

  std::string& out_;
  std::string key_;
};

}  // namespace

void append_instance(Format format, const InstanceInfo& instance, std::string& out) {
  if (format == Format::json) {
    JsonWriter(out).write(instance);
  } else {
    XmlWriter(out).write(instance);
  }
}

void append_applications_head(Format format, std::int64_t version, std::string_view hash_code,
                              std::string& out) {
  // Names of the elements of XML are written as XStream writes `versions_delta` and `apps_hashcode`; the
  // doubled underscores have become the names in JSON, too.
  // The hash code may be what another server said: it is text like any other.
  if (format == Format::json) {
    fmt::format_to(std::back_inserter(out), R"({{"applications":{{"versions__delta":"{}","apps__hashcode":)",
                   version);
    append_json_string(out, hash_code);
    out += R"(,"application":[)";
  } else {
    fmt::format_to(std::back_inserter(out), "<applications><versions__delta>{}</versions__delta>", version);
    XmlWriter(out).text("apps__hashcode", hash_code);
  }
}

void append_application_head(Format format, std::string_view name, std::string& out) {
  if (format == Format::json) {
    out += R"({"name":)";
    append_json_string(out, name);
    out += R"(,"instance":[)";
  } else {
    out += "<application>";
    XmlWriter(out).text("name", name);
  }
}

std::string_view instance_separator(Format format) {
  return format == Format::json ? "," : "";
}
std::string_view application_tail(Format format) {
  return format == Format::json ? "]}" : "</application>";
}
std::string_view applications_tail(Format format) {
  return format == Format::json ? "]}}" : "</applications>";
}

namespace {

void append_application(Format format, const leases::Application& application, std::string& out) {
  append_application_head(format, application.name, out);
  bool first = true;
  for (const auto& instance : application.instances) {
    if (!first) out += instance_separator(format);
    first = false;
    append_instance(format, instance, out);
  }
  out += application_tail(format);
}

}  // namespace

std::string write_instance(Format format, const InstanceInfo& instance) {
  std::string out;
  if (format == Format::json) out += R"({"instance":)";
  append_instance(format, instance, out);
  if (format == Format::json) out += '}';
  return out;
}

std::string write_application(Format format, const leases::Application& application) {
  std::string out;
  if (format == Format::json) out += R"({"application":)";
  append_application(format, application, out);
  if (format == Format::json) out += '}';
  return out;
}

std::string write_applications(Format format, const leases::Applications& applications) {
  std::string out;
  append_applications_head(format, applications.version, applications.hash_code, out);
  bool first = true;
  for (const auto& application : applications.applications) {
    if (!first) out += instance_separator(format);
    first = false;
    append_application(format, application, out);
  }
  out += applications_tail(format);
  return out;
}

std::string_view content_type(Format format) {
  return format == Format::json ? "application/json" : "application/xml";
}

}  // namespace doorbuster::eureka
