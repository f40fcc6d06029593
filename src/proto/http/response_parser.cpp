#include "proto/http/response_parser.hpp"

#include <algorithm>
#include <charconv>

#include "proto/http/message.hpp"

namespace doorbuster::http {
namespace {

Error malformed(const char* what) {
  return make_error(ErrorCode::malformed, what);
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

/// Calls `each(name, value)` for every header line of a head; false when a line is none.
template <class Each>
bool for_each_header(std::string_view head, Each each) {
  auto line_end = head.find("\r\n");
  head.remove_prefix(line_end + 2);
  while (!head.empty() && head != "\r\n") {
    line_end = head.find("\r\n");
    const auto line = head.substr(0, line_end);
    const auto colon = line.find(':');
    if (colon == std::string_view::npos || colon == 0) return false;
    if (!each(line.substr(0, colon), trimmed(line.substr(colon + 1)))) return false;
    head.remove_prefix(line_end + 2);
  }
  return true;
}

template <class Number>
bool read_number(std::string_view text, Number& number, int base = 10) {
  const auto* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, number, base);
  return !text.empty() && error == std::errc{} && stop == end;
}

}  // namespace

void ResponseParser::reset(bool head_request) {
  state_ = State::head;
  head_.clear();
  line_.clear();
  body_.clear();
  left_ = trailer_bytes_ = 0;
  status_ = 0;
  keep_alive_ = true;
  head_request_ = head_request;
}

std::string_view ResponseParser::header(std::string_view name) const {
  std::string_view found;
  if (head_.find("\r\n") == std::string::npos) return found;
  for_each_header(head_, [&](std::string_view key, std::string_view value) {
    if (found.empty() && equal_ignoring_case(key, name)) found = value;
    return true;
  });
  return found;
}

Result<std::size_t> ResponseParser::put(std::string_view bytes) {
  const auto given = bytes.size();
  while (!bytes.empty() && state_ != State::done) {
    Result<void> taken;
    switch (state_) {
      case State::head: {
        // The end of the head may lie across two reads: the search begins three bytes before what is new.
        const auto before = head_.size();
        const auto take = std::min(bytes.size(), most_head_bytes_ + 1 - before);
        head_.append(bytes.substr(0, take));
        const auto end = head_.find("\r\n\r\n", before < 3 ? 0 : before - 3);
        if (end == std::string::npos) {
          if (head_.size() > most_head_bytes_)
            return make_error(ErrorCode::too_large, "the reply's head is too large");
          bytes.remove_prefix(take);
          break;
        }
        bytes.remove_prefix(end + 4 - before);
        head_.resize(end + 4);
        taken = parse_head();
        break;
      }
      case State::body:
      case State::chunk_data:
      case State::until_close:
        taken = take_body(bytes);
        break;
      case State::chunk_size:
      case State::chunk_end:
      case State::trailer:
        taken = take_chunk_line(bytes);
        break;
      case State::done:
        break;
    }
    if (!taken) return taken.error();
  }
  return given - bytes.size();
}

Result<void> ResponseParser::put_end() {
  if (state_ == State::until_close) state_ = State::done;
  if (state_ != State::done) return malformed("the connection was closed in the middle of a reply");
  keep_alive_ = false;
  return {};
}

Result<void> ResponseParser::parse_head() {
  const std::string_view head = head_;
  if (head.size() < 13 || head.substr(0, 7) != "HTTP/1." || (head[7] != '0' && head[7] != '1') ||
      head[8] != ' ' || !read_number(head.substr(9, 3), status_) || status_ < 100 ||
      (head[12] != ' ' && head[12] != '\r')) {
    return malformed("the reply does not begin with HTTP/1.x and a status");
  }
  keep_alive_ = head[7] == '1';
  bool chunked = false;
  bool has_length = false;
  const bool readable = for_each_header(head, [&](std::string_view name, std::string_view value) {
    if (equal_ignoring_case(name, "content-length")) {
      if (has_length || !read_number(value, left_)) return false;
      has_length = true;
    } else if (equal_ignoring_case(name, "transfer-encoding")) {
      if (!equal_ignoring_case(value, "chunked")) return false;
      chunked = true;
    } else if (equal_ignoring_case(name, "connection")) {
      if (equal_ignoring_case(value, "close")) keep_alive_ = false;
      if (equal_ignoring_case(value, "keep-alive")) keep_alive_ = true;
    }
    return true;
  });
  if (!readable || (chunked && has_length)) return malformed("a header of the reply cannot be read");
  if (status_ / 100 == 1) {  // interim: the real one follows
    head_.clear();
    left_ = 0;
    return {};
  }
  if (head_request_ || status_ == 204 || status_ == 304) {
    state_ = State::done;
  } else if (chunked) {
    state_ = State::chunk_size;
  } else if (has_length) {
    if (left_ > most_body_bytes_) return make_error(ErrorCode::too_large, "the reply's body is too large");
    state_ = left_ == 0 ? State::done : State::body;
  } else {
    keep_alive_ = false;
    state_ = State::until_close;
  }
  return {};
}

Result<void> ResponseParser::take_body(std::string_view& bytes) {
  const auto take = state_ == State::until_close ? bytes.size() : std::min(bytes.size(), left_);
  if (body_.size() + take > most_body_bytes_)
    return make_error(ErrorCode::too_large, "the reply's body is too large");
  body_.append(bytes.substr(0, take));
  bytes.remove_prefix(take);
  if (state_ == State::until_close) return {};
  left_ -= take;
  if (left_ == 0) state_ = state_ == State::body ? State::done : State::chunk_end;
  return {};
}

Result<void> ResponseParser::take_line(std::string_view& bytes, bool& complete) {
  const auto end = bytes.find('\n');
  complete = end != std::string_view::npos;
  const auto take = complete ? end + 1 : bytes.size();
  if (line_.size() + take > most_head_bytes_)
    return make_error(ErrorCode::too_large, "a line of the reply is too long");
  line_.append(bytes.substr(0, take));
  bytes.remove_prefix(take);
  if (!complete) return {};
  if (line_.size() < 2 || line_[line_.size() - 2] != '\r')
    return malformed("a line of the reply does not end in CRLF");
  line_.resize(line_.size() - 2);
  return {};
}

Result<void> ResponseParser::take_chunk_line(std::string_view& bytes) {
  bool complete = false;
  if (const auto taken = take_line(bytes, complete); !taken || !complete) return taken;
  const std::string line = std::exchange(line_, {});
  if (state_ == State::chunk_end) {
    if (!line.empty()) return malformed("a chunk of the reply is longer than it says");
    state_ = State::chunk_size;
  } else if (state_ == State::trailer) {
    trailer_bytes_ += line.size();
    if (trailer_bytes_ > most_head_bytes_)
      return make_error(ErrorCode::too_large, "the reply's trailers are too large");
    if (line.empty()) state_ = State::done;
  } else {
    const auto size = std::string_view(line).substr(0, line.find(';'));
    if (!read_number(size, left_, 16)) return malformed("a chunk of the reply has no size");
    if (left_ > most_body_bytes_) return make_error(ErrorCode::too_large, "the reply's body is too large");
    state_ = left_ == 0 ? State::trailer : State::chunk_data;
  }
  return {};
}

}  // namespace doorbuster::http
