#pragma once
// Time is injected: the domain and the services never read a clock of their own.

#include <chrono>
#include <string>
#include <string_view>

#include "base/error.hpp"

namespace doorbuster {

using Duration = std::chrono::microseconds;
/// UTC with microseconds, the precision of every time that the system stores or shows.
using Timestamp = std::chrono::sys_time<Duration>;

class Clock {
 public:
  virtual ~Clock() = default;
  virtual Timestamp now() = 0;
};

/// CLOCK_REALTIME. Thread-safe.
class SystemClock final : public Clock {
 public:
  Timestamp now() override {
    return std::chrono::time_point_cast<Duration>(std::chrono::system_clock::now());
  }
};

/// CLOCK_BOOTTIME: never goes back, and counts while the machine sleeps. For how long something is trusted;
/// its moments mean nothing outside of this machine's run. Thread-safe.
class BootClock final : public Clock {
 public:
  Timestamp now() override;
};

/// RFC 3339 in UTC with six digits of a second: `2026-11-25T09:00:00.000000Z`.
std::string to_text(Timestamp time);
/// Writes the 27 characters of to_text() to `out`.
void write_text(Timestamp time, char* out);
/// Reads RFC 3339 with any offset and up to nine digits of a second (cut to six). \returns invalid
Result<Timestamp> parse_timestamp(std::string_view text);
/// Reads `250ms`, `5s`, `2m`, `1h`, `1.5s`. \returns invalid
Result<Duration> parse_duration(std::string_view text);

}  // namespace doorbuster
