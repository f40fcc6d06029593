#include "services/registry/event_hub.hpp"

#include <gtest/gtest.h>

namespace doorbuster::registry {
namespace {

using Piece = Result<std::optional<std::string>>;

SharedText text(std::string what) {
  return std::make_shared<const std::string>(std::move(what));
}

/// Asks for the next piece; `piece` is filled when it comes.
struct Reader {
  explicit Reader(EventHub& hub, std::string greeting = "hello") : body(hub.listen(std::move(greeting))) {
    ask();
  }
  void ask() {
    piece.reset();
    body->next([this](Piece arrived) { piece = std::move(arrived); });
  }
  std::string take() {
    const auto taken = piece && *piece && **piece ? ***piece : "nothing";
    if (piece) ask();
    return taken;
  }
  std::unique_ptr<net::BodySource> body;
  std::optional<Piece> piece;
};

TEST(EventHub, TellsEverybodyAtOnce) {
  EventHub hub({});
  EXPECT_FALSE(hub.anybody());
  Reader a(hub), b(hub);
  EXPECT_EQ(a.take(), "hello");
  EXPECT_EQ(b.take(), "hello");
  EXPECT_EQ(a.take(), "nothing");
  hub.publish(text("1"));
  EXPECT_EQ(a.take(), "1");
  hub.publish(text("2"));
  hub.publish(text("3"));
  EXPECT_EQ(a.take(), "2");
  EXPECT_EQ(a.take(), "3");
  EXPECT_EQ(b.take(), "1");
  EXPECT_EQ(b.take(), "23");  // what came while it was busy comes together
}

TEST(EventHub, CutsOffWhoIsTooSlow) {
  EventHub::Options options;
  options.most_waiting_bytes = 10;
  EventHub hub(options);
  Reader slow(hub), quick(hub);
  quick.take();
  for (int i = 0; i < 4; ++i) {
    hub.publish(text("12345"));
    EXPECT_EQ(quick.take(), "12345");
  }
  EXPECT_EQ(hub.stats().cut_off, 1U);
  slow.ask();
  ASSERT_TRUE(slow.piece);
  EXPECT_FALSE(slow.piece->has_value());
}

TEST(EventHub, BoundsTheListeners) {
  EventHub::Options options;
  options.most_listeners = 1;
  EventHub hub(options);
  auto first = hub.listen("");
  EXPECT_EQ(hub.listen(""), nullptr);
  first.reset();
  EXPECT_NE(hub.listen(""), nullptr);
}

TEST(EventHub, EndsAllBodies) {
  EventHub hub({});
  Reader waiting(hub), late(hub);
  waiting.take();
  hub.close();
  ASSERT_TRUE(waiting.piece);
  EXPECT_TRUE(waiting.piece->has_value());
  EXPECT_FALSE(waiting.piece->value());
  EXPECT_EQ(late.take(), "hello");  // what was said is still delivered
  ASSERT_TRUE(late.piece);
  EXPECT_FALSE(late.piece->value());
}

TEST(EventHub, ABodyMayOutliveIt) {
  auto hub = std::make_unique<EventHub>(EventHub::Options());
  Reader reader(*hub);
  reader.take();
  hub.reset();
  ASSERT_TRUE(reader.piece);
  EXPECT_FALSE(reader.piece->value());
}

TEST(EventHub, WritesServerSentEvents) {
  EXPECT_EQ(server_sent_event("added", 7, "{}"), "event: added\nid: 7\ndata: {}\n\n");
}

}  // namespace
}  // namespace doorbuster::registry
