#include "services/audit/json_fields.hpp"

#include <fmt/format.h>

namespace doorbuster::audit {
namespace {

const boost::json::value* present(const boost::json::object& object, std::string_view name) {
  const auto* value = object.if_contains(name);
  return value == nullptr || value->is_null() ? nullptr : value;
}

Error wrong_field(std::string_view name, std::string_view wanted) {
  return make_error(ErrorCode::invalid, fmt::format("'{}' must be {}", name, wanted), std::string(name));
}

std::optional<std::uint64_t> unsigned_number(const boost::json::value& value) {
  boost::system::error_code failed;
  const auto number = value.to_number<std::uint64_t>(failed);
  if (failed) return std::nullopt;
  return number;
}

}  // namespace

Result<boost::json::object> parse_object(std::string_view line) {
  boost::system::error_code failed;
  auto value = boost::json::parse(line, failed);
  if (failed || !value.is_object()) {
    return make_error(ErrorCode::malformed, "not a JSON object: " + std::string(line.substr(0, 80)));
  }
  return std::move(value.as_object());
}

Result<std::optional<std::string>> text_field(const boost::json::object& object, std::string_view name) {
  const auto* value = present(object, name);
  if (value == nullptr) return std::optional<std::string>();
  if (!value->is_string()) return wrong_field(name, "text");
  return std::optional<std::string>(std::string(value->as_string()));
}

Result<std::optional<std::string>> id_field(const boost::json::object& object, std::string_view name) {
  const auto* value = present(object, name);
  if (value != nullptr && value->is_number()) {
    const auto number = unsigned_number(*value);
    if (!number) return wrong_field(name, "text or an integer");
    return std::optional<std::string>(std::to_string(*number));
  }
  return text_field(object, name);
}

Result<std::optional<std::uint64_t>> number_field(const boost::json::object& object, std::string_view name) {
  const auto* value = present(object, name);
  if (value == nullptr) return std::optional<std::uint64_t>();
  const auto number = unsigned_number(*value);
  if (!number) return wrong_field(name, "an integer from 0");
  return number;
}

Result<std::optional<bool>> bool_field(const boost::json::object& object, std::string_view name) {
  const auto* value = present(object, name);
  if (value == nullptr) return std::optional<bool>();
  if (!value->is_bool()) return wrong_field(name, "true or false");
  return std::optional<bool>(value->as_bool());
}

Result<std::optional<Timestamp>> time_field(const boost::json::object& object, std::string_view name) {
  const auto* value = present(object, name);
  if (value == nullptr) return std::optional<Timestamp>();
  if (const auto number = unsigned_number(*value)) {
    return std::optional<Timestamp>(Timestamp(Duration(static_cast<Duration::rep>(*number))));
  }
  if (!value->is_string()) return wrong_field(name, "a time (RFC 3339)");
  const auto time = parse_timestamp(std::string_view(value->as_string()));
  if (!time) return wrong_field(name, "a time (RFC 3339)");
  return std::optional<Timestamp>(*time);
}

Result<std::optional<CouponCode>> code_field(const boost::json::object& object, std::string_view name) {
  const auto* value = present(object, name);
  if (value == nullptr) return std::optional<CouponCode>();
  if (!value->is_string()) return wrong_field(name, "a coupon code");
  const auto code = CouponCode::parse(std::string_view(value->as_string()));
  if (!code) return wrong_field(name, "a coupon code");
  return std::optional<CouponCode>(*code);
}

Error missing_field(std::string_view name) {
  return make_error(ErrorCode::invalid, fmt::format("'{}' is missing", name), std::string(name));
}

}  // namespace doorbuster::audit
