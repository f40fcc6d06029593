#pragma once
// What a reply to "issue me a coupon" means to the one who asked.

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

namespace doorbuster::loadlab {

/// The campaign's answer, or what stood in for it.
enum class Outcome : std::uint8_t {
  issued,       ///< a coupon that this user is seen with for the first time
  already,      ///< the same coupon again
  sold_out,     ///< 410
  not_started,  ///< 409
  ended,        ///< 410
  paused,       ///< 409
  accepted,     ///< 202: the outcome is asked for later (strategy `async-queue`)
  answered,     ///< another 2xx without a coupon: a null target, a health page
  unavailable,  ///< 503: nothing is promised, ask again
  limited,      ///< 429: a limiter or waiting room turned it away
  denied,       ///< 401 or 403
  not_found,    ///< 404: no such campaign
  unexpected,   ///< any other status
};
inline constexpr std::size_t kOutcomes = 13;

/// The name in JSON and in the text report: "sold_out".
std::string_view to_text(Outcome outcome);

/// The last part of the problem type that a refusal comes with ("sold-out"); empty for every other outcome.
std::string_view problem_slug(Outcome outcome);

/// Whether this is an answer of the campaign. Those are nGrinder's successful tests; the others are errors.
constexpr bool is_success(Outcome outcome) {
  return outcome < Outcome::unavailable;
}

/// Why a test is an error.
enum class ErrorKind : std::uint8_t {
  connect_refused,
  connect_timeout,
  connect_failed,
  no_local_port,  ///< the ephemeral ports are used up
  timeout,        ///< no whole reply within --timeout
  closed,         ///< the server ended the connection before the reply was whole
  reset,          ///< or the kernel reported it broken
  bad_reply,      ///< not HTTP, or more bytes than announced
  http_401_403,
  http_404,
  http_429,
  http_503,
  http_4xx,
  http_5xx,
  http_other,
  interrupted,  ///< Ctrl-C came before the reply
};
inline constexpr std::size_t kErrorKinds = 16;

std::string_view to_text(ErrorKind kind);

/// What a reply says. The views live as long as the body.
struct ReplyFacts {
  Outcome outcome = Outcome::unexpected;
  std::optional<ErrorKind> error;  ///< set when the outcome is not a success
  std::string_view code;           ///< empty: no coupon in it
  std::uint64_t sequence = 0;      ///< 0: none
  std::string_view user;           ///< `user_id` of the coupon; empty: not said
};

/// Reads a reply by looking for `"code":"`, `"sequence":`, `"user_id":` and `/problems/` in the body; spaces
/// after the colon are fine. This is no JSON parser: a key that stands in a nested object or inside a string
/// would be found too, and escapes are not undone. The API sends none of these, and a parser would cost more
/// than the rest of the request. 201 with a coupon is `issued`, 200 with one is `already`; who was seen first
/// is settled after the run (verdict.hpp).
ReplyFacts read_reply(int status, std::string_view body);

/// What `GET /v1/requests/{id}` says of a request that was answered 202.
struct QueuedFacts {
  bool pending = false;
  int status = 0;  ///< with which the campaign would have answered at once: 201, 410; 503 when it gave up
  ReplyFacts facts;
};
/// nullopt when the body says no state that there is.
std::optional<QueuedFacts> read_outcome(std::string_view body);

/// Seconds of a `Retry-After` header, at most an hour; nullopt when it is absent or a date.
std::optional<std::uint32_t> retry_after_seconds(std::string_view header);

}  // namespace doorbuster::loadlab
