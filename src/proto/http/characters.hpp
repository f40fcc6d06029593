#pragma once
// Character classes of RFC 9110 and RFC 3986, as one table.

#include <array>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace doorbuster::http {

enum CharacterClass : std::uint8_t { kToken = 1, kTarget = 2, kValue = 4, kHost = 8 };

inline constexpr auto kCharacterClasses = [] {
  std::array<std::uint8_t, 256> classes{};
  constexpr std::string_view token_signs = "!#$%&'*+-.^_`|~";
  constexpr std::string_view host_signs = "-._~!$&'()*+;=:[]%";
  for (unsigned c = 0; c < 256; ++c) {
    const auto sign = static_cast<char>(c);
    const bool alphanumeric = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
    unsigned bits = 0;
    if (alphanumeric || token_signs.find(sign) != std::string_view::npos) bits |= kToken;
    if (c > 0x20 && c < 0x7f && c != '#') bits |= kTarget;
    if ((c >= 0x20 && c != 0x7f) || c == '\t') bits |= kValue;
    if (alphanumeric || host_signs.find(sign) != std::string_view::npos) bits |= kHost;
    classes[c] = static_cast<std::uint8_t>(bits);
  }
  return classes;
}();

inline bool is_of(char c, CharacterClass wanted) {
  return (kCharacterClasses[static_cast<unsigned char>(c)] & wanted) != 0;
}

inline bool all_of(std::string_view text, CharacterClass wanted) {
  for (const char c : text) {
    if (!is_of(c, wanted)) return false;
  }
  return true;
}

/// No control character but the tab. Eight bytes at a step: header values are most of a request.
inline bool is_field_value(std::string_view text) {
  constexpr std::uint64_t ones = 0x0101010101010101;
  constexpr std::uint64_t highs = 0x8080808080808080;
  while (text.size() >= 8) {
    std::uint64_t word = 0;
    std::memcpy(&word, text.data(), 8);
    const std::uint64_t below_space = (word - ones * 0x20) & ~word & highs;
    const std::uint64_t without_delete = word ^ (ones * 0x7f);
    const std::uint64_t is_delete = (without_delete - ones) & ~without_delete & highs;
    if ((below_space | is_delete) != 0 && !all_of(text.substr(0, 8), kValue)) return false;
    text.remove_prefix(8);
  }
  return all_of(text, kValue);
}

inline char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c;
}

/// -1 for what is no hexadecimal digit.
inline int hexadecimal(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  const char small = lower(c);
  return small >= 'a' && small <= 'f' ? small - 'a' + 10 : -1;
}

/// Eight bytes at a step, as is_field_value(): three names are compared for every request.
/// \param text without control characters
/// \param lower_case of small letters, digits and '-': characters that no other but their capital becomes
/// when bit 5 is set
inline bool equal_without_case(std::string_view text, std::string_view lower_case) {
  constexpr std::uint64_t small = 0x2020202020202020;
  if (text.size() != lower_case.size()) return false;
  while (text.size() >= 8) {
    std::uint64_t ours = 0;
    std::uint64_t wanted = 0;
    std::memcpy(&ours, text.data(), 8);
    std::memcpy(&wanted, lower_case.data(), 8);
    if ((ours | small) != wanted) return false;
    text.remove_prefix(8);
    lower_case.remove_prefix(8);
  }
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (lower(text[i]) != lower_case[i]) return false;
  }
  return true;
}

/// Without the blanks around it (spaces and tabs).
inline std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

/// Calls `each` with the parts of a comma-separated list, trimmed; empty ones are left out (RFC 9110, 5.6.1).
template <class Each>
void for_each_in_list(std::string_view list, Each each) {
  while (!list.empty()) {
    const auto comma = list.find(',');
    const auto part = trimmed(list.substr(0, comma));
    if (!part.empty()) each(part);
    if (comma == std::string_view::npos) return;
    list.remove_prefix(comma + 1);
  }
}

}  // namespace doorbuster::http
