// The small readers of text: times, durations, ids, escapes, query parameters.

#include <string>

#include "base/clock.hpp"
#include "base/ids.hpp"
#include "proto/http/message.hpp"
#include "tests/fuzz/fuzz_support.hpp"

namespace {

using namespace doorbuster;

void check_times(std::string_view text) {
  const auto time = parse_timestamp(text);
  if (time) {
    const auto again = parse_timestamp(to_text(*time));
    fuzz::check(again.has_value() && *again == *time, "a time that is written reads back as the same");
  }
  (void)parse_duration(text);
}

void check_ids(std::string_view text) {
  if (const auto id = CampaignId::parse(text))
    fuzz::check(id->text() == text, "a campaign id keeps its text");
  if (const auto id = UserId::parse(text)) {
    fuzz::check(id->text() == text, "a user id keeps its text");
    if (const auto number = id->integer()) {
      fuzz::check(UserId::from_integer(*number) == *id, "an integer id is its digits");
    }
  }
  if (const auto code = CouponCode::parse(text)) {
    const auto again = CouponCode::parse(code->text());
    fuzz::check(again.has_value() && *again == *code, "a code that is written reads back as the same");
  }
}

std::string escaped(std::string_view text) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string all;
  for (const char c : text) {
    all += '%';
    all += digits[static_cast<unsigned char>(c) >> 4];
    all += digits[static_cast<unsigned char>(c) & 15];
  }
  return all;
}

void check_escapes(std::string_view text) {
  const auto decoded = http::percent_decoded(text);
  if (decoded) fuzz::check(decoded->size() <= text.size(), "decoding adds nothing");
  const auto there_and_back = http::percent_decoded(escaped(text), true);
  fuzz::check(there_and_back.has_value() && *there_and_back == text, "what is escaped decodes to itself");
  const auto in_query = http::query_parameter("first=1&" + escaped("name") + "=" + escaped(text), "name");
  fuzz::check(in_query.has_value() && *in_query == text, "a parameter is found whatever it holds");
  (void)http::query_parameter(text, "name");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto text = fuzz::view(data, size);
  check_times(text);
  check_ids(text);
  check_escapes(text);
  return 0;
}
