#pragma once
// Letters and numbers that both formats share.

#include <charconv>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace doorbuster::eureka {

inline void append_number(std::string& out, std::int64_t number) {
  char digits[24];
  const auto end = std::to_chars(digits, digits + sizeof digits, number).ptr;
  out.append(digits, end);
}

/// nullopt unless all of `text` is one number that fits.
inline std::optional<std::int64_t> parse_number(std::string_view text) {
  std::int64_t number = 0;
  const auto end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, number);
  if (error != std::errc() || stop != end) return std::nullopt;
  return number;
}

inline std::string upper_case(std::string_view text) {
  std::string upper(text);
  for (auto& c : upper) {
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
  }
  return upper;
}

/// Whether `text` is UTF-8 as Unicode defines it: no overlong forms, no surrogates.
bool is_utf8(std::string_view text);
/// Appends one code point. \pre it is one, and no surrogate
void append_utf8(std::string& out, std::uint32_t code_point);

void append_json_string(std::string& out, std::string_view text);
/// Escaped for an element or an attribute; what XML 1.0 cannot hold becomes U+FFFD.
void append_xml_text(std::string& out, std::string_view text);
/// An element's name as XStream writes it: `_` doubled, `$` as `_-`, what no name may hold as `_.0020`.
void append_xml_name(std::string& out, std::string_view name);
std::string name_from_xml(std::string_view name);

}  // namespace doorbuster::eureka
