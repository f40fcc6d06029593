#include "services/api/request_values.hpp"

#include <algorithm>
#include <charconv>

#include "proto/http/message.hpp"

namespace doorbuster::api {

Error no_such_campaign() {
  return make_error(ErrorCode::not_found, "There is no campaign with this id.");
}

Error no_such_coupon() {
  return make_error(ErrorCode::not_found, "There is no such coupon.");
}

Result<CampaignId> campaign_in_path(std::string_view text) {
  auto id = CampaignId::parse(text);
  if (!id) return no_such_campaign();
  return id;
}

Result<UserId> user_in_path(std::string_view text) {
  auto id = UserId::parse(text);
  if (!id) return no_such_coupon();
  return id;
}

Result<CouponCode> code_in_path(std::string_view text) {
  auto code = CouponCode::parse(text);
  if (!code) return no_such_coupon();
  return code;
}

Result<std::uint64_t> number_in_query(std::string_view query, std::string_view name, std::uint64_t fallback,
                                      std::uint64_t least, std::uint64_t most) {
  const auto text = http::query_parameter(query, name);
  if (!text) return fallback;
  std::uint64_t number = 0;
  const auto [end, failure] = std::from_chars(text->data(), text->data() + text->size(), number);
  if (failure != std::errc() || end != text->data() + text->size() || number < least || number > most) {
    return make_error(ErrorCode::invalid,
                      std::string(name) + " must be a whole number from " + std::to_string(least) + " to " +
                          std::to_string(most),
                      std::string(name));
  }
  return number;
}

Result<std::string> idempotency_key(std::string_view header) {
  const bool visible = std::all_of(header.begin(), header.end(), [](char c) { return c > 0x20 && c < 0x7f; });
  if (header.size() > 128 || !visible) {
    return make_error(ErrorCode::invalid, "Idempotency-Key has 1 to 128 visible ASCII characters",
                      "Idempotency-Key");
  }
  return std::string(header);
}

}  // namespace doorbuster::api
