// Requests, pipelined: what is read must not depend on how the bytes are cut, nor on where they lie.

#include <algorithm>
#include <memory>
#include <string>

#include "proto/http/request_parser.hpp"
#include "tests/fuzz/fuzz_support.hpp"

namespace {

using namespace doorbuster;
using http::RequestParser;

// Small, so that the limits are reached.
constexpr http::ParseLimits kLimits{.header_bytes = 256, .headers = 8, .body_bytes = 64};
// The same for a server that takes longer bodies piece by piece.
constexpr http::ParseLimits kStreaming{
    .header_bytes = 256, .headers = 8, .body_bytes = 16, .streamed_bytes = 128};

void write(std::string_view text, std::string& transcript) {
  transcript += std::to_string(text.size()) + ":" + std::string(text) + ",";
}

/// \returns true when the connection goes on
bool record(RequestParser& parser, RequestParser::Status status, std::string& transcript) {
  if (status == RequestParser::Status::failed) {
    transcript += "failed " + std::to_string(parser.failure().status);
    write(parser.failure().detail, transcript);
    return false;
  }
  const auto& request = parser.request();
  transcript += to_text(request.method);
  for (const auto part : {request.target, request.path, request.query, request.body}) write(part, transcript);
  for (const auto& header : request.headers) {
    write(header.name, transcript);
    write(header.value, transcript);
    fuzz::check(header.value.find_first_of(std::string_view("\r\n\0", 3)) == std::string_view::npos,
                "no header's value can split a message");
  }
  transcript += parser.keep_alive() ? "stays" : "closes";
  fuzz::check(request.body.size() <= kLimits.body_bytes, "a body keeps to its limit");
  fuzz::check(!request.path.empty(), "a request has a path");
  fuzz::check(request.headers.size() <= kLimits.headers, "the number of headers keeps to its limit");
  return true;
}

/// Reads `input` as it grows by `cuts`, each time in memory of its own: a view kept too long is found.
std::string read(std::string_view input, fuzz::Cuts* cuts, const http::ParseLimits& limits) {
  RequestParser parser(limits);
  std::string transcript;
  std::size_t begin = 0;
  std::size_t end = cuts == nullptr ? input.size() : 0;
  for (;;) {
    const auto size = end - begin;
    const std::unique_ptr<char[]> memory(new char[size]);
    std::copy_n(input.data() + begin, size, memory.get());
    const auto status = parser.parse({memory.get(), size});
    if (status == RequestParser::Status::need_more) {
      if (end == input.size()) return transcript;
      end = std::min(input.size(), end + cuts->next());
      continue;
    }
    // Whether a streamed request is handed over before its body turns out to be bad depends on the cuts, and
    // may: without its body's end it is nobody's whole request.
    const auto before = transcript.size();
    if (!record(parser, status, transcript)) return transcript;
    fuzz::check(parser.consumed() <= size, "no more is consumed than was given");
    fuzz::check(parser.consumed() > 0, "a request has bytes");
    begin += parser.consumed();
    if (status == RequestParser::Status::streams) {
      std::string body(parser.first_piece());
      while (!parser.body_done() && !parser.body_failed()) {
        if (begin == end && end == input.size()) return transcript.substr(0, before);
        if (begin == end) end = std::min(input.size(), end + cuts->next());
        std::string_view piece;
        begin += parser.read_body(input.substr(begin, end - begin), piece);
        body += piece;
      }
      if (parser.body_failed()) {
        transcript.resize(before);
        record(parser, RequestParser::Status::failed, transcript);
        return transcript;
      }
      write(body, transcript);
      fuzz::check(body.size() <= limits.streamed_bytes, "a streamed body keeps to its limit");
    }
    parser.reset();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto input = fuzz::view(data, size);
  fuzz::Cuts cuts(input);
  fuzz::check(read(input, nullptr, kLimits) == read(input, &cuts, kLimits),
              "the result does not depend on the cuts");
  fuzz::check(read(input, nullptr, kStreaming) == read(input, &cuts, kStreaming),
              "nor does it where bodies are streamed");
  return 0;
}
