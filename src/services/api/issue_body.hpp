#pragma once
// The body of an issue request: `{"user_id": "u-1"}`, `{"user_id": 123}`, or the older `{"userId": 123}`.
// Other members are ignored. The plain shape is read by hand in tens of nanoseconds; everything else, escapes
// and errors included, by the general reader, with the same results (a test compares the two).

#include <optional>
#include <string_view>

#include "base/ids.hpp"

namespace doorbuster::api {

/// The user that is named; nullopt when there is none (also for a body without any content).
/// \returns malformed with the offset, invalid naming the field
Result<std::optional<UserId>> parse_issue_body(std::string_view body);

namespace detail {
/// The short way alone: nullopt when the body has not the plain shape. Shown for the test.
std::optional<UserId> parse_plain_issue_body(std::string_view body);
/// The long way alone.
Result<std::optional<UserId>> parse_any_issue_body(std::string_view body);
}  // namespace detail

}  // namespace doorbuster::api
