// Responses on one connection: what is read must not depend on how the bytes are cut.

#include <algorithm>
#include <string>

#include "proto/http/response_parser.hpp"
#include "tests/fuzz/fuzz_support.hpp"

namespace {

using namespace doorbuster;

constexpr std::size_t kMostBodyBytes = 64;
constexpr std::size_t kMostHeadBytes = 256;

void record(const http::ResponseParser& parser, std::string& transcript) {
  transcript += std::to_string(parser.status()) + "[" + std::string(parser.body()) + "]";
  for (const auto* name : {"Retry-After", "Content-Type", "Location"}) {
    transcript += std::string(parser.header(name)) + "|";
  }
  transcript += parser.keep_alive() ? "stays " : "closes ";
  fuzz::check(parser.body().size() <= kMostBodyBytes, "a body keeps to its limit");
}

std::string read(std::string_view input, fuzz::Cuts* cuts) {
  // Every second response answers a HEAD when the input says so.
  const bool heads = !input.empty() && (input.back() & 1) != 0;
  bool head = false;
  http::ResponseParser parser(kMostBodyBytes, kMostHeadBytes);
  std::string transcript;
  while (!input.empty()) {
    // In memory of its own: a view kept too long is found.
    auto piece = std::string(input.substr(0, cuts == nullptr ? input.size() : cuts->next()));
    input.remove_prefix(piece.size());
    while (!piece.empty()) {
      const auto taken = parser.put(piece);
      if (!taken) return transcript + "error " + std::to_string(static_cast<int>(taken.error().code));
      fuzz::check(*taken <= piece.size(), "no more is taken than was given");
      fuzz::check(*taken == piece.size() || parser.done(), "all is taken until the response is done");
      fuzz::check(*taken > 0, "what is given is taken");
      piece.erase(0, *taken);
      if (!parser.done()) continue;
      record(parser, transcript);
      if (!parser.keep_alive()) return transcript;
      head = heads && !head;
      parser.reset(head);
    }
  }
  if (parser.untouched()) return transcript + "end";
  if (!parser.put_end()) return transcript + "cut off";
  record(parser, transcript);
  return transcript;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto input = fuzz::view(data, size);
  fuzz::Cuts cuts(input);
  fuzz::check(read(input, nullptr) == read(input, &cuts), "the result does not depend on the cuts");
  return 0;
}
