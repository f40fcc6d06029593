#include "base/ids.hpp"

#include <algorithm>
#include <charconv>

namespace doorbuster {
namespace {

constexpr std::string_view kAlphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

bool is_campaign_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
}

bool is_user_character(char c) {
  return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '.' ||
         c == ':' || c == '@' || c == '-';
}

int digit_of(char c) {
  if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
  if (c == 'O') return 0;
  if (c == 'I' || c == 'L') return 1;
  const auto at = kAlphabet.find(c);
  return at == std::string_view::npos ? -1 : static_cast<int>(at);
}

}  // namespace

Result<CampaignId> CampaignId::parse(std::string_view text) {
  if (text.empty() || text.size() > 64 || !std::all_of(text.begin(), text.end(), is_campaign_character)) {
    return make_error(ErrorCode::invalid, "a campaign id is 1 to 64 characters of a-z, 0-9 and '-'", "id");
  }
  CampaignId id;
  id.text_ = InlineString<64>(text);
  return id;
}

Result<UserId> UserId::parse(std::string_view text) {
  if (text.empty() || text.size() > 64 || !std::all_of(text.begin(), text.end(), is_user_character)) {
    return make_error(ErrorCode::invalid,
                      "a user id is an integer or 1 to 64 characters of A-Z, a-z, 0-9, _ . : @ -", "user_id");
  }
  UserId id;
  id.text_ = InlineString<64>(text);
  return id;
}

UserId UserId::from_integer(std::uint64_t number) {
  char digits[20];
  const auto end = std::to_chars(digits, digits + sizeof digits, number).ptr;
  UserId id;
  id.text_ = InlineString<64>(std::string_view(digits, static_cast<std::size_t>(end - digits)));
  return id;
}

std::optional<std::uint64_t> UserId::integer() const {
  const auto digits = text();
  if (digits.size() > 19 || digits.empty() || (digits[0] == '0' && digits.size() > 1)) return std::nullopt;
  std::uint64_t number = 0;  // 19 digits are below 2^64; by hand, because every coupon passes here twice
  for (const char c : digits) {
    const auto digit = static_cast<unsigned char>(c - '0');
    if (digit > 9) return std::nullopt;
    number = number * 10 + digit;
  }
  if (number >> 63 != 0) return std::nullopt;
  return number;
}

Result<CouponCode> CouponCode::parse(std::string_view text) {
  const auto wrong = [] {
    return make_error(ErrorCode::invalid, "a coupon code is 16 characters of Crockford's base32", "code");
  };
  if (text.size() != 16) return wrong();
  Bytes bytes{};
  for (std::size_t half = 0; half < 2; ++half) {  // eight characters are five bytes
    std::uint64_t bits = 0;
    for (std::size_t i = 0; i < 8; ++i) {
      const int digit = digit_of(text[half * 8 + i]);
      if (digit < 0) return wrong();
      bits = bits << 5 | static_cast<std::uint64_t>(digit);
    }
    for (std::size_t i = 0; i < 5; ++i)
      bytes[half * 5 + i] = static_cast<std::uint8_t>(bits >> (8 * (4 - i)));
  }
  return CouponCode(bytes);
}

void CouponCode::write(char* out) const {
  for (std::size_t half = 0; half < 2; ++half) {
    std::uint64_t bits = 0;
    for (std::size_t i = 0; i < 5; ++i) bits = bits << 8 | bytes_[half * 5 + i];
    for (std::size_t i = 0; i < 8; ++i) *out++ = kAlphabet[bits >> (5 * (7 - i)) & 31];
  }
}

std::string CouponCode::text() const {
  std::string text(16, '\0');
  write(text.data());
  return text;
}

}  // namespace doorbuster
