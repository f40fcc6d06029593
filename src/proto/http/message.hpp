#pragma once
// HTTP messages as values, without a socket and without a parser's types.

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace doorbuster::http {

enum class Method : std::uint8_t { get, head, post, put, patch, del, options, other };

std::string_view to_text(Method method);

struct HeaderView {
  std::string_view name;
  std::string_view value;
};

/// A request as the handler sees it. Every view ends with the handler's call: what is kept is copied.
struct Request {
  Method method = Method::get;
  std::string_view method_name;  ///< as sent: also of `other`
  std::string_view target;       ///< as sent: path and query
  std::string_view path;         ///< not decoded
  std::string_view query;        ///< without '?'; not decoded
  std::span<const HeaderView> headers;
  std::string_view body;                ///< empty when `streamed`
  bool streamed = false;                ///< the body is too long to be kept: Responder::take_body() gives it
  std::optional<std::uint64_t> length;  ///< of a streamed body; nullopt: chunked
  std::string_view peer;                ///< the client's IP address

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

bool equal_ignoring_case(std::string_view a, std::string_view b);

/// How the end of a body is told.
enum class Framing : std::uint8_t { length, chunked, until_close };
/// What the connection does after the reply; `keep_alive_1_0` is said to a client of HTTP/1.0 that asked for
/// it.
enum class Persistence : std::uint8_t { keep_alive, keep_alive_1_0, close };

/// Appends status line and headers: `Content-Type`, framing, the response's own, `Connection` where it is
/// needed.
/// \param extra further header lines, each with CR LF before it
void serialize_head(const Response& response, Framing framing, Persistence persistence, std::string& out,
                    std::string_view extra = {});
/// The same with `Content-Length`, and the body unless `head_only`.
void serialize(const Response& response, bool head_only, Persistence persistence, std::string& out,
               std::string_view extra = {});

/// `%41` and, in a query, `+` undone. nullopt when an escape is cut off or not hexadecimal.
std::optional<std::string> percent_decoded(std::string_view text, bool plus_is_space = false);

/// The decoded value of a parameter in a query string; nullopt when it is absent or badly escaped.
std::optional<std::string> query_parameter(std::string_view query, std::string_view name);

}  // namespace doorbuster::http
