#pragma once
// The filter chain: each filter is a small class that looks at a request before it is sent on, and at its
// reply before it is handed back.
//
//   hygiene ─ request id ─ trace context ─ forwarded ─ cors ─ [authentication ─ rate limits ─ waiting room]
//      ─ routing ─▶ upstream ─▶ the same filters for the reply ─▶ access log
//
// Filters are called in order for the request and for the reply; the first that answers a request ends its
// way. A filter keeps no state of a request: what it must remember stands in the Passage.
//
// One chain a shard, called on its thread alone.

#include <bitset>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.hpp"
#include "net/http_server.hpp"
#include "proto/http/message.hpp"
#include "proto/http/reply_head.hpp"

namespace doorbuster::gateway {

/// One request on its way through the gateway, as the filters see it.
struct Passage {
  static constexpr std::size_t kMostFields = 128;  ///< of a request

  const http::Request* request = nullptr;  ///< while the request is being read; null for the reply
  std::bitset<kMostFields> dropped;        ///< fields of the request that are not sent on, by their index
  std::string added;                       ///< fields that are, as `Name: value\r\n`
  std::string reply_added;                 ///< fields for the reply, as `\r\nName: value`
  std::string request_id;
  std::string method;  ///< filled for the access log's chosen ones alone
  std::string target;
  bool logged = false;
  bool trusted = false;  ///< the peer is a proxy of ours
  int status = 0;
  Duration took{0};
  std::uint64_t reply_bytes = 0;

  void clear();
  void add(std::string_view name, std::string_view value) {
    added += name;
    added += ": ";
    added += value;
    added += "\r\n";
  }
  void add_to_reply(std::string_view name, std::string_view value) {
    reply_added += "\r\n";
    reply_added += name;
    reply_added += ": ";
    reply_added += value;
  }
  /// The first field of that name that is still sent on; empty when there is none.
  std::string_view kept(std::string_view lower_case_name) const;
  std::size_t count(std::string_view lower_case_name) const;
  void drop(std::string_view lower_case_name);
};

class Filter {
 public:
  virtual ~Filter() = default;
  /// \returns an answer, when the request goes no further
  virtual std::optional<http::Response> on_request(Passage& passage) = 0;
  /// The passage has been answered, by whomever.
  virtual void on_end(const Passage& /*passage*/) {}
};

using FilterChain = std::vector<std::unique_ptr<Filter>>;

}  // namespace doorbuster::gateway
