#include "proto/http/message.hpp"

#include <array>
#include <charconv>

#include "proto/http/characters.hpp"

namespace doorbuster::http {
namespace {

struct MethodName {
  Method method;
  std::string_view text;
};
constexpr std::array kMethodNames = {
    MethodName{Method::get, "GET"},     MethodName{Method::head, "HEAD"},   MethodName{Method::post, "POST"},
    MethodName{Method::put, "PUT"},     MethodName{Method::patch, "PATCH"}, MethodName{Method::del, "DELETE"},
    MethodName{Method::options, "OPTIONS"}, MethodName{Method::other, "OTHER"}};

bool has_no_body(int status) { return status == 204 || status == 304; }

}  // namespace

std::string_view to_text(Method method) { return kMethodNames[static_cast<std::size_t>(method)].text; }

Method method_of(std::string_view text) {
  for (const auto& known : kMethodNames) {
    if (known.text == text) return known.method;
  }
  return Method::other;
}

std::string_view Request::header(std::string_view name) const {
  for (const auto& field : headers) {
    if (field.name.size() != name.size()) continue;
    bool same = true;
    for (std::size_t i = 0; same && i < name.size(); ++i) same = lower(field.name[i]) == lower(name[i]);
    if (same) return field.value;
  }
  return {};
}

std::string_view reason_phrase(int status) {
  switch (status) {
    case 100: return "Continue";
    case 200: return "OK";
    case 201: return "Created";
    case 202: return "Accepted";
    case 204: return "No Content";
    case 301: return "Moved Permanently";
    case 302: return "Found";
    case 303: return "See Other";
    case 304: return "Not Modified";
    case 307: return "Temporary Redirect";
    case 308: return "Permanent Redirect";
    case 400: return "Bad Request";
    case 401: return "Unauthorized";
    case 403: return "Forbidden";
    case 404: return "Not Found";
    case 405: return "Method Not Allowed";
    case 408: return "Request Timeout";
    case 409: return "Conflict";
    case 410: return "Gone";
    case 412: return "Precondition Failed";
    case 413: return "Content Too Large";
    case 415: return "Unsupported Media Type";
    case 422: return "Unprocessable Content";
    case 429: return "Too Many Requests";
    case 431: return "Request Header Fields Too Large";
    case 500: return "Internal Server Error";
    case 501: return "Not Implemented";
    case 502: return "Bad Gateway";
    case 503: return "Service Unavailable";
    case 504: return "Gateway Timeout";
    case 505: return "HTTP Version Not Supported";
    default: return "Unknown";
  }
}

void serialize_head(const Response& response, Framing framing, Persistence persistence, std::string& out) {
  if (response.status == 200) {
    out += "HTTP/1.1 200 OK\r\n";
  } else {
    char digits[16];
    const auto end = std::to_chars(digits, digits + sizeof digits, response.status).ptr;
    out += "HTTP/1.1 ";
    out.append(digits, end);
    out += ' ';
    out += reason_phrase(response.status);
    out += "\r\n";
  }
  if (!response.content_type.empty() && !has_no_body(response.status)) {
    out += "Content-Type: ";
    out += response.content_type;
    out += "\r\n";
  }
  if (!has_no_body(response.status)) {
    if (framing == Framing::counted) {
      char digits[24];
      const auto end = std::to_chars(digits, digits + sizeof digits, response.body.size()).ptr;
      out += "Content-Length: ";
      out.append(digits, end);
      out += "\r\n";
    } else if (framing == Framing::chunked) {
      out += "Transfer-Encoding: chunked\r\n";
    }
  }
  for (const auto& [name, value] : response.headers) {
    out += name;
    out += ": ";
    out += value;
    out += "\r\n";
  }
  if (persistence == Persistence::close) out += "Connection: close\r\n";
  if (persistence == Persistence::keep_alive) out += "Connection: keep-alive\r\n";
  out += "\r\n";
}

void serialize(const Response& response, bool head_only, Persistence persistence, std::string& out) {
  serialize_head(response, Framing::counted, persistence, out);
  if (!head_only && !has_no_body(response.status)) out += response.body;
}

void serialize(const Response& response, bool head_only, bool close, std::string& out) {
  serialize(response, head_only, close ? Persistence::close : Persistence::implied, out);
}

std::optional<std::string> percent_decoded(std::string_view text, bool plus_is_space) {
  std::string decoded;
  decoded.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%') {
      if (text.size() - i < 3) return std::nullopt;
      const int high = hexadecimal(text[i + 1]);
      const int low = hexadecimal(text[i + 2]);
      if (high < 0 || low < 0) return std::nullopt;
      decoded += static_cast<char>(high * 16 + low);
      i += 2;
    } else {
      decoded += text[i] == '+' && plus_is_space ? ' ' : text[i];
    }
  }
  return decoded;
}

std::optional<std::string> query_parameter(std::string_view query, std::string_view name) {
  while (!query.empty()) {
    const auto end = query.find('&');
    const auto pair = query.substr(0, end);
    const auto equals = pair.find('=');
    const auto found = percent_decoded(pair.substr(0, equals), true);
    if (found && *found == name) {
      return percent_decoded(equals == std::string_view::npos ? std::string_view() : pair.substr(equals + 1), true);
    }
    if (end == std::string_view::npos) break;
    query.remove_prefix(end + 1);
  }
  return std::nullopt;
}

}  // namespace doorbuster::http
