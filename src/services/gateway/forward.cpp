#include "services/gateway/forward.hpp"

#include <charconv>

#include "proto/http/characters.hpp"

namespace doorbuster::gateway {
namespace {

using http::equal_without_case;

void append_number(std::uint64_t number, std::string& out) {
  char digits[20];
  out.append(digits, std::to_chars(digits, digits + sizeof digits, number).ptr);
}

/// Of a reply: concerns one connection only, or is written anew.
bool is_dropped(std::string_view name) {
  switch (name.size()) {
    case 2:
      return equal_without_case(name, "te");
    case 7:
      return equal_without_case(name, "trailer") || equal_without_case(name, "upgrade");
    case 10:
      return equal_without_case(name, "connection") || equal_without_case(name, "keep-alive");
    case 12:
      return equal_without_case(name, "x-request-id");
    case 14:
      return equal_without_case(name, "content-length");
    case 16:
      return equal_without_case(name, "proxy-connection");
    case 17:
      return equal_without_case(name, "transfer-encoding");
    case 18:
      return equal_without_case(name, "proxy-authenticate");
    case 22:
      return equal_without_case(name, "doorbuster-correlation");
    default:
      return false;
  }
}

bool is_named_by_connection(const http::ReplyHead& head, std::string_view name) {
  bool named = false;
  for (const auto& field : head.fields()) {
    if (!equal_without_case(field.name, "connection")) continue;
    http::for_each_in_list(field.value, [&](std::string_view one) {
      named |= http::equal_ignoring_case(one, name) && !equal_without_case(one, "content-type");
    });
  }
  return named;
}

/// Whether `Connection` names anything but the two usual words.
bool names_fields(const http::ReplyHead& head) {
  const auto value = head.connection();
  if (value.empty()) return false;
  return head.many_connection_fields() ||
         (!equal_without_case(value, "keep-alive") && !equal_without_case(value, "close"));
}

}  // namespace

std::size_t write_request(const http::Request& request, const Route& route, const Passage& passage,
                          std::string& out) {
  const auto before = out.size();
  out += request.method_name;
  out += ' ';
  route.append_target(request, out);
  out += " HTTP/1.1\r\n";
  bool has_host = false;
  for (std::size_t i = 0; i < request.headers.size(); ++i) {
    if (passage.dropped.test(i)) continue;
    const auto& [name, value] = request.headers[i];
    has_host |= name.size() == 4 && equal_without_case(name, "host");
    out += name;
    out += ": ";
    out += value;
    out += "\r\n";
  }
  // A client of HTTP/1.0 may have left it out; HTTP/1.1 must not.
  if (!has_host) out += "Host:\r\n";
  out += passage.added;
  if (request.streamed && !request.length) {
    out += "Transfer-Encoding: chunked\r\n";
  } else {
    const auto length = request.streamed ? *request.length : request.body.size();
    const bool said = length != 0 || request.method == http::Method::post ||
                      request.method == http::Method::put || request.method == http::Method::patch;
    if (said) {
      out += "Content-Length: ";
      append_number(length, out);
      out += "\r\n";
    }
  }
  const auto head_size = out.size() - before;
  out += request.body;
  return head_size;
}

void write_reply_head(const http::ReplyHead& head, std::uint64_t length, bool until_close,
                      const net::ReplyFrame& frame, std::string_view added, std::string& out) {
  out += "HTTP/1.1 ";
  append_number(static_cast<std::uint64_t>(head.status()), out);
  out += ' ';
  out += head.reason();
  const bool named = names_fields(head);
  for (const auto& [name, value] : head.fields()) {
    if (is_dropped(name) || (named && is_named_by_connection(head, name))) continue;
    out += "\r\n";
    out += name;
    out += ": ";
    out += value;
  }
  out += added;
  out += frame.extra;
  if (frame.chunked) {
    out += "\r\nTransfer-Encoding: chunked";
  } else if (head.body() == http::ReplyHead::Body::none) {
    // HEAD and 304 may tell the length of the body that they would have had.
    if (head.has_length() && head.status() != 204) {
      out += "\r\nContent-Length: ";
      append_number(head.length(), out);
    }
  } else if (!until_close) {
    out += "\r\nContent-Length: ";
    append_number(length, out);
  }
  if (frame.persistence == http::Persistence::close) {
    out += "\r\nConnection: close";
  } else if (frame.persistence == http::Persistence::keep_alive_1_0) {
    out += "\r\nConnection: keep-alive";
  }
  out += "\r\n\r\n";
}

}  // namespace doorbuster::gateway
