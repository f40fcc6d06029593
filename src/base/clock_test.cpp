#include "base/clock.hpp"

#include <gtest/gtest.h>

namespace doorbuster {
namespace {

using namespace std::chrono_literals;

TEST(Timestamp, ShowsMicrosecondsInUtc) {
  const Timestamp time =
      Timestamp(std::chrono::sys_days(std::chrono::year(2026) / 11 / 25)) + 9h + 5min + 3s + 42us;
  EXPECT_EQ(to_text(time), "2026-11-25T09:05:03.000042Z");
  EXPECT_EQ(*parse_timestamp(to_text(time)), time);
}

TEST(Timestamp, ReadsOffsetsAndFractions) {
  EXPECT_EQ(to_text(*parse_timestamp("2026-11-25T09:00:00+09:00")), "2026-11-25T00:00:00.000000Z");
  EXPECT_EQ(to_text(*parse_timestamp("2026-02-28T23:30:00.5-01:00")), "2026-03-01T00:30:00.500000Z");
  EXPECT_EQ(to_text(*parse_timestamp("2026-11-25t09:00:00.123456789z")), "2026-11-25T09:00:00.123456Z");
}

TEST(Timestamp, RefusesWhatIsNoTime) {
  for (const auto* text :
       {"", "now", "2026-11-25", "2026-13-01T00:00:00Z", "2026-02-30T00:00:00Z", "2026-11-25T24:00:00Z",
        "2026-11-25T09:00:00", "2026-11-25T09:00:00.Z", "2026-11-25T09:00:00Zx", "2026-11-25T09:00:00+9"}) {
    EXPECT_TRUE(parse_timestamp(text).has_error()) << text;
  }
}

TEST(ParseDuration, ReadsNumberAndUnit) {
  EXPECT_EQ(*parse_duration("250ms"), 250ms);
  EXPECT_EQ(*parse_duration("1.5s"), 1500ms);
  EXPECT_EQ(*parse_duration("2m"), 2min);
  EXPECT_EQ(*parse_duration("1h"), 1h);
  for (const auto* text : {"", "5", "s", "-1s", "1d", "nans", "infs", "1e300s"}) {
    EXPECT_TRUE(parse_duration(text).has_error()) << text;
  }
}

TEST(BootClockTest, DoesNotGoBack) {
  BootClock clock;
  const Timestamp before = clock.now();
  EXPECT_LE(before, clock.now());
}

}  // namespace
}  // namespace doorbuster
