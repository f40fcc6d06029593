#pragma once
// What a load test is to do, as values: read from text here, checked once, never changed afterwards.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.hpp"
#include "base/error.hpp"

namespace doorbuster::loadlab {

/// Where requests go. An `http://host:port/path` as parsed; an empty path means the campaign's issue path.
struct Target {
  std::string host;  ///< name or address, without the brackets of IPv6
  std::uint16_t port = 80;
  std::string path;
  std::string authority;  ///< what the Host header says

  static Result<Target> parse(std::string_view url);
};

/// Keep-alive: one connection a virtual user. Per request: connect, ask, wait for the server to close; the
/// time to connect is then part of the latency, as it is in nGrinder with its default `connectionReset`.
enum class Connections : std::uint8_t { keep_alive, per_request };

/// What a threshold may be about. Times are compared in milliseconds.
enum class Figure : std::uint8_t {
  tps,
  peak_tps,
  mean,
  p50,
  p90,
  p99,
  p999,
  max,
  errors,
  error_rate,
  issued
};

/// `p99<50ms`, `tps>=1000`, `errors<1%` (then the share of executed tests), `issued>=500`.
struct Threshold {
  Figure figure = Figure::tps;
  enum class Sign : std::uint8_t { less, less_equal, greater, greater_equal } sign = Sign::less;
  double limit = 0;  ///< milliseconds, per cent, or a plain number
  std::string text;  ///< as written

  static Result<Threshold> parse(std::string_view text);
  bool met(double value) const;
};

struct Options {
  std::vector<Target> targets;  ///< virtual user i asks target i modulo their number
  std::string campaign = "default";
  std::uint32_t vusers = 0;
  std::optional<Duration> duration;       ///< measured time; the warm-up comes before it
  std::optional<std::uint64_t> requests;  ///< exactly so many measured requests
  double rate = 0;                        ///< requests a second over all threads; 0: closed loop
  Duration ramp_up{0};
  Duration warm_up{0};
  Connections connections = Connections::keep_alive;
  std::uint32_t asks_per_user = 1;  ///< `repeat:K`: every user id is sent K times
  std::uint64_t first_user = 0;     ///< ids count up from here
  Duration timeout{std::chrono::seconds(10)};
  std::string token;
  std::uint32_t threads = 1;
  bool retry = false;
  bool busy_generator_allowed = false;  ///< only CPU per request is wanted: see make_report()
  std::vector<Threshold> thresholds;
};

/// The same as on the command line. Empty texts mean "not given".
struct OptionTexts {
  std::string urls;
  std::string campaign = "default";
  std::uint64_t vusers = 100;
  std::string duration;
  std::uint64_t requests = 0;
  double rate = 0;
  std::string ramp_up;
  std::string warm_up;
  std::string connections = "keep-alive";
  std::string users = "unique";
  std::uint64_t first_user = 0;  ///< 0: a random run of ids, so that a second run asks for other users
  std::string timeout = "10s";
  std::string token;
  std::uint64_t threads = 1;
  bool retry = false;
  bool busy_generator_allowed = false;
  std::vector<std::string> thresholds;
};

/// \returns invalid, with the flag at fault in `field`
Result<Options> parse_options(const OptionTexts& texts);

}  // namespace doorbuster::loadlab
