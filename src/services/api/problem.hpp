#pragma once
// Replies that are no success, as RFC 9457 problem details. One table for outcomes here, one for errors in
// base/error.hpp; nothing else chooses a status.

#include <span>
#include <string>
#include <string_view>

#include "core/issuing/decision.hpp"
#include "proto/http/message.hpp"

namespace doorbuster::api {

inline constexpr std::string_view kProblemContentType = "application/problem+json";

struct OutcomeTraits {
  Outcome outcome;
  int http_status;
  std::string_view slug;  ///< `/problems/<slug>`; empty for the two that are a success
  std::string_view title;
  std::string_view detail;
  Retry retry;
};

const OutcomeTraits& traits(Outcome outcome);
std::span<const OutcomeTraits> all_outcome_traits();

/// With `Retry-After`, `WWW-Authenticate` where the status asks for it.
http::Response problem(const Error& error);
/// The reply for an outcome that is no success: rendered once, at the first call, and shared.
const http::Response& problem(Outcome outcome);

}  // namespace doorbuster::api
