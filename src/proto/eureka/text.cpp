#include "proto/eureka/text.hpp"

namespace doorbuster::eureka {
namespace {

constexpr std::string_view kHex = "0123456789abcdef";

/// One code point of valid UTF-8, which is taken off `text`.
std::uint32_t take_code_point(std::string_view& text) {
  const auto first = static_cast<unsigned char>(text.front());
  const std::size_t size = first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
  std::uint32_t code = size == 1 ? first : first & (0xffU >> (size + 1));
  for (std::size_t i = 1; i < size; ++i) code = code << 6 | (static_cast<unsigned char>(text[i]) & 0x3f);
  text.remove_prefix(size);
  return code;
}

bool may_stand_in_name(std::uint32_t code, bool first) {
  if ((code >= 'a' && code <= 'z') || (code >= 'A' && code <= 'Z') || code == '_') return true;
  return !first && ((code >= '0' && code <= '9') || code == '-' || code == '.');
}

void append_escaped_unit(std::string& out, std::uint32_t unit) {
  out += "_.";
  for (int shift = 12; shift >= 0; shift -= 4) out += kHex[unit >> shift & 15];
}

}  // namespace

bool is_utf8(std::string_view text) {
  for (std::size_t i = 0; i < text.size();) {
    const auto byte = [&](std::size_t at) {
      return at < text.size() ? static_cast<unsigned char>(text[at]) : 0U;
    };
    const auto goes_on = [&](std::size_t at) { return (byte(at) & 0xc0U) == 0x80U; };
    const unsigned first = byte(i);
    if (first < 0x80) {
      ++i;
    } else if (first >= 0xc2 && first <= 0xdf && goes_on(i + 1)) {
      i += 2;
    } else if (first >= 0xe0 && first <= 0xef && goes_on(i + 1) && goes_on(i + 2)) {
      if (first == 0xe0 && byte(i + 1) < 0xa0) return false;
      if (first == 0xed && byte(i + 1) > 0x9f) return false;
      i += 3;
    } else if (first >= 0xf0 && first <= 0xf4 && goes_on(i + 1) && goes_on(i + 2) && goes_on(i + 3)) {
      if (first == 0xf0 && byte(i + 1) < 0x90) return false;
      if (first == 0xf4 && byte(i + 1) > 0x8f) return false;
      i += 4;
    } else {
      return false;
    }
  }
  return true;
}

void append_utf8(std::string& out, std::uint32_t code) {
  const auto put = [&](std::uint32_t byte) { out += static_cast<char>(byte); };
  if (code < 0x80) {
    put(code);
  } else if (code < 0x800) {
    put(0xc0 | code >> 6);
    put(0x80 | (code & 0x3f));
  } else if (code < 0x10000) {
    put(0xe0 | code >> 12);
    put(0x80 | (code >> 6 & 0x3f));
    put(0x80 | (code & 0x3f));
  } else {
    put(0xf0 | code >> 18);
    put(0x80 | (code >> 12 & 0x3f));
    put(0x80 | (code >> 6 & 0x3f));
    put(0x80 | (code & 0x3f));
  }
}

void append_json_string(std::string& out, std::string_view text) {
  out += '"';
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (c == '\n') {
      out += "\\n";
    } else if (byte < 0x20 || byte == 0x7f) {
      out += "\\u00";
      out += kHex[byte >> 4];
      out += kHex[byte & 15];
    } else {
      out += c;
    }
  }
  out += '"';
}

void append_xml_text(std::string& out, std::string_view text) {
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    switch (c) {
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '&':
        out += "&amp;";
        break;
      case '"':
        out += "&quot;";
        break;
      case '\r':  // which a reader would take for a line feed
        out += "&#13;";
        break;
      case '\t':
      case '\n':
        out += c;
        break;
      default:
        if (static_cast<unsigned char>(c) < 0x20) {
          append_utf8(out, 0xfffd);
        } else if (text.substr(i, 3) == "\xef\xbf\xbe" || text.substr(i, 3) == "\xef\xbf\xbf") {
          append_utf8(out, 0xfffd);
          i += 2;
        } else {
          out += c;
        }
    }
  }
}

void append_xml_name(std::string& out, std::string_view name) {
  if (name.empty()) return append_escaped_unit(out, 0xffff);  // XStream knows no empty name; ours comes back
  bool first = true;
  while (!name.empty()) {
    const auto code = take_code_point(name);
    if (code == '_') {
      out += "__";
    } else if (code == '$') {
      out += "_-";
    } else if (may_stand_in_name(code, first)) {
      out += static_cast<char>(code);
    } else if (code < 0x10000) {
      append_escaped_unit(out, code);
    } else {
      append_escaped_unit(out, 0xd800 + ((code - 0x10000) >> 10));
      append_escaped_unit(out, 0xdc00 + ((code - 0x10000) & 0x3ff));
    }
    first = false;
  }
}

std::string name_from_xml(std::string_view name) {
  const auto unit_at = [&](std::size_t at) -> std::optional<std::uint32_t> {
    if (name.substr(at, 2) != "_." || name.size() < at + 6) return std::nullopt;
    std::uint32_t unit = 0;
    const auto end = name.data() + at + 6;
    const auto [stop, error] = std::from_chars(name.data() + at + 2, end, unit, 16);
    if (error != std::errc() || stop != end) return std::nullopt;
    return unit;
  };
  std::string plain;
  for (std::size_t i = 0; i < name.size();) {
    if (const auto unit = unit_at(i)) {
      const auto low = unit_at(i + 6);
      if (*unit >= 0xd800 && *unit < 0xdc00 && low && *low >= 0xdc00 && *low < 0xe000) {
        append_utf8(plain, 0x10000 + ((*unit - 0xd800) << 10) + (*low - 0xdc00));
        i += 12;
        continue;
      }
      if (*unit != 0xffff && (*unit < 0xd800 || *unit >= 0xe000)) append_utf8(plain, *unit);
      i += 6;
    } else if (name.substr(i, 2) == "__") {
      plain += '_';
      i += 2;
    } else if (name.substr(i, 2) == "_-") {
      plain += '$';
      i += 2;
    } else {  // also a single `_`: not every client writes as XStream does
      plain += name[i++];
    }
  }
  return plain;
}

}  // namespace doorbuster::eureka
