#include "base/error.hpp"

#include <array>
#include <cstdio>
#include <cstdlib>

namespace doorbuster {
namespace {

constexpr std::array kTraits = {
    ErrorTraits{ErrorCode::malformed, 400, "malformed", "The request could not be read", Retry::never},
    ErrorTraits{ErrorCode::invalid, 422, "invalid", "A value is not valid", Retry::never},
    ErrorTraits{ErrorCode::too_large, 413, "too-large", "The request is too large", Retry::never},
    ErrorTraits{ErrorCode::unauthorized, 401, "unauthorized", "A valid token is needed", Retry::never},
    ErrorTraits{ErrorCode::forbidden, 403, "forbidden", "The token does not allow this", Retry::never},
    ErrorTraits{ErrorCode::not_found, 404, "not-found", "There is no such thing", Retry::never},
    ErrorTraits{ErrorCode::method_not_allowed, 405, "method-not-allowed", "The method does not fit the path",
                Retry::never},
    ErrorTraits{ErrorCode::conflict, 409, "conflict", "This contradicts what is there", Retry::never},
    ErrorTraits{ErrorCode::not_ready, 503, "not-ready", "Not known yet", Retry::later},
    ErrorTraits{ErrorCode::overloaded, 503, "overloaded", "Too much at once", Retry::later},
    ErrorTraits{ErrorCode::closed, 503, "closed", "Closed until its state has been read back", Retry::later},
    ErrorTraits{ErrorCode::unavailable, 503, "unavailable", "A part of the service does not answer",
                Retry::later},
    ErrorTraits{ErrorCode::unknown_outcome, 503, "unknown-outcome", "It is not known whether this happened",
                Retry::later},
    ErrorTraits{ErrorCode::corrupt, 500, "corrupt", "Stored data fails its checks", Retry::never},
    ErrorTraits{ErrorCode::unsupported, 501, "unsupported", "Not supported", Retry::never},
    ErrorTraits{ErrorCode::internal, 500, "internal", "An error of the server", Retry::never},
};

}  // namespace

const ErrorTraits& traits(ErrorCode code) {
  const auto& found = kTraits[static_cast<std::size_t>(code)];
  DOORBUSTER_ASSERT(found.code == code);
  return found;
}

std::span<const ErrorTraits> all_error_traits() {
  return kTraits;
}

void throw_exception_from_error(const Error& error, const boost::source_location& where) {
  std::fprintf(stderr, "unexpected failure at %s:%u: %s\n", where.file_name(),
               static_cast<unsigned>(where.line()), error.detail.c_str());
  std::abort();
}

void invariant_broken(const char* expression, const char* file, int line) {
  std::fprintf(stderr, "invariant broken at %s:%d: %s\n", file, line, expression);
  std::abort();
}

}  // namespace doorbuster
