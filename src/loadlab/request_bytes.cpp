#include "loadlab/request_bytes.hpp"

#include <fmt/format.h>

#include <charconv>
#include <cstring>

namespace doorbuster::loadlab {

RequestBytes::RequestBytes(const Options& options, const Target& target) {
  const auto path =
      target.path.empty() ? fmt::format("/v1/campaigns/{}/coupons", options.campaign) : target.path;
  body_start_ = path.ends_with("/coupon/issue") ? R"({"userId":)" : R"({"user_id":)";
  head_ = fmt::format("POST {} HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\n", path,
                      target.authority);
  if (!options.token.empty()) head_ += fmt::format("Authorization: Bearer {}\r\n", options.token);
  if (options.connections == Connections::per_request) head_ += "Connection: close\r\n";
  head_ += "Content-Length: ";
  outcome_tail_ = fmt::format(" HTTP/1.1\r\nHost: {}\r\n", target.authority);
  if (!options.token.empty()) outcome_tail_ += fmt::format("Authorization: Bearer {}\r\n", options.token);
  if (options.connections == Connections::per_request) outcome_tail_ += "Connection: close\r\n";
  outcome_tail_ += "\r\n";
}

std::string_view RequestBytes::for_outcome(std::string_view path) {
  outcome_bytes_ = "GET ";
  outcome_bytes_.append(path).append(outcome_tail_);
  return outcome_bytes_;
}

void RequestBytes::build(std::size_t digits) {
  digits_ = digits;
  bytes_ = head_;
  bytes_ += fmt::format("{}\r\n\r\n", body_start_.size() + digits + 1);
  bytes_ += body_start_;
  digits_at_ = bytes_.size();
  bytes_.append(digits, '0');
  bytes_ += '}';
}

std::string_view RequestBytes::for_user(std::uint64_t user) {
  char text[20];
  const auto [end, error] = std::to_chars(text, text + sizeof text, user);
  const auto digits = static_cast<std::size_t>(end - text);
  if (digits != digits_) build(digits);
  std::memcpy(bytes_.data() + digits_at_, text, digits);
  return bytes_;
}

}  // namespace doorbuster::loadlab
