#pragma once
// HTTP messages as values, without a socket and without a parser's types.

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace doorbuster::http {

enum class Method : std::uint8_t { get, head, post, put, patch, del, options, other };

std::string_view to_text(Method method);
/// `other` for a method that is not in the list. Case counts.
Method method_of(std::string_view text);

struct HeaderView {
  std::string_view name;
  std::string_view value;
};

/// A request as the handler sees it. Every view ends with the handler's call: what is kept is copied.
struct Request {
  Method method = Method::get;
  std::string_view target;  ///< as sent: path and query
  std::string_view path;    ///< not decoded
  std::string_view query;   ///< without '?'; not decoded
  std::span<const HeaderView> headers;
  std::string_view body;

  /// The first header of that name, compared without case; empty when there is none.
  std::string_view header(std::string_view name) const;
};

struct Response {
  int status = 200;
  std::string_view content_type = "application/json";  ///< static text; empty: no such header
  std::string body;
  std::vector<std::pair<std::string, std::string>> headers;  ///< beside those that the server writes itself
};

std::string_view reason_phrase(int status);

/// Whether the connection stays: `implied` writes no `Connection` header, which with HTTP/1.1 means that it does.
enum class Persistence : std::uint8_t { implied, close, keep_alive };
/// How the end of a body is told: by its length, by a last chunk, or by the end of the connection.
enum class Framing : std::uint8_t { counted, chunked, until_close };

/// Appends status line, `Content-Type`, `Content-Length`, the response's own headers, `Connection` where the
/// default of HTTP/1.1 is not meant, and the body (not for HEAD) to `out`.
void serialize(const Response& response, bool head_only, bool close, std::string& out);
void serialize(const Response& response, bool head_only, Persistence persistence, std::string& out);
/// The same without the body, up to the empty line.
void serialize_head(const Response& response, Framing framing, Persistence persistence, std::string& out);

/// `%41` and, in a query, `+` undone. nullopt when an escape is cut off or not hexadecimal.
std::optional<std::string> percent_decoded(std::string_view text, bool plus_is_space = false);

/// The decoded value of a parameter in a query string; nullopt when it is absent or badly escaped.
std::optional<std::string> query_parameter(std::string_view query, std::string_view name);

}  // namespace doorbuster::http
