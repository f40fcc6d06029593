#include "proto/http/message.hpp"

#include <array>
#include <charconv>

namespace doorbuster::http {
namespace {

char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c;
}

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  c = lower(c);
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

void append_number(std::size_t number, std::string& out) {
  char digits[20];
  const auto end = std::to_chars(digits, digits + sizeof digits, number).ptr;
  out.append(digits, static_cast<std::size_t>(end - digits));
}

}  // namespace

std::string_view to_text(Method method) {
  constexpr std::array<std::string_view, 8> kNames = {"GET",   "HEAD",   "POST",    "PUT",
                                                      "PATCH", "DELETE", "OPTIONS", "other"};
  return kNames[static_cast<std::size_t>(method)];
}

bool equal_ignoring_case(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (lower(a[i]) != lower(b[i])) return false;
  }
  return true;
}

std::string_view Request::header(std::string_view name) const {
  for (const auto& header : headers) {
    if (equal_ignoring_case(header.name, name)) return header.value;
  }
  return {};
}

namespace {

/// `201 Created`; empty for a status that has no name here.
std::string_view status_and_reason(int status) {
  switch (status) {
    case 100:
      return "100 Continue";
    case 200:
      return "200 OK";
    case 201:
      return "201 Created";
    case 202:
      return "202 Accepted";
    case 204:
      return "204 No Content";
    case 400:
      return "400 Bad Request";
    case 401:
      return "401 Unauthorized";
    case 403:
      return "403 Forbidden";
    case 404:
      return "404 Not Found";
    case 405:
      return "405 Method Not Allowed";
    case 408:
      return "408 Request Timeout";
    case 409:
      return "409 Conflict";
    case 410:
      return "410 Gone";
    case 413:
      return "413 Content Too Large";
    case 422:
      return "422 Unprocessable Content";
    case 429:
      return "429 Too Many Requests";
    case 431:
      return "431 Request Header Fields Too Large";
    case 500:
      return "500 Internal Server Error";
    case 501:
      return "501 Not Implemented";
    case 502:
      return "502 Bad Gateway";
    case 503:
      return "503 Service Unavailable";
    case 504:
      return "504 Gateway Timeout";
    case 505:
      return "505 HTTP Version Not Supported";
    default:
      return {};
  }
}

}  // namespace

std::string_view reason_phrase(int status) {
  const auto both = status_and_reason(status);
  return both.empty() ? "Unknown" : both.substr(4);
}

void serialize_head(const Response& response, Framing framing, Persistence persistence, std::string& out,
                    std::string_view extra) {
  out += "HTTP/1.1 ";
  if (const auto both = status_and_reason(response.status); !both.empty()) {
    out += both;
  } else {
    append_number(static_cast<std::size_t>(response.status), out);
    out += " Unknown";
  }
  if (!response.content_type.empty()) {
    out += "\r\nContent-Type: ";
    out += response.content_type;
  }
  if (framing == Framing::chunked) {
    out += "\r\nTransfer-Encoding: chunked";
  } else if (framing == Framing::length && response.status != 204) {
    out += "\r\nContent-Length: ";
    append_number(response.body.size(), out);
  }
  for (const auto& [name, value] : response.headers) {
    out += "\r\n";
    out += name;
    out += ": ";
    out += value;
  }
  out += extra;
  if (persistence == Persistence::close) {
    out += "\r\nConnection: close";
  } else if (persistence == Persistence::keep_alive_1_0) {
    out += "\r\nConnection: keep-alive";
  }
  out += "\r\n\r\n";
}

void serialize(const Response& response, bool head_only, Persistence persistence, std::string& out,
               std::string_view extra) {
  serialize_head(response, Framing::length, persistence, out, extra);
  if (!head_only) out += response.body;
}

std::optional<std::string> percent_decoded(std::string_view text, bool plus_is_space) {
  std::string decoded;
  decoded.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%') {
      if (i + 2 >= text.size()) return std::nullopt;
      const int high = hex_digit(text[i + 1]);
      const int low = hex_digit(text[i + 2]);
      if (high < 0 || low < 0) return std::nullopt;
      decoded += static_cast<char>(high * 16 + low);
      i += 2;
    } else {
      decoded += plus_is_space && text[i] == '+' ? ' ' : text[i];
    }
  }
  return decoded;
}

std::optional<std::string> query_parameter(std::string_view query, std::string_view name) {
  while (!query.empty()) {
    const auto end = query.find('&');
    const auto pair = query.substr(0, end);
    query = end == std::string_view::npos ? std::string_view{} : query.substr(end + 1);
    const auto equals = pair.find('=');
    if (percent_decoded(pair.substr(0, equals), true) != name) continue;
    return percent_decoded(equals == std::string_view::npos ? std::string_view{} : pair.substr(equals + 1),
                           true);
  }
  return std::nullopt;
}

}  // namespace doorbuster::http
