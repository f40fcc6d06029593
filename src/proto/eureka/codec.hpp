#pragma once
// Eureka's JSON and XML, without a socket. What is read may come from any client or server of the last ten
// years and in any of their spellings; what is written is what all of them read.
//
// Sources: Netflix/eureka, eureka-client/.../converters (EurekaJacksonCodec, Converters) at 61acc83, and the
// clients of docs/registry.md. One thread each; no state.

#include <string>
#include <string_view>

#include "base/error.hpp"
#include "core/leases/instance.hpp"

namespace doorbuster::eureka {

enum class Format : std::uint8_t { json, xml };

// Reading. Errors: `malformed` with the place, when it is no JSON or XML at all; `invalid` with the field,
// when a value cannot be understood. Fields that are not known are passed over; an absent or empty
// `instanceId` is made up for as Eureka does (Amazon's, else the host's name); an app's name is put into
// upper case.

/// A registration: `{"instance": {...}}` or the bare instance.
Result<leases::InstanceInfo> read_instance(Format format, std::string_view text);
/// A full answer or a delta: `{"applications": {...}}`.
Result<leases::Applications> read_applications(Format format, std::string_view text);
/// One app: `{"application": {...}}`.
Result<leases::Application> read_application(Format format, std::string_view text);

// Writing. `append_...` writes one element for the others to put together; the rest are whole documents.

void append_instance(Format format, const leases::InstanceInfo& instance, std::string& out);
std::string write_instance(Format format, const leases::InstanceInfo& instance);
std::string write_application(Format format, const leases::Application& application);
std::string write_applications(Format format, const leases::Applications& applications);

// The pieces of `applications` around its instances: head, then for each app its head, its instances (in JSON
// with separators between), its tail, then the tail. Apps have the same separators as instances.

void append_applications_head(Format format, std::int64_t version, std::string_view hash_code,
                              std::string& out);
void append_application_head(Format format, std::string_view name, std::string& out);
std::string_view instance_separator(Format format);
std::string_view application_tail(Format format);
std::string_view applications_tail(Format format);

/// For Content-Type.
std::string_view content_type(Format format);
/// Of a body: anything but JSON is XML, as Eureka has it.
Format format_of_content(std::string_view content_type);
/// Of an answer: JSON when `Accept` names it, else XML; browsers and `*/*` get XML.
Format format_of_accept(std::string_view accept);

}  // namespace doorbuster::eureka
