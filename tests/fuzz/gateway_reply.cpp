// What an instance sends, through the gateway's rewriting: what the client gets is exactly one response, with
// the same status and body.

#include <string>

#include "proto/http/characters.hpp"
#include "proto/http/chunked.hpp"
#include "proto/http/reply_head.hpp"
#include "proto/http/response_parser.hpp"
#include "services/gateway/forward.hpp"
#include "tests/fuzz/fuzz_support.hpp"

namespace {

using namespace doorbuster;
using http::ReplyHead;

constexpr std::size_t kMostBody = 4096;

/// The body as the gateway understands it; false when it is not all there.
bool body_of(const ReplyHead& head, std::string_view rest, std::string& body) {
  switch (head.body()) {
    case ReplyHead::Body::none:
      return true;
    case ReplyHead::Body::counted:
      if (head.length() > rest.size()) return false;
      body = rest.substr(0, static_cast<std::size_t>(head.length()));
      return true;
    case ReplyHead::Body::chunked: {
      http::ChunkedDecoder chunks;
      chunks.reset(kMostBody);
      chunks.put(rest, body);
      return chunks.state() == http::ChunkedDecoder::State::done;
    }
    case ReplyHead::Body::until_close:
      body = rest;
      return true;
  }
  return false;
}

void check_fields(const http::ResponseParser& seen, bool chunked) {
  fuzz::check(seen.header("doorbuster-correlation") == "9", "the only correlation is the client's own");
  fuzz::check(seen.header("keep-alive").empty() && seen.header("upgrade").empty() &&
                  seen.header("trailer").empty() && seen.header("proxy-connection").empty(),
              "what concerns one connection stays behind");
  fuzz::check(chunked == !seen.header("transfer-encoding").empty(), "the framing is the gateway's own");
  fuzz::check(seen.header("x-request-id") == "the-request-id", "the id is the request's");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  auto input = fuzz::view(data, size);
  if (input.empty()) return 0;
  const auto flags = static_cast<unsigned char>(input.front());
  input.remove_prefix(1);
  const bool to_head = (flags & 1) != 0;
  ReplyHead head(512, 16);
  for (int interims = 0;; ++interims) {
    if (interims > 8 || head.parse(input, to_head) != ReplyHead::Status::complete) return 0;
    if (!head.interim()) break;
    input.remove_prefix(head.size());
  }
  std::string body;
  if (!body_of(head, input.substr(head.size()), body)) return 0;

  net::ReplyFrame frame;
  frame.head_only = to_head;
  frame.chunked = (flags & 2) != 0 && head.body() != ReplyHead::Body::none;
  frame.persistence = (flags & 4) != 0 ? http::Persistence::close : http::Persistence::keep_alive;
  frame.extra = "\r\nDoorbuster-Correlation: 9";
  std::string bytes;
  gateway::write_reply_head(head, body.size(), false, frame, "\r\nX-Request-Id: the-request-id", bytes);
  if (frame.chunked) {
    if (!body.empty()) {
      char size_line[24];
      std::snprintf(size_line, sizeof size_line, "%zx\r\n", body.size());
      bytes += size_line + body + "\r\n";
    }
    bytes += "0\r\n\r\n";
  } else {
    bytes += body;
  }

  http::ResponseParser reader(kMostBody * 2);
  reader.reset(to_head);
  const auto taken = reader.put(bytes);
  fuzz::check(taken.has_value(), "what the client gets can be read");
  fuzz::check(reader.done(), "what the client gets is complete");
  fuzz::check(*taken == bytes.size(), "what the client gets is one response");
  fuzz::check(reader.status() == head.status(), "the status stays");
  fuzz::check(reader.body() == body, "the body stays");
  fuzz::check(reader.keep_alive() == ((flags & 4) == 0), "the connection is the gateway's to keep");
  check_fields(reader, frame.chunked);
  return 0;
}
