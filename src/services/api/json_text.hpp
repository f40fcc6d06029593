#pragma once
// Pieces of JSON appended to a string that is being made: replies are written by hand, field by field.

#include <charconv>
#include <concepts>
#include <string>
#include <string_view>

#include "base/clock.hpp"

namespace doorbuster::api {

/// Appends `text` in quotes. \pre valid UTF-8
void append_json_string(std::string& out, std::string_view text);

void append_json_time(std::string& out, Timestamp time);

template <std::unsigned_integral Number>
void append_json_number(std::string& out, Number number) {
  char text[24];
  out.append(text, std::to_chars(text, text + sizeof text, number).ptr);
}

}  // namespace doorbuster::api
