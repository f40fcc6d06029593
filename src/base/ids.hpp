#pragma once
// The ids of the domain, as types of their own. All are small values without ownership.

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/error.hpp"
#include "base/inline_string.hpp"

namespace doorbuster {

/// `[a-z0-9-]{1,64}`. A default-made one is empty and stands for "none".
class CampaignId {
 public:
  CampaignId() = default;
  static Result<CampaignId> parse(std::string_view text);
  std::string_view text() const { return text_.view(); }
  bool empty() const { return text_.empty(); }
  friend bool operator==(const CampaignId&, const CampaignId&) = default;
  friend auto operator<=>(const CampaignId&, const CampaignId&) = default;

 private:
  InlineString<64> text_;
};

/// 1 to 64 characters of `[A-Za-z0-9_.:@-]`; an integer is taken as its decimal digits.
class UserId {
 public:
  UserId() = default;
  static Result<UserId> parse(std::string_view text);
  static UserId from_integer(std::uint64_t number);
  std::string_view text() const { return text_.view(); }
  /// The number whose decimal digits this id is ("0", "17", never "017"), below 2^63: stored in eight bytes.
  std::optional<std::uint64_t> integer() const;
  friend bool operator==(const UserId&, const UserId&) = default;
  friend auto operator<=>(const UserId&, const UserId&) = default;

 private:
  InlineString<64> text_;
};

/// 80 random bits, shown as 16 characters of Crockford's base32 (https://www.crockford.com/base32.html).
class CouponCode {
 public:
  static constexpr std::size_t kBytes = 10;
  using Bytes = std::array<std::uint8_t, kBytes>;

  CouponCode() : bytes_{} {}
  explicit CouponCode(const Bytes& bytes) : bytes_(bytes) {}
  /// Reads either case, and `I`, `L`, `O` as the digits they look like. \returns invalid
  static Result<CouponCode> parse(std::string_view text);
  std::string text() const;
  /// Writes the 16 characters to `out`.
  void write(char* out) const;
  const Bytes& bytes() const { return bytes_; }
  friend bool operator==(const CouponCode&, const CouponCode&) = default;
  friend auto operator<=>(const CouponCode&, const CouponCode&) = default;

 private:
  Bytes bytes_;
};

}  // namespace doorbuster

template <>
struct std::hash<doorbuster::CampaignId> {
  std::size_t operator()(const doorbuster::CampaignId& id) const noexcept {
    return std::hash<std::string_view>{}(id.text());
  }
};
template <>
struct std::hash<doorbuster::UserId> {
  std::size_t operator()(const doorbuster::UserId& id) const noexcept {
    return std::hash<std::string_view>{}(id.text());
  }
};
