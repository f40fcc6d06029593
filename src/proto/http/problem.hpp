#pragma once
// Errors that are told before any service has seen the request, as RFC 9457 problem details.

#include <string_view>

#include "proto/http/message.hpp"

namespace doorbuster::http {

/// `{"type":"/problems/<slug>","title":...,"status":...,"detail":...}`. \param slug, title without `"` and
/// `\`
Response problem(int status, std::string_view slug, std::string_view title, std::string_view detail);

/// The problem of one of the statuses with which a server answers on its own: 400, 408, 413, 431, 500, 501,
/// 503 and 505.
Response server_problem(int status, std::string_view detail);

}  // namespace doorbuster::http
