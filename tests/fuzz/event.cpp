// Events of the logs: what is read can be written, and reads back as the same. Every input is taken for JSON
// and for the bytes of a row.

#include "proto/event/event_codec.hpp"

#include <string>
#include <vector>

#include "proto/event/event_bytes.hpp"

#include "tests/fuzz/fuzz_support.hpp"

namespace {

using namespace doorbuster;

Result<std::vector<Event>> read_row(std::string_view bytes) {
  auto reader = event::BytesReader::open(bytes);
  if (!reader) return reader.error();
  std::vector<Event> events;
  while (reader->left() > 0) {
    if (auto read = reader->next(events.emplace_back()); !read) return read.error();
  }
  return events;
}

std::string row_of(const std::vector<Event>& events) {
  std::string bytes;
  if (const auto* changed = std::get_if<CampaignChanged>(&events.front())) {
    event::append_definition(changed->definition, bytes);
    return bytes;
  }
  std::vector<CouponIssued> coupons;
  for (const auto& event : events) coupons.push_back(std::get<CouponIssued>(event));
  fuzz::check(event::append_coupons(coupons, bytes) == coupons.size(), "what stood together stands together");
  return bytes;
}

void as_row(std::string_view bytes) {
  const auto events = read_row(bytes);
  if (!events) {
    fuzz::check(!events.error().detail.empty(), "an error says what is wrong");
    return;
  }
  const auto again = read_row(row_of(*events));
  fuzz::check(again.has_value(), "a row that was written can be read");
  fuzz::check(*again == *events, "a row that was written reads back as the same events");
}

void as_json(std::string_view input) {
  const auto event = event::from_json(input);
  if (!event) {
    fuzz::check(!event.error().detail.empty(), "an error says what is wrong");
    return;
  }
  const auto text = event::to_json(*event);
  const auto again = event::from_json(text);
  fuzz::check(again.has_value(), "what was written can be read");
  fuzz::check(*again == *event, "what was written reads back as the same event");
  fuzz::check(event::to_json(*again) == text, "the same event is written in the same way");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  as_json(fuzz::view(data, size));
  as_row(fuzz::view(data, size));
  return 0;
}
