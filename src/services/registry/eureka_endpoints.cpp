// Eureka's REST protocol. Codes and bodies are what its clients have come to depend on: docs/registry.md.

#include <fmt/format.h>

#include <optional>

#include "proto/eureka/codec.hpp"
#include "proto/eureka/text.hpp"
#include "proto/http/characters.hpp"
#include "services/registry/answers.hpp"
#include "services/registry/gzip.hpp"
#include "services/registry/registry_service.hpp"

namespace doorbuster::registry {

using eureka::Format;
using http::Method;
using http::Request;
using leases::InstanceInfo;
using leases::InstanceStatus;

namespace {

constexpr std::size_t kMostNameBytes = 512;
/// A fetch that is longer is sent as it is taken.
constexpr std::size_t kMostPlainBytes = 64 * 1024;

Format accepted(const Request& request) {
  return eureka::format_of_accept(request.header("Accept"));
}

/// Whether `gzip` is among the codings, and not with `q=0`.
bool takes_gzip(const Request& request) {
  bool takes = false;
  http::for_each_in_list(request.header("Accept-Encoding"), [&](std::string_view coding) {
    const auto name = http::trimmed(coding.substr(0, coding.find(';')));
    if (!http::equal_without_case(name, "gzip")) return;
    const auto quality = coding.find("q=0");
    takes = quality == std::string_view::npos ||
            coding.find_first_of("123456789", quality + 3) != std::string_view::npos;
  });
  return takes;
}

Answer in_format(int status, Format format, std::string body) {
  return with_body(status, eureka::content_type(format), std::move(body));
}

/// Says in the format of the request what is wrong with it.
Answer refusal(int status, Format format, std::string_view why) {
  std::string body;
  if (format == Format::json) {
    body = R"({"error":)";
    eureka::append_json_string(body, why);
    body += '}';
  } else {
    body = "<error><message>";
    eureka::append_xml_text(body, why);
    body += "</message></error>";
  }
  return in_format(status, format, std::move(body));
}

Answer refusal(Format format, const Error& error) {
  switch (error.code) {
    case ErrorCode::too_large:
      return refusal(413, format, error.detail);
    case ErrorCode::overloaded: {
      auto answer = refusal(503, format, error.detail);
      answer.head.headers.emplace_back("Retry-After", "5");
      return answer;
    }
    case ErrorCode::not_found:
      return bare(404);
    default:
      return refusal(400, format, error.detail);
  }
}

std::optional<std::int64_t> number_parameter(const Request& request, std::string_view name) {
  const auto text = http::query_parameter(request.query, name);
  return text ? eureka::parse_number(*text) : std::nullopt;
}

/// What Eureka asks of a registration; its words.
std::optional<std::string> complaint(const InstanceInfo& info, const Target& target) {
  if (info.host_name.empty()) return "Missing hostname";
  if (info.ip_address.empty()) return "Missing ip address";
  if (info.app != target.app) {
    return fmt::format("Mismatched appName, expecting {} but was {}", target.app, info.app);
  }
  if (info.instance_id.size() > kMostNameBytes || info.app.size() > kMostNameBytes) {
    return fmt::format("instanceId and app have at most {} bytes", kMostNameBytes);
  }
  return std::nullopt;
}

bool has_vip(const std::string& addresses, std::string_view wanted) {
  bool found = false;
  http::for_each_in_list(addresses, [&](std::string_view address) { found = found || address == wanted; });
  return found;
}

}  // namespace

RegistryService::Routed RegistryService::eureka(const Request& request, const Target& target) {
  const auto method = request.method;
  const bool get = method == Method::get || method == Method::head;
  switch (target.subject) {
    case Subject::all:
      return {Operation::full, get ? fetch_all(request, Views::Kind::full) : not_allowed("GET, HEAD")};
    case Subject::delta:
      return {Operation::delta, get ? fetch_all(request, Views::Kind::delta) : not_allowed("GET, HEAD")};
    case Subject::app:
      if (method == Method::post) return {Operation::enroll, enroll(request, target)};
      return {Operation::app, get ? fetch_app(request, target) : not_allowed("GET, HEAD, POST")};
    case Subject::instance:
      if (method == Method::put) return {Operation::renew, renew(request, target)};
      if (method == Method::del) {
        return {Operation::cancel, bare(table_.cancel(target.app, target.id, now()) ? 200 : 404)};
      }
      if (!get) return {Operation::instance, not_allowed("GET, HEAD, PUT, DELETE")};
      return {Operation::instance, fetch_instance(request, table_.find(target.app, target.id, now()))};
    case Subject::status:
      if (method == Method::put) return {Operation::status, put_status(request, target)};
      return {Operation::status,
              method == Method::del ? delete_status(request, target) : not_allowed("PUT, DELETE")};
    case Subject::metadata:
      return {Operation::metadata,
              method == Method::put ? put_metadata(request, target) : not_allowed("PUT")};
    case Subject::id:
      if (!get) return {Operation::instance, not_allowed("GET, HEAD")};
      return {Operation::instance, fetch_instance(request, table_.find_id(target.id, now()))};
    case Subject::vip:
    case Subject::secure_vip:
      return {Operation::vip, get ? fetch_vip(request, target) : not_allowed("GET, HEAD")};
    case Subject::asg:  // as Netflix's server says where it is not in Amazon's cloud
      return {Operation::other, bare(400)};
    case Subject::replication:
      break;
  }
  return {Operation::other, refusal(501, Format::json, "this registry does not replicate yet")};
}

Answer RegistryService::enroll(const Request& request, const Target& target) {
  const auto format = eureka::format_of_content(request.header("Content-Type"));
  std::string unpacked;
  auto body = request.body;
  if (const auto coding = request.header("Content-Encoding");
      !coding.empty() && !http::equal_without_case(coding, "identity")) {
    if (!http::equal_without_case(coding, "gzip")) {
      return refusal(415, format, fmt::format("Content-Encoding: {} is not understood, gzip is", coding));
    }
    auto done = gunzip(body, options_.most_body_bytes);
    if (!done) return refusal(format, done.error());
    unpacked = std::move(*done);
    body = unpacked;
  }
  auto info = eureka::read_instance(format, body);
  if (!info) return refusal(format, info.error());
  if (info->app.empty()) info->app = target.app;
  if (const auto wrong = complaint(*info, target)) return refusal(400, format, *wrong);
  const auto done = table_.enroll(std::move(*info), now());
  // Exactly 204: Java, Node and Go all insist on it.
  return done ? bare(204) : refusal(format, done.error());
}

Answer RegistryService::renew(const Request& request, const Target& target) {
  // `status` is not applied: an instance that has changed says so by registering again, after our 404.
  const auto dirty = number_parameter(request, "lastDirtyTimestamp");
  return bare(table_.renew(target.app, target.id, dirty, now()) ? 200 : 404);
}

Answer RegistryService::put_status(const Request& request, const Target& target) {
  const auto value = http::query_parameter(request.query, "value");
  const auto status = leases::parse_status(eureka::upper_case(value.value_or("")));
  if (!status)
    return refusal(400, Format::json, "value is one of UP, DOWN, STARTING, OUT_OF_SERVICE, UNKNOWN");
  const auto dirty = number_parameter(request, "lastDirtyTimestamp");
  return bare(table_.override_status(target.app, target.id, *status, dirty, now()) ? 200 : 404);
}

Answer RegistryService::delete_status(const Request& request, const Target& target) {
  const auto value = http::query_parameter(request.query, "value");
  const auto status =
      leases::parse_status(eureka::upper_case(value.value_or("UNKNOWN"))).value_or(InstanceStatus::unknown);
  const auto dirty = number_parameter(request, "lastDirtyTimestamp");
  return bare(table_.drop_override(target.app, target.id, status, dirty, now()) ? 200 : 404);
}

Answer RegistryService::put_metadata(const Request& request, const Target& target) {
  leases::NamedValues values;
  auto query = request.query;
  while (!query.empty()) {
    const auto end = query.find('&');
    const auto pair = query.substr(0, end);
    query = end == std::string_view::npos ? std::string_view() : query.substr(end + 1);
    const auto equals = std::min(pair.find('='), pair.size());
    const auto name = http::percent_decoded(pair.substr(0, equals), true);
    const auto value = http::percent_decoded(pair.substr(std::min(equals + 1, pair.size())), true);
    if (!name || !value || name->empty() || !eureka::is_utf8(*name) || !eureka::is_utf8(*value)) {
      return refusal(400, Format::json, "a name or a value of the query cannot be read");
    }
    if (leases::find_value(values, *name) == nullptr) values.emplace_back(*name, *value);
  }
  const auto done = table_.add_metadata(target.app, target.id, values, now());
  return done ? bare(200) : refusal(Format::json, done.error());
}

Answer RegistryService::fetch_all(const Request& request, Views::Kind kind) {
  // What makes a client keep its list, and go from a delta to the full one, is 403 alone.
  if (warming_up()) return bare(403);
  const auto format = accepted(request);
  const bool gzip = takes_gzip(request);
  const auto rope = views_.get(kind, format, gzip);
  Answer answer;
  answer.head.content_type = eureka::content_type(format);
  if (gzip) answer.head.headers.emplace_back("Content-Encoding", "gzip");
  answer.head.headers.emplace_back("Vary", "Accept, Accept-Encoding");
  if (rope->bytes <= kMostPlainBytes) {
    answer.head.body = rope->joined();
  } else {
    answer.body = std::make_unique<RopeSource>(rope);
  }
  return answer;
}

Answer RegistryService::fetch_app(const Request& request, const Target& target) {
  if (warming_up()) return bare(403);
  const auto* app = table_.find_app(target.app);
  if (app == nullptr) return bare(404);
  leases::Application found;
  found.name = app->name;
  for (const auto& lease : app->leases) found.instances.push_back(*lease->info);
  return in_format(200, accepted(request), eureka::write_application(accepted(request), found));
}

Answer RegistryService::fetch_instance(const Request& request, const leases::Lease* lease) {
  if (lease == nullptr) return bare(404);
  return in_format(200, accepted(request), eureka::write_instance(accepted(request), *lease->info));
}

Answer RegistryService::fetch_vip(const Request& request, const Target& target) {
  if (warming_up()) return bare(403);
  const auto address =
      target.subject == Subject::vip ? &InstanceInfo::vip_address : &InstanceInfo::secure_vip_address;
  leases::Applications found;
  leases::StatusCounts counts{};
  for (const auto& [name, app] : table_.apps()) {
    leases::Application of_app{name, {}};
    for (const auto& lease : app.leases) {
      if (!has_vip((*lease->info).*address, target.id)) continue;
      of_app.instances.push_back(*lease->info);
      ++counts[static_cast<std::size_t>(lease->info->status)];
    }
    if (!of_app.instances.empty()) found.applications.push_back(std::move(of_app));
  }
  found.hash_code = leases::hash_code(counts);
  return in_format(200, accepted(request), eureka::write_applications(accepted(request), found));
}

}  // namespace doorbuster::registry
