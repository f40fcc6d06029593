#pragma once
// What one generator thread counts while it sends: everything that the report is made of.
//
// Owned by one thread until the run is over; then merged.
//
// Invariants
//  1. executed() == successes + the sum of `errors`, and is the number of measured requests.
//  2. A request sent during the warm-up changes nothing here but `sightings` and `warm_up_requests`.

#include <array>
#include <chrono>
#include <cstdint>
#include <optional>
#include <vector>

#include "base/clock.hpp"
#include "base/inline_string.hpp"
#include "loadlab/reply.hpp"
#include "obs/histogram.hpp"

namespace doorbuster::loadlab {

/// A reading of the steady clock in microseconds.
using Moment = std::chrono::time_point<std::chrono::steady_clock, Duration>;
inline Moment now() {
  return std::chrono::time_point_cast<Duration>(std::chrono::steady_clock::now());
}

/// A coupon's code as received. Longer ones do not come from this system.
using CodeText = InlineString<23>;

/// A reply with a coupon in it, kept to compare all of them after the run. About 56 bytes.
struct Sighting {
  std::uint64_t user = 0;
  std::uint64_t sequence = 0;
  Moment sent;
  Moment received;
  CodeText code;
  bool created = false;   ///< 201, not 200
  bool measured = false;  ///< not of the warm-up
};

/// One second, or tenth of one, of the measured time, by the time of the reply.
struct Second {
  std::array<std::uint64_t, kOutcomes> outcomes{};
  std::uint64_t successes = 0;
  std::uint64_t errors = 0;
};

/// The measured time. Requests meant to be sent before `from` are warm-up; replies at or after `until` are
/// counted as executed but not in TPS.
struct Window {
  Moment from;
  Moment until = Moment::max();
};

struct Tally {
  obs::Histogram latency;  ///< successes, and timeouts at the time that was waited
  std::uint64_t successes = 0;
  std::uint64_t successes_in_window = 0;
  Duration success_time{0};  ///< sum of the latencies of the successes
  Duration slowest{0};
  std::array<std::uint64_t, kOutcomes> outcomes{};
  std::array<std::uint64_t, kErrorKinds> errors{};
  /// Of successes alone, by what the campaign answered; made when the first comes.
  std::array<std::optional<obs::Histogram>, kOutcomes> latency_of;
  std::vector<Second> seconds;
  std::vector<Second> tenths;  ///< of the first kFineTime, for the charts of short runs
  std::vector<Sighting> sightings;

  std::uint64_t warm_up_requests = 0;
  std::uint64_t requests_sent = 0;  ///< bytes went out; warm-up included
  std::uint64_t replies = 0;        ///< of any status; warm-up included
  std::uint64_t retries = 0;
  std::uint64_t outcome_asks = 0;    ///< GETs for outcomes of requests that were answered 202
  std::uint64_t late_sends = 0;      ///< open loop: sent more than kLateAfter after the intended time
  std::uint64_t missed_sends = 0;    ///< open loop: due, but never sent, before the time was over
  std::uint64_t wrong_users = 0;     ///< coupons that name another user than the one who asked
  std::uint64_t unequal_starts = 0;  ///< virtual users without a connection when the barrier fell
  Moment last_reply;

  /// A reply arrived. \param meant when the request was to be sent (closed loop: when it was)
  void reply(const Window& window, Moment meant, Moment received, const ReplyFacts& facts);
  /// No reply will come. `timeout` enters the latency with the time waited.
  void failure(const Window& window, Moment meant, Moment at, ErrorKind kind);

  std::uint64_t error_count() const;
  std::uint64_t executed() const { return successes + error_count(); }
  void merge(Tally&& other);
};

/// A drop is often over within a second: so long, charts show tenths.
inline constexpr Duration kFineTime = std::chrono::seconds(5);
inline constexpr Duration kTenth = std::chrono::milliseconds(100);

/// A send is late when it comes this much after its intended time. The latency counts from the intended time
/// all the same.
inline constexpr Duration kLateAfter = std::chrono::milliseconds(10);

}  // namespace doorbuster::loadlab
