// What a client sends, through the gateway's filters and rewriting: what is passed on is exactly one request,
// with the same method and body, whatever came.

#include <algorithm>
#include <string>

#include "proto/http/characters.hpp"
#include "proto/http/request_parser.hpp"
#include "services/gateway/filters.hpp"
#include "services/gateway/forward.hpp"
#include "tests/fuzz/fuzz_support.hpp"

namespace {

using namespace doorbuster;
using http::RequestParser;

// As the gateway has them, but small, so that they are reached.
constexpr http::ParseLimits kLimits{
    .header_bytes = 1024, .headers = 16, .body_bytes = 64, .streamed_bytes = 128};
// What an instance takes: the gateway adds some.
constexpr http::ParseLimits kUpstreamLimits{.header_bytes = 4096, .headers = 64, .body_bytes = 1024};

gateway::Route everything(bool rewrites) {
  gateway::RouteEntry entry;
  entry.path = "/";
  entry.to = "lb://x";
  if (rewrites) {
    entry.strip = "/a";
    entry.prefix = "/in";
  }
  return gateway::RouteTable::make({entry})->routes()[0];
}

bool is_refused(gateway::FilterChain& filters, gateway::Passage& passage) {
  return std::any_of(filters.begin(), filters.end(),
                     [&](const auto& filter) { return filter->on_request(passage).has_value(); });
}

gateway::FilterChain chain(SeededRandom& random, bool trusts) {
  gateway::FilterChain filters;
  filters.push_back(std::make_unique<gateway::HeaderHygiene>());
  filters.push_back(std::make_unique<gateway::RequestId>(random));
  filters.push_back(std::make_unique<gateway::TraceContext>(random));
  filters.push_back(
      std::make_unique<gateway::Forwarded>(*gateway::AddressRanges::parse(trusts ? "127.0.0.1" : "")));
  filters.push_back(std::make_unique<gateway::Cors>(std::vector<std::string>{"https://shop.example"}));
  return filters;
}

void check_fields(const http::Request& seen) {
  int lengths = 0;
  int correlations = 0;
  for (const auto& field : seen.headers) {
    lengths += http::equal_without_case(field.name, "content-length") ? 1 : 0;
    correlations += http::equal_without_case(field.name, "doorbuster-correlation") ? 1 : 0;
    for (const auto* gone : {"connection", "keep-alive", "te", "transfer-encoding", "upgrade", "expect",
                             "proxy-authorization", "trailer"}) {
      fuzz::check(!http::equal_without_case(field.name, gone), "what concerns one connection stays behind");
    }
    fuzz::check(field.name.find('_') == std::string_view::npos, "no name with an underscore passes");
  }
  fuzz::check(lengths <= 1, "there is one length at most");
  fuzz::check(correlations == 1, "a client cannot say a correlation");
  fuzz::check(!seen.header("x-request-id").empty(), "every request has an id");
  fuzz::check(gateway::TraceContext::is_valid(seen.header("traceparent")), "every request has a valid trace");
}

void pass_on(const http::Request& request, const gateway::Route& route, const gateway::Passage& passage) {
  std::string bytes;
  const auto head_size = gateway::write_request(request, route, passage, bytes);
  bytes.insert(head_size, "Doorbuster-Correlation: 7\r\n\r\n");
  RequestParser reader(kUpstreamLimits);
  fuzz::check(reader.parse(bytes) == RequestParser::Status::complete, "what is passed on can be read");
  fuzz::check(reader.consumed() == bytes.size(), "what is passed on is one request");
  fuzz::check(reader.request().method_name == request.method_name, "the method stays");
  fuzz::check(reader.request().body == request.body, "the body stays");
  fuzz::check(reader.request().query == request.query, "the query stays");
  fuzz::check(!gateway::is_ambiguous_path(reader.request().path), "the path means one place");
  check_fields(reader.request());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  auto input = fuzz::view(data, size);
  if (input.empty()) return 0;
  const auto flags = static_cast<unsigned char>(input.front());
  input.remove_prefix(1);
  SeededRandom random(flags);
  auto filters = chain(random, (flags & 1) != 0);
  const auto route = everything((flags & 2) != 0);
  RequestParser parser(kLimits);
  while (!input.empty()) {
    const auto status = parser.parse(input);
    if (status == RequestParser::Status::need_more || status == RequestParser::Status::failed) return 0;
    parser.set_peer("127.0.0.1");
    gateway::Passage passage;
    passage.request = &parser.request();
    if (!is_refused(filters, passage) && !parser.request().streamed) {
      // `OPTIONS *` has no path: no route takes it.
      if (parser.request().path.front() == '/') pass_on(parser.request(), route, passage);
    }
    auto rest = input.substr(parser.consumed());
    if (status == RequestParser::Status::streams) {
      std::size_t streamed = parser.first_piece().size();
      std::string_view piece;
      while (!parser.body_done() && !parser.body_failed() && !rest.empty()) {
        const auto taken = parser.read_body(rest.substr(0, 1 + flags % 8), piece);
        streamed += piece.size();
        rest.remove_prefix(taken);
      }
      fuzz::check(streamed <= 64 + kLimits.streamed_bytes, "a streamed body keeps to its limit");
      if (!parser.body_done()) return 0;
      if (parser.request().length) {
        fuzz::check(streamed == *parser.request().length, "a streamed body has the length that was said");
      }
    }
    input = rest;
    parser.reset();
  }
  return 0;
}
