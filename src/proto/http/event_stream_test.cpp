#include "proto/http/event_stream.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace doorbuster::http {
namespace {

std::vector<std::string> read(std::string_view bytes, std::size_t piece) {
  EventStreamParser parser;
  std::vector<std::string> events;
  while (!bytes.empty()) {
    parser.put(bytes.substr(0, piece), [&](const EventStreamParser::Event& event) {
      events.push_back(event.type + event.id + "=" + event.data);
    });
    bytes.remove_prefix(std::min(piece, bytes.size()));
  }
  return events;
}

TEST(EventStreamParser, ReadsEventsHoweverTheyAreCut) {
  constexpr std::string_view bytes =
      ": hello\n\nevent: change\ndata: {\"a\":1}\n\ndata:x\r\ndata: y\r\n\r\nid: 5\ndata\n\nevent: "
      "lost\n\ndata: "
      "z\n\n";
  const std::vector<std::string> expected = {"change={\"a\":1}", "message=x\ny", "message5=", "message=z"};
  for (const std::size_t piece : {1u, 2u, 3u, 7u, 1000u}) EXPECT_EQ(read(bytes, piece), expected) << piece;
}

TEST(EventStreamParser, LeavesAnUnfinishedEventOut) {
  EXPECT_TRUE(read("data: x\n", 100).empty());
}

TEST(EventStreamParser, IsBounded) {
  EventStreamParser parser;
  const std::string much(EventStreamParser::kMostEventBytes, 'x');
  EXPECT_TRUE(parser.put("data: ", [](const auto&) {}));
  EXPECT_FALSE(parser.put(much, [](const auto&) {}));
}

}  // namespace
}  // namespace doorbuster::http
