#include "services/gateway/filters.hpp"

#include <algorithm>

#include "base/log.hpp"
#include "proto/http/characters.hpp"

namespace doorbuster::gateway {
namespace {

using http::equal_without_case;

constexpr std::uint64_t kNoBound = std::uint64_t{1} << 63;
constexpr std::size_t kShortestId = 8;
constexpr std::size_t kLongestId = 64;

bool is_request_id(std::string_view text) {
  if (text.size() < kShortestId || text.size() > kLongestId) return false;
  return std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= '0' && c <= '9') || (http::lower(c) >= 'a' && http::lower(c) <= 'z') || c == '-' ||
           c == '_' || c == '.';
  });
}

bool is_hex(std::string_view text) {
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

bool all_zero(std::string_view text) {
  return text.find_first_not_of('0') == std::string_view::npos;
}

}  // namespace

void append_hex(std::uint64_t bits, std::string& out) {
  constexpr std::string_view digits = "0123456789abcdef";
  char text[16];
  for (int i = 15; i >= 0; --i, bits >>= 4) text[i] = digits[bits & 15];
  out.append(text, sizeof text);
}

void Passage::clear() {
  request = nullptr;
  dropped.reset();
  added.clear();
  reply_added.clear();
  request_id.clear();
  method.clear();
  target.clear();
  logged = trusted = false;
  status = 0;
  took = Duration(0);
  reply_bytes = 0;
}

std::string_view Passage::kept(std::string_view lower_case_name) const {
  for (std::size_t i = 0; i < request->headers.size(); ++i) {
    const auto& field = request->headers[i];
    if (equal_without_case(field.name, lower_case_name) && !dropped.test(i)) return field.value;
  }
  return {};
}

std::size_t Passage::count(std::string_view lower_case_name) const {
  std::size_t found = 0;
  for (std::size_t i = 0; i < request->headers.size(); ++i) {
    found += equal_without_case(request->headers[i].name, lower_case_name) && !dropped.test(i) ? 1 : 0;
  }
  return found;
}

void Passage::drop(std::string_view lower_case_name) {
  for (std::size_t i = 0; i < request->headers.size(); ++i) {
    if (equal_without_case(request->headers[i].name, lower_case_name)) dropped.set(i);
  }
}

std::optional<http::Response> Forwarded::on_request(Passage& passage) {
  const auto& request = *passage.request;
  passage.trusted = trusted_.contains(request.peer);
  for_.clear();
  std::string_view proto = "http";
  std::string_view host;
  for (std::size_t i = 0; i < request.headers.size(); ++i) {
    const auto& [name, value] = request.headers[i];
    if (name.size() == 4 && equal_without_case(name, "host")) {
      if (host.empty()) host = value;
      continue;
    }
    const char first = http::lower(name.front());
    if (first != 'x' && first != 'f') continue;
    if (equal_without_case(name, "x-forwarded-for")) {
      passage.dropped.set(i);
      if (!passage.trusted) continue;
      if (!for_.empty()) for_ += ", ";
      for_ += value;
    } else if (equal_without_case(name, "x-forwarded-proto")) {
      passage.dropped.set(i);
      if (passage.trusted && (value == "http" || value == "https")) proto = value;
    } else if (equal_without_case(name, "x-forwarded-host")) {
      passage.dropped.set(i);
      if (passage.trusted && http::all_of(value, http::kHost)) host = value;
    } else if (!passage.trusted &&
               (equal_without_case(name, "forwarded") || equal_without_case(name, "x-real-ip") ||
                equal_without_case(name, "x-forwarded-port") ||
                equal_without_case(name, "x-forwarded-prefix") ||
                equal_without_case(name, "x-forwarded-server"))) {
      passage.dropped.set(i);
    }
  }
  if (!for_.empty()) for_ += ", ";
  for_ += request.peer;
  passage.add("X-Forwarded-For", for_);
  passage.add("X-Forwarded-Proto", proto);
  if (!host.empty()) passage.add("X-Forwarded-Host", host);
  return std::nullopt;
}

std::optional<http::Response> RequestId::on_request(Passage& passage) {
  const auto given = passage.kept("x-request-id");
  if (is_request_id(given)) {
    passage.request_id = given;
  } else {
    append_hex(random_.below(kNoBound), passage.request_id);
    append_hex(random_.below(kNoBound), passage.request_id);
  }
  passage.drop("x-request-id");
  passage.add("X-Request-Id", passage.request_id);
  passage.add_to_reply("X-Request-Id", passage.request_id);
  return std::nullopt;
}

bool TraceContext::is_valid(std::string_view text) {
  // version "-" trace-id "-" parent-id "-" flags; later versions may have more behind.
  if (text.size() < 55 || text[2] != '-' || text[35] != '-' || text[52] != '-') return false;
  const auto version = text.substr(0, 2);
  if (!is_hex(version) || version == "ff") return false;
  if (text.size() > 55 && (version == "00" || text[55] != '-')) return false;
  const auto trace = text.substr(3, 32);
  const auto parent = text.substr(36, 16);
  return is_hex(trace) && is_hex(parent) && is_hex(text.substr(53, 2)) && !all_zero(trace) &&
         !all_zero(parent);
}

std::optional<http::Response> TraceContext::on_request(Passage& passage) {
  // Two of them are as good as none: nobody knows which one the next reader takes.
  if (passage.count("traceparent") == 1 && is_valid(passage.kept("traceparent"))) return std::nullopt;
  passage.drop("traceparent");
  passage.drop("tracestate");
  auto& added = passage.added;
  added += "traceparent: 00-";
  append_hex(random_.below(kNoBound) | 1, added);
  append_hex(random_.below(kNoBound), added);
  added += '-';
  append_hex(random_.below(kNoBound) | 1, added);
  added += "-00\r\n";
  return std::nullopt;
}

bool Cors::allows(std::string_view origin) const {
  return std::any_of(origins_.begin(), origins_.end(),
                     [origin](const std::string& one) { return one == "*" || one == origin; });
}

std::optional<http::Response> Cors::on_request(Passage& passage) {
  if (origins_.empty()) return std::nullopt;
  const auto origin = passage.kept("origin");
  if (origin.empty()) return std::nullopt;
  passage.add_to_reply("Vary", "Origin");
  const auto asked = passage.kept("access-control-request-method");
  const bool preflight = passage.request->method == http::Method::options && !asked.empty();
  if (allows(origin)) {
    const bool everyone = std::find(origins_.begin(), origins_.end(), "*") != origins_.end();
    passage.add_to_reply("Access-Control-Allow-Origin", everyone ? std::string_view("*") : origin);
    if (!preflight) {
      passage.add_to_reply("Access-Control-Expose-Headers", "X-Request-Id, Retry-After, Location");
    } else {
      passage.add_to_reply("Access-Control-Allow-Methods", "GET, HEAD, POST, PUT, PATCH, DELETE");
      passage.add_to_reply(
          "Access-Control-Allow-Headers",
          "Authorization, Content-Type, Idempotency-Key, Queue-Pass, X-Request-Id, traceparent");
      passage.add_to_reply("Access-Control-Max-Age", "600");
    }
  }
  if (!preflight) return std::nullopt;
  // Without the permission on it, the browser keeps the request to itself.
  http::Response answer;
  answer.status = 204;
  answer.content_type = {};
  return answer;
}

std::optional<http::Response> AccessLog::on_request(Passage& passage) {
  if (every_ == 0 || --until_next_ != 0) return std::nullopt;
  until_next_ = every_;
  passage.logged = true;
  passage.method = passage.request->method_name;
  passage.target = passage.request->target;
  return std::nullopt;
}

void AccessLog::on_end(const Passage& passage) {
  if (!passage.logged) return;
  log().info("access: {} {} {} in {} us, {} bytes, {}", passage.method, passage.target, passage.status,
             passage.took.count(), passage.reply_bytes, passage.request_id);
}

}  // namespace doorbuster::gateway
