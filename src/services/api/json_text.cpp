#include "services/api/json_text.hpp"

namespace doorbuster::api {

void append_json_string(std::string& out, std::string_view text) {
  constexpr std::string_view kHex = "0123456789abcdef";
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

void append_json_time(std::string& out, Timestamp time) {
  char text[27];
  write_text(time, text);
  out += '"';
  out.append(text, sizeof text);
  out += '"';
}

}  // namespace doorbuster::api
