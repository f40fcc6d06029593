#pragma once
// Plain blocking HTTP/1.1 client for commands (campaign, audit, readiness checks): one request at a time.
// Not for the data plane.

#include <string>

#include "base/clock.hpp"
#include "base/error.hpp"

namespace doorbuster::net {

struct Url {
  std::string host;
  std::string port;
  std::string path;  ///< without trailing slash; may be empty
};

/// Reads `http://host[:port][/path]`. \returns invalid
Result<Url> parse_url(std::string_view text);

struct ClientResponse {
  int status = 0;
  std::string content_type;
  std::string body;
};

class HttpClient {
 public:
  /// \param token sent as `Authorization: Bearer`, when not empty
  explicit HttpClient(Url base, std::string token = {}, Duration timeout = std::chrono::seconds(30));

  /// One exchange on a connection of its own. `body` is JSON; empty: none.
  /// \returns unavailable (refused, reset, timed out), malformed (no HTTP came back)
  Result<ClientResponse> exchange(std::string_view method, std::string_view target,
                                  std::string_view body = {});

 private:
  Url base_;
  std::string token_;
  Duration timeout_;
};

}  // namespace doorbuster::net
