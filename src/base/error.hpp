#pragma once
// Failures. What a campaign may answer ("sold out") is an outcome, not a failure: see
// core/issuing/outcome.hpp.

#include <boost/system/result.hpp>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace doorbuster {

enum class ErrorCode : std::uint8_t {
  malformed,     ///< could not be read at all (not JSON, not HTTP)
  invalid,       ///< read, but a value is wrong; `field` names it
  too_large,     ///< body over the limit
  unauthorized,  ///< no valid token
  forbidden,     ///< valid token, wrong role or wrong user
  not_found,     ///< no such campaign, coupon or path
  method_not_allowed,
  conflict,         ///< contradicts what is there
  not_ready,        ///< asked too early (the worker has not stored it yet): ask again
  overloaded,       ///< a bounded queue is full: ask again
  closed,           ///< the campaign or the log is closed until its state has been read back
  unavailable,      ///< a part that this needs does not answer; nothing was changed
  unknown_outcome,  ///< it may or may not have happened; never repeated blindly
  corrupt,          ///< stored data fails its checks
  unsupported,      ///< data of a newer format, or a feature this build does not have
  internal,         ///< a defect of ours
};

/// How the caller may go on.
enum class Retry : std::uint8_t { never, later };

/// One row of the error table: the only place where a code meets HTTP, logs and metrics.
struct ErrorTraits {
  ErrorCode code;
  int http_status;
  std::string_view slug;  ///< `/problems/<slug>` and the metric label
  std::string_view title;
  Retry retry;  ///< `later` puts `Retry-After` on the reply
};

const ErrorTraits& traits(ErrorCode code);
std::span<const ErrorTraits> all_error_traits();

struct Error {
  ErrorCode code = ErrorCode::internal;
  std::string detail;  ///< one sentence: what, where, what instead
  std::string field;   ///< JSON field, query parameter or configuration key at fault; may be empty
};

/// Called by Result::value() on a failure that the caller promised could not be: ends the program.
[[noreturn]] void throw_exception_from_error(const Error& error, const boost::source_location& where);

template <class T>
using Result = boost::system::result<T, Error>;

inline Error make_error(ErrorCode code, std::string detail, std::string field = {}) {
  return Error{code, std::move(detail), std::move(field)};
}

/// A broken invariant ends the process, in Release too: a restart rebuilds from the log, a wrong answer
/// stays.
[[noreturn]] void invariant_broken(const char* expression, const char* file, int line);

}  // namespace doorbuster

#define DOORBUSTER_ASSERT(expression) \
  (static_cast<bool>(expression) ? void(0) : ::doorbuster::invariant_broken(#expression, __FILE__, __LINE__))
