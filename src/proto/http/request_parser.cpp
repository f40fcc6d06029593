#include "proto/http/request_parser.hpp"

#include <algorithm>
#include <array>
#include <charconv>

namespace doorbuster::http {
namespace {

constexpr ParseFailure kBadLine = {400, "malformed", "The request could not be read",
                                   "the request line is not METHOD SP TARGET SP HTTP/1.1 CRLF"};
constexpr ParseFailure kBadHeader = {400, "malformed", "The request could not be read",
                                     "a header line is not NAME: VALUE CRLF without control characters"};
constexpr ParseFailure kFoldedHeader = {400, "malformed", "The request could not be read",
                                        "a header line begins with a space: folded headers are not accepted"};
constexpr ParseFailure kBadHost = {400, "malformed", "The request could not be read",
                                   "HTTP/1.1 needs exactly one Host header"};
constexpr ParseFailure kTwoFramings = {400, "malformed", "The request could not be read",
                                       "Content-Length and Transfer-Encoding exclude each other"};
constexpr ParseFailure kBadLength = {400, "malformed", "The request could not be read",
                                     "Content-Length is not one decimal number"};
constexpr ParseFailure kBadChunk = {400, "malformed", "The request could not be read",
                                    "a chunk is not SIZE CRLF DATA CRLF"};
constexpr ParseFailure kUnknownEncoding = {501, "unsupported", "Not supported",
                                           "the only Transfer-Encoding accepted is chunked"};
constexpr ParseFailure kUnknownVersion = {505, "unsupported", "Not supported",
                                          "the versions accepted are HTTP/1.1 and HTTP/1.0"};
constexpr ParseFailure kLargeHead = {431, "too-large", "The request is too large",
                                     "request line and headers are over their limit"};
constexpr ParseFailure kLargeBody = {413, "too-large", "The request is too large",
                                     "the body is over its limit"};

/// tchar of RFC 9110 section 5.6.2.
constexpr std::array<bool, 256> kTokenCharacters = [] {
  std::array<bool, 256> allowed{};
  for (const char c :
       std::string_view("!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")) {
    allowed[static_cast<unsigned char>(c)] = true;
  }
  return allowed;
}();

bool is_token(std::string_view text) {
  for (const char c : text) {
    if (!kTokenCharacters[static_cast<unsigned char>(c)]) return false;
  }
  return !text.empty();
}

/// VCHAR, obs-text, space and tab.
bool is_field_value(std::string_view text) {
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if ((byte < 0x20 && byte != '\t') || byte == 0x7f) return false;
  }
  return true;
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

Method method_of(std::string_view name) {
  if (name == "POST") return Method::post;
  if (name == "GET") return Method::get;
  if (name == "HEAD") return Method::head;
  if (name == "PUT") return Method::put;
  if (name == "PATCH") return Method::patch;
  if (name == "DELETE") return Method::del;
  if (name == "OPTIONS") return Method::options;
  return Method::other;
}

/// Whether `token` is in a comma-separated list.
bool lists(std::string_view list, std::string_view token) {
  while (!list.empty()) {
    const auto comma = list.find(',');
    if (equal_ignoring_case(trimmed(list.substr(0, comma)), token)) return true;
    if (comma == std::string_view::npos) return false;
    list.remove_prefix(comma + 1);
  }
  return false;
}

}  // namespace

void RequestParser::reset() {
  request_ = {};
  headers_.clear();
  scanned_ = head_bytes_ = consumed_ = content_length_ = 0;
  line_checked_ = has_length_ = chunked_ = has_host_ = http_1_0_ = expects_continue_ = false;
  keep_alive_ = true;
}

RequestParser::Status RequestParser::fail(const ParseFailure& failure) {
  failure_ = failure;
  return Status::failed;
}

RequestParser::Status RequestParser::parse(std::string_view input) {
  if (head_bytes_ > 0) {
    // The buffer may have moved since the head was read: the views are made again.
    const auto known = head_bytes_;
    reset();
    scanned_ = known >= 4 ? known - 4 : 0;
  }
  // RFC 9112 section 2.2: a server ignores an empty line before the request line.
  std::size_t begin = 0;
  while (input.substr(begin, 2) == "\r\n" && begin < 4) begin += 2;

  const auto head_end = input.find("\r\n\r\n", std::max(begin, scanned_));
  if (head_end == std::string_view::npos) {
    if (input.size() - begin > limits_.header_bytes) return fail(kLargeHead);
    scanned_ = input.size() >= 3 ? input.size() - 3 : 0;
    return check_first_line(input.substr(begin));
  }
  head_bytes_ = head_end + 4;
  if (head_bytes_ - begin > limits_.header_bytes) return fail(kLargeHead);

  std::string_view rest = input.substr(begin, head_end + 2 - begin);
  const auto line_end = rest.find("\r\n");
  failure_ = kBadLine;
  if (!parse_request_line(rest.substr(0, line_end))) return Status::failed;
  rest.remove_prefix(line_end + 2);
  headers_.clear();
  while (!rest.empty()) {
    const auto end = rest.find("\r\n");
    failure_ = kBadHeader;
    if (!parse_header(rest.substr(0, end))) return Status::failed;
    rest.remove_prefix(end + 2);
  }
  if (!check_framing()) return Status::failed;
  request_.headers = headers_;
  return parse_body(input);
}

/// The first line is looked at before the head is complete: whoever speaks HTTP/0.9 waits for an answer after
/// it.
RequestParser::Status RequestParser::check_first_line(std::string_view input) {
  if (line_checked_) return Status::need_more;
  const auto end = input.find('\n');
  if (end == std::string_view::npos) return Status::need_more;
  if (end == 0 || input[end - 1] != '\r') return fail(kBadLine);
  failure_ = kBadLine;
  if (!parse_request_line(input.substr(0, end - 1))) return Status::failed;
  line_checked_ = true;
  return Status::need_more;
}

bool RequestParser::parse_request_line(std::string_view line) {
  const auto first = line.find(' ');
  const auto last = line.rfind(' ');
  if (first == std::string_view::npos || first == last) return false;
  const auto method = line.substr(0, first);
  const auto target = line.substr(first + 1, last - first - 1);
  const auto version = line.substr(last + 1);
  if (!is_token(method)) return false;
  if (version != "HTTP/1.1") {
    if (version == "HTTP/1.0") {
      http_1_0_ = true;
      keep_alive_ = false;
    } else {
      const bool other_version = version.size() == 8 && version.substr(0, 5) == "HTTP/" && version[6] == '.';
      if (other_version) failure_ = kUnknownVersion;
      return false;
    }
  }
  request_.method = method_of(method);
  return parse_target(target);
}

bool RequestParser::parse_target(std::string_view target) {
  for (const char c : target) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte <= 0x20 || byte >= 0x7f || c == '#') return false;
  }
  request_.target = target;
  if (target == "*") {
    request_.path = target;
    return request_.method == Method::options;
  }
  if (target.substr(0, 7) == "http://") {  // absolute form: RFC 9112 section 3.2.2
    const auto slash = target.find_first_of("/?", 7);
    if (slash == 7) return false;
    target = slash == std::string_view::npos ? std::string_view("/") : target.substr(slash);
    if (target.front() == '?') return false;
  }
  if (target.empty() || target.front() != '/') return false;
  const auto question = target.find('?');
  request_.path = target.substr(0, question);
  request_.query = question == std::string_view::npos ? std::string_view{} : target.substr(question + 1);
  return true;
}

bool RequestParser::parse_header(std::string_view line) {
  if (line.empty()) return false;
  if (line.front() == ' ' || line.front() == '\t') {
    failure_ = kFoldedHeader;
    return false;
  }
  const auto colon = line.find(':');
  if (colon == std::string_view::npos) return false;
  const auto name = line.substr(0, colon);
  const auto value = trimmed(line.substr(colon + 1));
  if (!is_token(name) || !is_field_value(value)) return false;
  if (headers_.size() == limits_.headers) {
    failure_ = kLargeHead;
    return false;
  }
  headers_.push_back({name, value});

  // Only headers of these lengths mean something to the framing.
  switch (name.size()) {
    case 4:
      if (equal_ignoring_case(name, "host")) {
        failure_ = kBadHost;
        if (has_host_) return false;
        has_host_ = true;
      }
      return true;
    case 6:
      if (equal_ignoring_case(name, "expect") && equal_ignoring_case(value, "100-continue")) {
        expects_continue_ = !http_1_0_;
      }
      return true;
    case 10:
      if (equal_ignoring_case(name, "connection")) {
        if (lists(value, "close")) {
          keep_alive_ = false;
        } else if (http_1_0_ && lists(value, "keep-alive")) {
          keep_alive_ = true;
        }
      }
      return true;
    case 14:
      if (equal_ignoring_case(name, "content-length")) {
        failure_ = kBadLength;
        std::size_t length = 0;
        const auto* end = value.data() + value.size();
        const auto [stop, error] = std::from_chars(value.data(), end, length);
        if (value.empty() || error != std::errc{} || stop != end || has_length_) return false;
        has_length_ = true;
        content_length_ = length;
      }
      return true;
    case 17:
      if (equal_ignoring_case(name, "transfer-encoding")) {
        failure_ = kUnknownEncoding;
        if (chunked_ || http_1_0_ || !equal_ignoring_case(value, "chunked")) return false;
        chunked_ = true;
      }
      return true;
    default:
      return true;
  }
}

bool RequestParser::check_framing() {
  failure_ = kBadHost;
  if (!has_host_ && !http_1_0_) return false;
  failure_ = kTwoFramings;
  return !(chunked_ && has_length_);
}

RequestParser::Status RequestParser::parse_body(std::string_view input) {
  if (chunked_) return parse_chunks(input);
  if (content_length_ > limits_.body_bytes) return fail(kLargeBody);
  if (input.size() - head_bytes_ < content_length_) return Status::need_more;
  request_.body = input.substr(head_bytes_, content_length_);
  consumed_ = head_bytes_ + content_length_;
  return Status::complete;
}

RequestParser::Status RequestParser::parse_chunks(std::string_view input) {
  // Bounds the framing, too: chunks of one byte with long extensions are an attack, not a body.
  const auto most = limits_.body_bytes * 2 + limits_.header_bytes;
  decoded_.clear();
  std::size_t at = head_bytes_;
  while (true) {
    if (at - head_bytes_ > most) return fail(kLargeBody);
    const auto end = input.find("\r\n", at);
    if (end == std::string_view::npos) {
      if (input.substr(at).find('\n') != std::string_view::npos) return fail(kBadChunk);
      return input.size() - at > 256 ? fail(kBadChunk) : Status::need_more;
    }
    auto line = input.substr(at, end - at);
    if (line.size() > 256 || !is_field_value(line)) return fail(kBadChunk);
    line = line.substr(0, line.find(';'));
    std::size_t size = 0;
    const auto [stop, error] = std::from_chars(line.data(), line.data() + line.size(), size, 16);
    if (line.empty() || error != std::errc{} || stop != line.data() + line.size()) return fail(kBadChunk);
    at = end + 2;
    if (size == 0) break;
    if (size > limits_.body_bytes || decoded_.size() + size > limits_.body_bytes) return fail(kLargeBody);
    if (input.size() - at < size + 2) return Status::need_more;
    decoded_.append(input.substr(at, size));
    if (input.substr(at + size, 2) != "\r\n") return fail(kBadChunk);
    at += size + 2;
  }
  while (true) {  // trailers: read and dropped
    if (at - head_bytes_ > most) return fail(kLargeHead);
    const auto end = input.find("\r\n", at);
    if (end == std::string_view::npos) {
      return input.size() - at > limits_.header_bytes ? fail(kLargeHead) : Status::need_more;
    }
    const auto line = input.substr(at, end - at);
    at = end + 2;
    if (line.empty()) break;
    const auto colon = line.find(':');
    if (colon == std::string_view::npos || !is_token(line.substr(0, colon)) || !is_field_value(line)) {
      return fail(kBadHeader);
    }
  }
  request_.body = decoded_;
  consumed_ = at;
  return Status::complete;
}

}  // namespace doorbuster::http
