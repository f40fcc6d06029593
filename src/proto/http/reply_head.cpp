#include "proto/http/reply_head.hpp"

#include <algorithm>
#include <charconv>
#include <cstring>
#include <limits>

#include "proto/http/characters.hpp"

namespace doorbuster::http {

ReplyHead::Status ReplyHead::parse(std::string_view bytes, bool to_head) {
  fields_.clear();
  reason_ = correlation_ = connection_ = {};
  length_ = 0;
  keep_alive_timeout_ = -1;
  connections_ = 0;
  has_length_ = has_coding_ = chunked_ = close_said_ = keep_alive_said_ = false;
  const auto end = std::min(bytes.size(), most_bytes_);
  bool first = true;
  for (std::size_t at = 0;;) {
    const void* found = at < end ? std::memchr(bytes.data() + at, '\n', end - at) : nullptr;
    if (found == nullptr) {
      return end == most_bytes_ ? fail("the reply's head is too large") : Status::need_more;
    }
    const auto line_end = static_cast<std::size_t>(static_cast<const char*>(found) - bytes.data());
    if (line_end == at || bytes[line_end - 1] != '\r') {
      return fail("a line of the reply's head ends with LF alone");
    }
    const auto line = bytes.substr(at, line_end - 1 - at);
    at = line_end + 1;
    if (first) {
      first = false;
      if (!read_status_line(line)) return Status::failed;
    } else if (line.empty()) {
      size_ = at;
      return frame(to_head) ? Status::complete : Status::failed;
    } else if (!read_field(line)) {
      return Status::failed;
    }
  }
}

bool ReplyHead::read_status_line(std::string_view line) {
  const auto bad = [this] {
    fail("the reply does not begin with HTTP/1.x and a status");
    return false;
  };
  if (line.size() < 12 || line.substr(0, 7) != "HTTP/1." || (line[7] != '0' && line[7] != '1') ||
      line[8] != ' ') {
    return bad();
  }
  status_ = 0;
  for (std::size_t i = 9; i < 12; ++i) {
    if (line[i] < '0' || line[i] > '9') return bad();
    status_ = status_ * 10 + (line[i] - '0');
  }
  if (status_ < 100 || status_ > 599) return bad();
  if (line.size() > 12 && line[12] != ' ') return bad();
  old_version_ = line[7] == '0';
  reason_ = line.size() > 13 ? line.substr(13) : std::string_view();
  return is_field_value(reason_) || bad();
}

bool ReplyHead::read_field(std::string_view line) {
  const auto bad = [this](std::string_view why) {
    fail(why);
    return false;
  };
  std::size_t colon = 0;
  while (colon < line.size() && is_of(line[colon], kToken)) ++colon;
  if (colon == 0 || colon == line.size() || line[colon] != ':') {
    return bad("a header field of the reply has no proper name");
  }
  const auto name = line.substr(0, colon);
  const auto value = trimmed(line.substr(colon + 1));
  if (!is_field_value(value)) return bad("a header field of the reply holds a control character");
  if (fields_.size() == most_fields_) return bad("the reply has too many header fields");
  fields_.push_back({name, value});
  return read_known_field(name, value);
}

bool ReplyHead::read_known_field(std::string_view name, std::string_view value) {
  const auto bad = [this](std::string_view why) {
    fail(why);
    return false;
  };
  switch (name.size()) {
    case 10:
      if (equal_without_case(name, "connection")) {
        connection_ = value;
        ++connections_;
        for_each_in_list(value, [this](std::string_view option) {
          close_said_ |= equal_without_case(option, "close");
          keep_alive_said_ |= equal_without_case(option, "keep-alive");
        });
      } else if (equal_without_case(name, "keep-alive")) {
        for_each_in_list(value, [this](std::string_view option) {
          constexpr std::string_view kTimeout = "timeout=";
          if (option.size() <= kTimeout.size() ||
              !equal_without_case(option.substr(0, kTimeout.size()), kTimeout))
            return;
          std::from_chars(option.data() + kTimeout.size(), option.data() + option.size(),
                          keep_alive_timeout_);
        });
      }
      return true;
    case 14: {
      if (!equal_without_case(name, "content-length")) return true;
      std::uint64_t length = 0;
      const auto* last = value.data() + value.size();
      const auto [stop, error] = std::from_chars(value.data(), last, length);
      if (value.empty() || error != std::errc{} || stop != last)
        return bad("the reply's length is no number");
      // A far larger one than anything real would overflow somebody's arithmetic.
      if (length > std::numeric_limits<std::int64_t>::max()) return bad("the reply's length is no number");
      if (has_length_) return bad("the reply has two lengths");
      has_length_ = true;
      length_ = length;
      return true;
    }
    case 17:
      if (!equal_without_case(name, "transfer-encoding")) return true;
      if (has_coding_ || !equal_without_case(value, "chunked"))
        return bad("the reply has another coding than chunked");
      has_coding_ = chunked_ = true;
      return true;
    case kCorrelationHeader.size():
      if (equal_without_case(name, "doorbuster-correlation")) {
        if (!correlation_.empty()) return bad("the reply has two correlations");
        correlation_ = value;
      }
      return true;
    default:
      return true;
  }
}

bool ReplyHead::frame(bool to_head) {
  const auto bad = [this](std::string_view why) {
    fail(why);
    return false;
  };
  if (has_coding_ && has_length_) return bad("the reply has both a length and a coding");
  if (has_coding_ && old_version_) return bad("HTTP/1.0 has no Transfer-Encoding");
  if (status_ == 101) return bad("the reply switches to a protocol that nobody asked for");
  keep_alive_ = !close_said_ && (!old_version_ || keep_alive_said_);
  if (status_ < 200 || to_head || status_ == 204 || status_ == 304) {
    body_ = Body::none;
  } else if (chunked_) {
    body_ = Body::chunked;
  } else if (has_length_) {
    body_ = Body::counted;
  } else {
    body_ = Body::until_close;
    keep_alive_ = false;
  }
  return true;
}

}  // namespace doorbuster::http
