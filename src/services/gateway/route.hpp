#pragma once
// Where does a request go? Routes are looked at in their order, and the first that matches takes it.
//
// A table is immutable: shared by all shards, replaced as a whole.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.hpp"
#include "base/error.hpp"
#include "proto/http/message.hpp"

namespace doorbuster::gateway {

/// As the configuration gives it; every part but `to` may be empty.
struct RouteEntry {
  std::string path;         ///< prefix of whole segments: `/v1` takes `/v1` and `/v1/x`, not `/v1x`
  std::string path_suffix;  ///< `.csv`
  std::string host;         ///< of the Host header, without port; `*.example.com` takes every name below it
  std::string methods;      ///< `GET, POST`
  std::string header;       ///< `X-Version` (is there) or `X-Version: 2` (has that value)
  std::string strip;        ///< this prefix is taken off the path
  std::string prefix;       ///< this one is put before it, afterwards
  std::string to;           ///< `lb://SERVICE`, or `http://HOST:PORT`, several separated by commas
  std::string idempotent;   ///< POSTs that may be repeated: `/v1/campaigns/*/coupons, ...`
  std::string timeout;      ///< of the reply's beginning; empty: the gateway's
  std::string exclusive;    ///< `true`: never on a shared upstream connection
  std::string pipelining;   ///< of fixed addresses: requests that one connection takes at once
  std::string place;        ///< file and line, for messages
};

/// Of a path, segment by segment; `*` stands for any one. A pattern that ends in ` key` holds for requests
/// with an `Idempotency-Key` alone.
struct PathPattern {
  std::vector<std::string> segments;
  bool needs_key = false;
  bool matches(std::string_view path) const;
};

struct FixedAddress {
  std::string host;
  std::uint16_t port = 0;
  friend bool operator==(const FixedAddress&, const FixedAddress&) = default;
};

struct Route {
  std::size_t number = 0;  ///< in the table
  std::string name;        ///< metric label: the service, or `fixed-N`
  std::string path, path_suffix, host, header_name, header_value, strip, prefix;
  std::vector<std::string> methods;
  std::string service;  ///< lower case; empty: `addresses`
  std::vector<FixedAddress> addresses;
  std::size_t pipelining = 0;
  std::vector<PathPattern> idempotent;
  std::optional<Duration> timeout;
  bool exclusive = false;

  bool matches(const http::Request& request) const;
  /// A request that may be repeated without harm: by its method, or because its service says so.
  bool is_idempotent(const http::Request& request) const;
  /// Appends the target that the upstream gets.
  void append_target(const http::Request& request, std::string& out) const;
};

class RouteTable {
 public:
  /// \returns invalid, with the entry's place
  static Result<RouteTable> make(const std::vector<RouteEntry>& entries);
  /// `/v1` and `/coupon` to the service `coupon-api`.
  static std::vector<RouteEntry> standard();

  const Route* find(const http::Request& request) const;
  const std::vector<Route>& routes() const { return routes_; }

 private:
  std::vector<Route> routes_;
};

/// Reads `/v1/campaigns/*/coupons, /v1/coupons/*/redemption key`.
std::vector<PathPattern> parse_patterns(std::string_view list);

/// A path that two readers could resolve to different places: dot segments (encoded ones, too), an encoded
/// slash or NUL, a backslash.
bool is_ambiguous_path(std::string_view path);

}  // namespace doorbuster::gateway
