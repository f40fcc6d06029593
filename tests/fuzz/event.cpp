// Events of the log: what is read can be written, and reads back as the same.

#include "proto/event/event_codec.hpp"

#include <string>

#include "tests/fuzz/fuzz_support.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace doorbuster;
  const auto event = event::from_json(fuzz::view(data, size));
  if (!event) {
    fuzz::check(!event.error().detail.empty(), "an error says what is wrong");
    return 0;
  }
  const auto text = event::to_json(*event);
  const auto again = event::from_json(text);
  fuzz::check(again.has_value(), "what was written can be read");
  fuzz::check(*again == *event, "what was written reads back as the same event");
  fuzz::check(event::to_json(*again) == text, "the same event is written in the same way");
  std::string first;
  std::string second;
  event::append_canonical(*event, first);
  event::append_canonical(*again, second);
  fuzz::check(first == second, "the checksum chain sees the same bytes");
  return 0;
}
