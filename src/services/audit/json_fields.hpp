#pragma once
// Fields of one JSON object, read with errors that name the field. Private to this folder.

#include <boost/json.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.hpp"
#include "base/error.hpp"
#include "base/ids.hpp"

namespace doorbuster::audit {

/// \returns malformed when the line is not a JSON object
Result<boost::json::object> parse_object(std::string_view line);

/// The functions below take an absent or null field as nullopt. \returns invalid naming the field
Result<std::optional<std::string>> text_field(const boost::json::object& object, std::string_view name);
/// Text, or an integer taken as its digits.
Result<std::optional<std::string>> id_field(const boost::json::object& object, std::string_view name);
Result<std::optional<std::uint64_t>> number_field(const boost::json::object& object, std::string_view name);
Result<std::optional<bool>> bool_field(const boost::json::object& object, std::string_view name);
/// RFC 3339, or microseconds since 1970.
Result<std::optional<Timestamp>> time_field(const boost::json::object& object, std::string_view name);
Result<std::optional<CouponCode>> code_field(const boost::json::object& object, std::string_view name);

Error missing_field(std::string_view name);

}  // namespace doorbuster::audit
