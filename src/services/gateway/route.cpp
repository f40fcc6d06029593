#include "services/gateway/route.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "proto/http/characters.hpp"

namespace doorbuster::gateway {
namespace {

using http::equal_ignoring_case;

std::string lower_case(std::string_view text) {
  std::string result(text);
  for (auto& c : result) c = http::lower(c);
  return result;
}

bool has_path_prefix(std::string_view path, std::string_view prefix) {
  if (path.substr(0, prefix.size()) != prefix) return false;
  return prefix.empty() || prefix.back() == '/' || path.size() == prefix.size() || path[prefix.size()] == '/';
}

/// Without the port; an IPv6 address keeps its brackets.
std::string_view host_name(std::string_view host) {
  const auto colon = host.rfind(':');
  if (colon == std::string_view::npos || host.find(']', colon) != std::string_view::npos) return host;
  return host.substr(0, colon);
}

bool matches_host(std::string_view host, std::string_view pattern) {
  const auto name = host_name(host);
  if (pattern.substr(0, 2) != "*.") return equal_ignoring_case(name, pattern);
  const auto domain = pattern.substr(1);
  return name.size() > domain.size() && equal_ignoring_case(name.substr(name.size() - domain.size()), domain);
}

Error wrong(const RouteEntry& entry, std::string detail) {
  return make_error(ErrorCode::invalid, fmt::format("{}: {}", entry.place, detail), "gateway.routes");
}

Result<FixedAddress> parse_address(const RouteEntry& entry, std::string_view text) {
  constexpr std::string_view scheme = "http://";
  FixedAddress address;
  const auto bad = [&] {
    return wrong(entry, fmt::format("'{}' is no address: http://HOST:PORT is wanted", text));
  };
  if (text.substr(0, scheme.size()) != scheme) return bad();
  const auto authority = text.substr(scheme.size());
  const auto name = host_name(authority);
  address.host = name;
  address.port = 80;
  if (address.host.size() > 2 && address.host.front() == '[') {
    address.host = address.host.substr(1, address.host.size() - 2);
  }
  if (name.size() != authority.size()) {
    const auto* end = authority.data() + authority.size();
    const auto [stop, error] = std::from_chars(authority.data() + name.size() + 1, end, address.port);
    if (error != std::errc{} || stop != end || address.port == 0) return bad();
  }
  if (address.host.empty() || authority.find('/') != std::string_view::npos) return bad();
  return address;
}

Result<void> read_destination(const RouteEntry& entry, Route& route) {
  constexpr std::string_view balanced = "lb://";
  if (entry.to.substr(0, balanced.size()) == balanced) {
    route.service = lower_case(std::string_view(entry.to).substr(balanced.size()));
    if (route.service.empty() || !http::all_of(route.service, http::kToken)) {
      return wrong(entry, fmt::format("'{}' names no service: lb://NAME is wanted", entry.to));
    }
    route.name = route.service;
    return {};
  }
  Result<void> result;
  http::for_each_in_list(entry.to, [&](std::string_view one) {
    const auto address = parse_address(entry, one);
    if (!address) {
      result = address.error();
    } else {
      route.addresses.push_back(*address);
    }
  });
  if (result && route.addresses.empty()) return wrong(entry, "a route needs a destination: to: lb://NAME");
  route.name = fmt::format("fixed-{}", route.number);
  return result;
}

Result<Route> make_route(const RouteEntry& entry, std::size_t number) {
  Route route;
  route.number = number;
  for (const auto* path : {&entry.path, &entry.strip, &entry.prefix}) {
    if (!path->empty() && path->front() != '/')
      return wrong(entry, fmt::format("'{}' does not begin with '/'", *path));
  }
  route.path = entry.path;
  route.path_suffix = entry.path_suffix;
  route.host = lower_case(entry.host);
  route.strip = entry.strip;
  route.prefix = entry.prefix;
  http::for_each_in_list(entry.methods, [&](std::string_view one) { route.methods.emplace_back(one); });
  if (const auto colon = entry.header.find(':'); colon != std::string::npos) {
    route.header_name = http::trimmed(std::string_view(entry.header).substr(0, colon));
    route.header_value = http::trimmed(std::string_view(entry.header).substr(colon + 1));
  } else {
    route.header_name = http::trimmed(entry.header);
  }
  route.idempotent = parse_patterns(entry.idempotent);
  if (!entry.timeout.empty()) {
    const auto timeout = parse_duration(entry.timeout);
    if (!timeout) return wrong(entry, timeout.error().detail);
    route.timeout = *timeout;
  }
  if (!entry.exclusive.empty() && entry.exclusive != "true" && entry.exclusive != "false") {
    return wrong(entry, "exclusive is true or false");
  }
  route.exclusive = entry.exclusive == "true";
  if (!entry.pipelining.empty()) {
    const auto* end = entry.pipelining.data() + entry.pipelining.size();
    const auto [stop, error] = std::from_chars(entry.pipelining.data(), end, route.pipelining);
    if (error != std::errc{} || stop != end || route.pipelining > 4096)
      return wrong(entry, "pipelining is a number from 0 to 4096");
  }
  if (const auto read = read_destination(entry, route); !read) return read.error();
  return route;
}

}  // namespace

bool PathPattern::matches(std::string_view path) const {
  std::size_t at = 0;
  for (const auto& segment : segments) {
    if (at >= path.size() || path[at] != '/') return false;
    const auto end = std::min(path.find('/', at + 1), path.size());
    const auto part = path.substr(at + 1, end - at - 1);
    if (part.empty() || (segment != "*" && segment != part)) return false;
    at = end;
  }
  return at == path.size();
}

std::vector<PathPattern> parse_patterns(std::string_view list) {
  std::vector<PathPattern> patterns;
  http::for_each_in_list(list, [&](std::string_view one) {
    PathPattern pattern;
    constexpr std::string_view key = " key";
    if (one.size() > key.size() && one.substr(one.size() - key.size()) == key) {
      pattern.needs_key = true;
      one = http::trimmed(one.substr(0, one.size() - key.size()));
    }
    while (!one.empty()) {
      if (one.front() == '/') one.remove_prefix(1);
      const auto end = std::min(one.find('/'), one.size());
      pattern.segments.emplace_back(one.substr(0, end));
      one.remove_prefix(end);
    }
    patterns.push_back(std::move(pattern));
  });
  return patterns;
}

bool is_ambiguous_path(std::string_view path) {
  // One pass; most paths have neither a dot at a segment's start nor an escape.
  for (std::size_t i = 0; i < path.size(); ++i) {
    if (path[i] == '\\') return true;
    if (path[i] == '%' && i + 2 < path.size()) {
      const auto value = http::hexadecimal(path[i + 1]) * 16 + http::hexadecimal(path[i + 2]);
      if (value == '/' || value == '\\' || value == 0) return true;
    }
    if (path[i] != '/') continue;
    std::size_t dots = 0;
    std::size_t at = i + 1;
    while (at < path.size() && dots < 3) {
      if (path[at] == '.') {
        ++at;
      } else if (path[at] == '%' && at + 2 < path.size() && path[at + 1] == '2' &&
                 http::lower(path[at + 2]) == 'e') {
        at += 3;
      } else {
        break;
      }
      ++dots;
    }
    // A segment's parameters do not make it another one: "..;x" is resolved by some.
    if ((dots == 1 || dots == 2) && (at == path.size() || path[at] == '/' || path[at] == ';')) return true;
  }
  return false;
}

bool Route::matches(const http::Request& request) const {
  if (!path.empty() && !has_path_prefix(request.path, path)) return false;
  if (!path_suffix.empty() &&
      (request.path.size() < path_suffix.size() ||
       request.path.substr(request.path.size() - path_suffix.size()) != path_suffix)) {
    return false;
  }
  if (!methods.empty() && std::find(methods.begin(), methods.end(), request.method_name) == methods.end()) {
    return false;
  }
  if (!host.empty() && !matches_host(request.header("host"), host)) return false;
  if (header_name.empty()) return true;
  for (const auto& field : request.headers) {
    if (equal_ignoring_case(field.name, header_name)) {
      return header_value.empty() || field.value == header_value;
    }
  }
  return false;
}

bool Route::is_idempotent(const http::Request& request) const {
  switch (request.method) {
    case http::Method::get:
    case http::Method::head:
    case http::Method::put:
    case http::Method::del:
    case http::Method::options:
      return true;
    case http::Method::post:
      return std::any_of(idempotent.begin(), idempotent.end(), [&](const PathPattern& pattern) {
        return pattern.matches(request.path) &&
               (!pattern.needs_key || !request.header("idempotency-key").empty());
      });
    default:
      return false;
  }
}

void Route::append_target(const http::Request& request, std::string& out) const {
  auto rest = request.path;
  if (!strip.empty() && has_path_prefix(rest, strip)) rest.remove_prefix(strip.size());
  out += prefix;
  if (rest.empty() || rest.front() != '/') out += '/';
  out += rest;
  if (request.query.empty()) return;
  out += '?';
  out += request.query;
}

Result<RouteTable> RouteTable::make(const std::vector<RouteEntry>& entries) {
  RouteTable table;
  for (const auto& entry : entries) {
    auto route = make_route(entry, table.routes_.size());
    if (!route) return route.error();
    // The same addresses are the same instances, with one set of connections.
    for (const auto& earlier : table.routes_) {
      if (!route->addresses.empty() && earlier.addresses == route->addresses &&
          earlier.pipelining == route->pipelining) {
        route->name = earlier.name;
      }
    }
    table.routes_.push_back(std::move(*route));
  }
  return table;
}

std::vector<RouteEntry> RouteTable::standard() {
  // By the contract, who asks again for a coupon gets the same one, and a redemption with the same key is
  // answered the same (docs/gateway.md).
  constexpr const char* kIdempotent =
      "/v1/campaigns/*/coupons, /v1/campaigns/*/queue, /v1/coupons/*/redemption key, /coupon/issue";
  RouteEntry exports;
  exports.path = "/v1";
  exports.path_suffix = ".csv";
  exports.to = "lb://coupon-api";
  exports.exclusive = "true";
  exports.place = "standard routes";
  RouteEntry api;
  api.path = "/v1";
  api.to = "lb://coupon-api";
  api.idempotent = kIdempotent;
  api.place = "standard routes";
  RouteEntry seed = api;
  seed.path = "/coupon";
  return {exports, api, seed};
}

const Route* RouteTable::find(const http::Request& request) const {
  for (const auto& route : routes_) {
    if (route.matches(request)) return &route;
  }
  return nullptr;
}

}  // namespace doorbuster::gateway
