#pragma once
// Commands in the form that goes over the wire.
//
// Own formatting instead of redisFormatCommandArgv: that one wants an array of pointers and lengths and makes
// a string of its own for each command, which is then copied once more into the bytes to be sent.

#include <charconv>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>

namespace doorbuster::redis {

inline void append_number(std::string& out, std::int64_t number) {
  char digits[24];
  const auto end = std::to_chars(digits, digits + sizeof digits, number).ptr;
  out.append(digits, end);
}

inline void append_word(std::string& out, std::string_view word) {
  out += '$';
  append_number(out, static_cast<std::int64_t>(word.size()));
  out += "\r\n";
  out += word;
  out += "\r\n";
}

/// A sequence of words; the count of them stands in front only when it is sent.
class Command {
 public:
  Command() = default;
  Command(std::initializer_list<std::string_view> words) {
    for (const auto word : words) add(word);
  }
  Command& add(std::string_view word) {
    append_word(words_, word);
    ++count_;
    return *this;
  }
  Command& add(std::int64_t number) {
    char digits[24];
    const auto end = std::to_chars(digits, digits + sizeof digits, number).ptr;
    return add(std::string_view(digits, static_cast<std::size_t>(end - digits)));
  }
  void reserve(std::size_t bytes) { words_.reserve(bytes); }
  std::size_t bytes() const { return words_.size(); }

  void append_to(std::string& out) const { append_to(out, {}); }
  /// With `first` words in front of its own.
  void append_to(std::string& out, std::initializer_list<std::string_view> first) const {
    out += '*';
    append_number(out, static_cast<std::int64_t>(count_ + first.size()));
    out += "\r\n";
    for (const auto word : first) append_word(out, word);
    out += words_;
  }

 private:
  std::string words_;
  std::size_t count_ = 0;
};

}  // namespace doorbuster::redis
