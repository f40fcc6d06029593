#include "proto/http/response_parser.hpp"

#include <algorithm>
#include <limits>

#include "proto/http/characters.hpp"

namespace doorbuster::http {
namespace {

constexpr std::array<std::string_view, 3> kKeptNames = {"retry-after", "content-type", "location"};

bool is_digit(char c) { return c >= '0' && c <= '9'; }

}  // namespace

ResponseParser::ResponseParser(std::size_t most_body_bytes) : most_body_bytes_(most_body_bytes) {}

void ResponseParser::reset(bool head_request) {
  head_.clear();
  body_.clear();
  for (auto& kept : kept_) kept.clear();
  length_ = left_ = 0;
  status_ = 0;
  state_ = State::head;
  untouched_ = true;
  head_request_ = head_request;
  keep_alive_ = true;
  has_length_ = chunked_ = false;
}

Error ResponseParser::fail(ErrorCode code, std::string detail) {
  state_ = State::failed;
  return make_error(code, std::move(detail));
}

std::string_view ResponseParser::header(std::string_view name) const {
  for (std::size_t i = 0; i < kKeptNames.size(); ++i) {
    if (equal_without_case(name, kKeptNames[i])) return kept_[i];
  }
  return {};
}

Result<std::size_t> ResponseParser::put(std::string_view bytes) {
  std::size_t taken = 0;
  while (taken < bytes.size() && state_ != State::done) {
    untouched_ = false;
    const auto rest = bytes.substr(taken);
    switch (state_) {
      case State::head: {
        auto used = put_head(rest);
        if (!used) return used.error();
        taken += *used;
        break;
      }
      case State::counted_body: {
        const auto take = static_cast<std::size_t>(std::min<std::uint64_t>(left_, rest.size()));
        body_.append(rest, 0, take);
        taken += take;
        left_ -= take;
        if (left_ == 0) state_ = State::done;
        break;
      }
      case State::chunked_body:
        taken += chunks_.put(rest, body_);
        if (chunks_.state() == ChunkedDecoder::State::done) {
          state_ = State::done;
        } else if (chunks_.state() == ChunkedDecoder::State::malformed) {
          return fail(ErrorCode::malformed, "the response's chunked body is malformed");
        } else if (chunks_.state() != ChunkedDecoder::State::more) {
          return fail(ErrorCode::too_large, "the response's chunked body is longer than the limit");
        }
        break;
      case State::body_until_close:
        if (rest.size() > most_body_bytes_ - body_.size()) {
          return fail(ErrorCode::too_large, "the response's body is longer than the limit");
        }
        body_ += rest;
        taken += rest.size();
        break;
      case State::done: break;
      case State::failed: return make_error(ErrorCode::malformed, "the response could not be read; reset first");
    }
  }
  return taken;
}

Result<void> ResponseParser::finish() {
  if (state_ == State::body_until_close) state_ = State::done;
  if (state_ == State::done) return {};
  return fail(ErrorCode::malformed, "the connection closed in the middle of a response");
}

Result<std::size_t> ResponseParser::put_head(std::string_view bytes) {
  constexpr std::string_view end_mark = "\r\n\r\n";
  const auto too_large = [this] {
    return fail(ErrorCode::too_large, "the response's head takes more than 16 KiB");
  };
  if (head_.empty()) {
    const auto end = bytes.find(end_mark);
    if (end != std::string_view::npos && end + end_mark.size() <= kMostHeadBytes) {
      if (auto read = read_head(bytes.substr(0, end + 2)); !read) return read.error();
      return end + end_mark.size();
    }
    if (bytes.size() >= kMostHeadBytes) return too_large();
    head_ = bytes;
    return bytes.size();
  }
  const auto before = head_.size();
  const auto take = std::min(bytes.size(), kMostHeadBytes - before);
  head_.append(bytes, 0, take);
  const auto end = head_.find(end_mark, before < 3 ? 0 : before - 3);
  if (end == std::string::npos) {
    if (head_.size() >= kMostHeadBytes) return too_large();
    return take;
  }
  if (auto read = read_head(std::string_view(head_).substr(0, end + 2)); !read) return read.error();
  head_.clear();
  return end + end_mark.size() - before;
}

/// \param head its lines, each with its CR LF
Result<void> ResponseParser::read_head(std::string_view head) {
  const auto malformed = [this](const char* why) { return fail(ErrorCode::malformed, why); };
  const auto line_end = head.find("\r\n");
  const auto line = head.substr(0, line_end);
  if (line.size() < 12 || line.substr(0, 7) != "HTTP/1." || !is_digit(line[7]) || line[8] != ' ' ||
      !is_digit(line[9]) || !is_digit(line[10]) || !is_digit(line[11]) || (line.size() > 12 && line[12] != ' ') ||
      !is_field_value(line)) {
    return malformed("the response does not begin with 'HTTP/1.1 200 OK'");
  }
  status_ = (line[9] - '0') * 100 + (line[10] - '0') * 10 + (line[11] - '0');
  if (status_ < 100 || status_ > 599) return malformed("the response's status is not between 100 and 599");
  keep_alive_ = line[7] != '0';
  has_length_ = chunked_ = false;
  for (auto& kept : kept_) kept.clear();
  head.remove_prefix(line_end + 2);
  while (!head.empty()) {
    const auto end = head.find("\r\n");
    if (auto read = read_field(head.substr(0, end)); !read) return read;
    head.remove_prefix(end + 2);
  }
  return begin_body();
}

Result<void> ResponseParser::read_field(std::string_view line) {
  const auto malformed = [this](const char* why) { return fail(ErrorCode::malformed, why); };
  const auto colon = line.find(':');
  if (colon == std::string_view::npos || colon == 0 || !all_of(line.substr(0, colon), kToken)) {
    return malformed("a header field of the response is malformed");
  }
  const auto name = line.substr(0, colon);
  const auto value = trimmed(line.substr(colon + 1));
  if (!is_field_value(value)) return malformed("a header field of the response holds a control character");
  if (equal_without_case(name, "content-length")) {
    std::uint64_t length = 0;
    if (value.empty() || value.size() > 18) return malformed("the response's Content-Length is not a number");
    for (const char c : value) {
      if (!is_digit(c)) return malformed("the response's Content-Length is not a number");
      length = length * 10 + static_cast<std::uint64_t>(c - '0');
    }
    if (has_length_ && length != length_) return malformed("the response has two lengths that differ");
    has_length_ = true;
    length_ = length;
  } else if (equal_without_case(name, "transfer-encoding")) {
    if (chunked_ || !equal_without_case(value, "chunked")) {
      return malformed("the response's Transfer-Encoding is not 'chunked'");
    }
    chunked_ = true;
  } else if (equal_without_case(name, "connection")) {
    for_each_in_list(value, [this](std::string_view option) {
      if (equal_without_case(option, "close")) keep_alive_ = false;
      if (equal_without_case(option, "keep-alive")) keep_alive_ = true;
    });
  } else {
    for (std::size_t i = 0; i < kKeptNames.size(); ++i) {
      if (equal_without_case(name, kKeptNames[i])) kept_[i] = value;
    }
  }
  return {};
}

Result<void> ResponseParser::begin_body() {
  if (status_ < 200) {
    // What follows an upgrade is no HTTP, and nobody here asks for one.
    if (status_ == 101) return fail(ErrorCode::malformed, "the server switched to another protocol");
    status_ = 0;
    return {};  // the real response follows
  }
  if (chunked_ && has_length_) return fail(ErrorCode::malformed, "the response has a length and is chunked");
  if (head_request_ || status_ == 204 || status_ == 304) {
    state_ = State::done;
  } else if (chunked_) {
    chunks_.reset(most_body_bytes_);
    state_ = State::chunked_body;
  } else if (has_length_) {
    if (length_ > most_body_bytes_) {
      return fail(ErrorCode::too_large, "the response's body is longer than the limit");
    }
    left_ = length_;
    state_ = left_ == 0 ? State::done : State::counted_body;
  } else {
    keep_alive_ = false;
    state_ = State::body_until_close;
  }
  return {};
}

}  // namespace doorbuster::http
