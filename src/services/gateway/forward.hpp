#pragma once
// Rewrites messages as they pass: the only place that writes what is sent to an upstream, or back to a
// client.
//
// What is written is exactly one message for whoever reads it by RFC 9112 (tests/fuzz/gateway_request and
// gateway_reply): framing is never copied, it is written anew from what was understood.

#include <string>
#include <string_view>

#include "net/http_server.hpp"
#include "proto/http/message.hpp"
#include "proto/http/reply_head.hpp"
#include "services/gateway/filter.hpp"
#include "services/gateway/route.hpp"

namespace doorbuster::gateway {

/// Appends the request's head without its empty line, then its body (unless it is streamed).
/// \returns the head's size
std::size_t write_request(const http::Request& request, const Route& route, const Passage& passage,
                          std::string& out);

/// Appends the head of a reply with its empty line. \param length of the body that follows; ignored when the
/// frame says chunked, or when `until_close`
void write_reply_head(const http::ReplyHead& head, std::uint64_t length, bool until_close,
                      const net::ReplyFrame& frame, std::string_view added, std::string& out);

}  // namespace doorbuster::gateway
