#include "proto/http/characters.hpp"
#include "proto/http/problem.hpp"
#include "services/gateway/filters.hpp"
#include "services/gateway/route.hpp"

namespace doorbuster::gateway {
namespace {

using http::equal_without_case;

/// Concerns one connection only, or is written by the gateway itself.
bool is_ours_to_write(std::string_view name) {
  switch (name.size()) {
    case 2:
      return equal_without_case(name, "te");
    case 6:
      return equal_without_case(name, "expect");
    case 7:
      return equal_without_case(name, "trailer") || equal_without_case(name, "upgrade");
    case 10:
      return equal_without_case(name, "connection") || equal_without_case(name, "keep-alive");
    case 14:
      return equal_without_case(name, "content-length") || equal_without_case(name, "http2-settings");
    case 16:
      return equal_without_case(name, "proxy-connection");
    case 17:
      return equal_without_case(name, "transfer-encoding");
    case 18:
      return equal_without_case(name, "proxy-authenticate");
    case 19:
      return equal_without_case(name, "proxy-authorization");
    default:
      return false;
  }
}

/// Fields that parts of Doorbuster tell each other; from a client they would be lies.
bool is_internal(std::string_view name) {
  constexpr std::string_view ours = "doorbuster-";
  return name.size() > ours.size() && equal_without_case(name.substr(0, ours.size()), ours);
}

/// What is needed end to end cannot be named away by `Connection` (it would be lost for the upstream).
bool may_be_named(std::string_view name) {
  return !equal_without_case(name, "host") && !equal_without_case(name, "close") &&
         !equal_without_case(name, "content-length");
}

/// `http://host/path`: the authority, which must be that of Host; empty for a plain path.
std::string_view authority_of(std::string_view target) {
  const auto scheme_end = target.find("://");
  if (target.empty() || target.front() == '/' || scheme_end == std::string_view::npos) return {};
  const auto rest = target.substr(scheme_end + 3);
  return rest.substr(0, rest.find_first_of("/?"));
}

}  // namespace

std::optional<http::Response> HeaderHygiene::on_request(Passage& passage) {
  const auto& request = *passage.request;
  if (is_ambiguous_path(request.path)) {
    return http::server_problem(400, "the path has dot segments or escapes that could be read in two ways");
  }
  if (const auto authority = authority_of(request.target);
      !authority.empty() && !http::equal_ignoring_case(authority, request.header("host"))) {
    return http::server_problem(400, "the target names another host than the Host field");
  }
  bool connection_names = false;
  for (std::size_t i = 0; i < request.headers.size(); ++i) {
    const auto name = request.headers[i].name;
    if (is_ours_to_write(name) || is_internal(name) || name.find('_') != std::string_view::npos) {
      passage.dropped.set(i);
    }
    if (name.size() == 10 && equal_without_case(name, "connection")) {
      const auto connection = request.headers[i].value;
      connection_names |=
          !equal_without_case(connection, "keep-alive") && !equal_without_case(connection, "close");
    }
  }
  if (!connection_names) return std::nullopt;
  for (const auto& field : request.headers) {
    if (!equal_without_case(field.name, "connection")) continue;
    http::for_each_in_list(field.value, [&](std::string_view named) {
      if (!may_be_named(named)) return;
      for (std::size_t i = 0; i < request.headers.size(); ++i) {
        if (http::equal_ignoring_case(request.headers[i].name, named)) passage.dropped.set(i);
      }
    });
  }
  return std::nullopt;
}

}  // namespace doorbuster::gateway
