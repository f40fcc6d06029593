#include "proto/http/request_parser.hpp"

#include <algorithm>
#include <charconv>
#include <cstring>
#include <limits>

#include "base/error.hpp"
#include "proto/http/characters.hpp"

namespace doorbuster::http {
namespace {

std::uint32_t offset_of(std::string_view part, std::string_view bytes) {
  return static_cast<std::uint32_t>(part.data() - bytes.data());
}

Method method_named(std::string_view name) {
  switch (name.size()) {
    case 3:
      if (name == "GET") return Method::get;
      return name == "PUT" ? Method::put : Method::other;
    case 4:
      if (name == "POST") return Method::post;
      return name == "HEAD" ? Method::head : Method::other;
    case 5:
      return name == "PATCH" ? Method::patch : Method::other;
    case 6:
      return name == "DELETE" ? Method::del : Method::other;
    case 7:
      return name == "OPTIONS" ? Method::options : Method::other;
    default:
      return Method::other;
  }
}

}  // namespace

void RequestParser::reset() {
  fields_.clear();
  length_ = 0;
  at_ = scanned_ = 0;
  query_ = {};
  first_piece_ = {};
  correlation_.reset();
  request_.streamed = false;
  request_.length.reset();
  step_ = Step::request_line;
  hosts_ = 0;
  has_length_ = has_coding_ = chunked_ = close_asked_ = keep_alive_asked_ = continue_asked_ = false;
}

void RequestParser::fail(int status, std::string_view detail) {
  failure_ = {status, detail};
  step_ = Step::failed;
}

RequestParser::Status RequestParser::parse(std::string_view bytes) {
  if (step_ == Step::request_line || step_ == Step::fields) parse_head(bytes);
  if (step_ == Step::streams && !request_.streamed) begin_stream(bytes);
  if (step_ == Step::counted_body && bytes.size() - at_ >= length_) {
    at_ += static_cast<std::size_t>(length_);
    finish(bytes);
  }
  if (step_ == Step::chunked_body) parse_chunks(bytes);
  if (step_ == Step::complete) return request_.streamed ? Status::streams : Status::complete;
  if (step_ == Step::streams) return Status::streams;
  return step_ == Step::failed ? Status::failed : Status::need_more;
}

void RequestParser::parse_head(std::string_view bytes) {
  const auto end = std::min(bytes.size(), limits_.header_bytes);
  while (step_ == Step::request_line || step_ == Step::fields) {
    const void* found = scanned_ < end ? std::memchr(bytes.data() + scanned_, '\n', end - scanned_) : nullptr;
    if (found == nullptr) {
      scanned_ = end;
      if (end == limits_.header_bytes) fail(431, "request line and header fields take more than the limit");
      return;
    }
    const auto line_end = static_cast<std::size_t>(static_cast<const char*>(found) - bytes.data());
    const auto line = bytes.substr(at_, line_end - at_);
    const auto start = at_;
    at_ = scanned_ = line_end + 1;
    if (line.empty() || line.back() != '\r') return fail(400, "a line ends with LF alone; HTTP wants CR LF");
    const auto content = line.substr(0, line.size() - 1);
    if (step_ == Step::request_line) {
      // An empty line before a request is what some old clients leave behind a body (RFC 9112, 2.2).
      if (content.empty() && start == 0) continue;
      read_request_line(bytes, content);
    } else if (content.empty()) {
      end_head();
    } else {
      read_field(bytes, content);
    }
  }
}

void RequestParser::read_request_line(std::string_view bytes, std::string_view line) {
  const auto first = line.find(' ');
  const auto last = line.rfind(' ');
  if (first == std::string_view::npos || first == last) {
    return fail(400, "the request line is not 'METHOD target HTTP/1.1'");
  }
  const auto method = line.substr(0, first);
  if (method.empty() || !all_of(method, kToken)) return fail(400, "the method is not a token");
  if (method == "CONNECT") return fail(400, "CONNECT is for proxies; this server is none");
  method_ = {offset_of(method, bytes), static_cast<std::uint32_t>(method.size())};
  request_.method = method_named(method);
  read_version(line.substr(last + 1));
  if (step_ == Step::failed) return;
  step_ = Step::fields;
  read_target(bytes, line.substr(first + 1, last - first - 1));
}

void RequestParser::read_version(std::string_view version) {
  const auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
  if (version.size() != 8 || version.substr(0, 5) != "HTTP/" || !is_digit(version[5]) || version[6] != '.' ||
      !is_digit(version[7])) {
    return fail(400, "the request line does not end with HTTP/1.1 or HTTP/1.0");
  }
  if (version[5] != '1' || version[7] > '1') return fail(505, "this server speaks HTTP/1.1 and HTTP/1.0");
  minor_version_ = static_cast<std::uint8_t>(version[7] - '0');
}

void RequestParser::read_target(std::string_view bytes, std::string_view target) {
  if (target.empty() || !all_of(target, kTarget)) {
    return fail(400, "the target is empty or holds a character that must be percent-encoded");
  }
  target_ = {offset_of(target, bytes), static_cast<std::uint32_t>(target.size())};
  auto path = target;
  if (target.front() != '/') {
    const auto scheme_end = target.find("://");
    if (scheme_end != std::string_view::npos) {  // absolute-form: http://host/path
      const auto scheme = target.substr(0, scheme_end);
      if (!equal_without_case(scheme, "http") && !equal_without_case(scheme, "https")) {
        return fail(400, "the target is neither a path nor an http address");
      }
      path = target.substr(scheme_end + 3);
      const auto authority_end = path.find_first_of("/?");
      const auto authority = path.substr(0, authority_end);
      if (authority.empty() || !all_of(authority, kHost)) return fail(400, "the target names no valid host");
      path = authority_end == std::string_view::npos ? path.substr(path.size()) : path.substr(authority_end);
    } else if (target != "*" || request_.method != Method::options) {
      return fail(400, "the target does not begin with '/'");
    }
  }
  const auto mark = path.find('?');
  path_ = {offset_of(path, bytes), static_cast<std::uint32_t>(std::min(mark, path.size()))};
  if (mark != std::string_view::npos) {
    query_ = {path_.at + path_.size + 1, static_cast<std::uint32_t>(path.size() - mark - 1)};
  }
}

void RequestParser::read_field(std::string_view bytes, std::string_view line) {
  if (line.front() == ' ' || line.front() == '\t')
    return fail(400, "a header field is folded over two lines");
  std::size_t colon = 0;
  while (colon < line.size() && is_of(line[colon], kToken)) ++colon;
  if (colon == line.size()) return fail(400, "a header field has no colon");
  if (line[colon] != ':') {
    const bool blank = line[colon] == ' ' || line[colon] == '\t';
    return fail(400, blank ? "a blank stands in or behind a header field's name"
                           : "a header field's name is not a token");
  }
  if (colon == 0) return fail(400, "a header field has no name");
  const auto name = line.substr(0, colon);
  const auto value = trimmed(line.substr(colon + 1));
  if (!is_field_value(value)) return fail(400, "a header field's value holds a control character");
  if (fields_.size() == limits_.headers) return fail(431, "too many header fields");
  fields_.push_back({offset_of(name, bytes), static_cast<std::uint32_t>(name.size()),
                     static_cast<std::uint32_t>(value.data() - bytes.data()),
                     static_cast<std::uint32_t>(value.size())});
  read_known_field(name, value);
}

void RequestParser::read_known_field(std::string_view name, std::string_view value) {
  switch (name.size()) {
    case 4:
      if (!equal_without_case(name, "host")) return;
      if (++hosts_ > 1) return fail(400, "there are two Host fields");
      if (!all_of(value, kHost)) return fail(400, "the Host field is not a host");
      return;
    case 6:
      if (equal_without_case(name, "expect")) continue_asked_ |= equal_without_case(value, "100-continue");
      return;
    case 10:
      if (!equal_without_case(name, "connection")) return;
      return for_each_in_list(value, [this](std::string_view option) {
        close_asked_ |= equal_without_case(option, "close");
        keep_alive_asked_ |= equal_without_case(option, "keep-alive");
      });
    case 14:
      if (equal_without_case(name, "content-length")) read_content_length(value);
      return;
    case 17:
      if (!equal_without_case(name, "transfer-encoding")) return;
      // A second field makes a list of codings, which 'chunked' alone is not.
      chunked_ = !has_coding_ && equal_without_case(value, "chunked");
      has_coding_ = true;
      return;
    case 22:
      if (equal_without_case(name, "doorbuster-correlation")) {
        std::uint64_t number = 0;
        const auto* end = value.data() + value.size();
        const auto [stop, error] = std::from_chars(value.data(), end, number);
        if (error != std::errc{} || stop != end || correlation_)
          return fail(400, "Doorbuster-Correlation is not one number");
        correlation_ = number;
      }
      return;
    default:
      return;
  }
}

void RequestParser::read_content_length(std::string_view value) {
  if (value.empty()) return fail(400, "Content-Length is empty");
  constexpr auto most = std::numeric_limits<std::uint64_t>::max();
  std::uint64_t length = 0;
  for (const char c : value) {
    if (c < '0' || c > '9') return fail(400, "Content-Length is not a decimal number");
    const auto digit = static_cast<std::uint64_t>(c - '0');
    length = length > (most - digit) / 10 ? most : length * 10 + digit;
  }
  if (has_length_ && length != length_) return fail(400, "there are two Content-Length fields that differ");
  has_length_ = true;
  length_ = length;
}

void RequestParser::end_head() {
  if (minor_version_ == 1 && hosts_ == 0) return fail(400, "HTTP/1.1 wants a Host field");
  if (has_coding_) {
    if (has_length_) return fail(400, "Content-Length and Transfer-Encoding stand together");
    if (minor_version_ == 0) return fail(501, "HTTP/1.0 has no Transfer-Encoding");
    if (!chunked_) return fail(501, "the only Transfer-Encoding that is read is 'chunked'");
    decoded_body_.clear();
    chunks_.reset(std::max(limits_.body_bytes, static_cast<std::size_t>(limits_.streamed_bytes)));
    step_ = Step::chunked_body;
    return;
  }
  body_at_ = at_;
  if (length_ > limits_.body_bytes) {
    if (length_ > limits_.streamed_bytes) return fail(413, "the body is longer than the limit");
    step_ = Step::streams;
    return;
  }
  step_ = Step::counted_body;
}

void RequestParser::parse_chunks(std::string_view bytes) {
  at_ += chunks_.put(bytes.substr(at_), decoded_body_);
  if (!check_chunks()) return;
  if (decoded_body_.size() > limits_.body_bytes) {
    begin_stream(bytes);
    if (chunks_.state() == ChunkedDecoder::State::done) step_ = Step::complete;
  } else if (chunks_.state() == ChunkedDecoder::State::done) {
    finish(bytes);
  }
}

/// \returns false when the body has failed
bool RequestParser::check_chunks() {
  switch (chunks_.state()) {
    case ChunkedDecoder::State::more:
    case ChunkedDecoder::State::done:
      return true;
    case ChunkedDecoder::State::malformed:
      fail(400, "the chunked body is malformed");
      return false;
    case ChunkedDecoder::State::body_too_large:
      fail(413, "the body is longer than the limit");
      return false;
    case ChunkedDecoder::State::trailers_too_large:
      fail(431, "the trailers take more than the limit");
      return false;
  }
  return false;
}

void RequestParser::begin_stream(std::string_view bytes) {
  fill_request(bytes);
  request_.streamed = true;
  request_.body = {};
  if (has_coding_) {
    first_piece_ = decoded_body_;
  } else {
    request_.length = length_;
  }
  step_ = Step::streams;
}

std::size_t RequestParser::read_body(std::string_view bytes, std::string_view& piece) {
  piece = {};
  if (step_ != Step::streams) return 0;
  if (!has_coding_) {
    const auto take = static_cast<std::size_t>(std::min<std::uint64_t>(length_, bytes.size()));
    piece = bytes.substr(0, take);
    length_ -= take;
    if (length_ == 0) step_ = Step::complete;
    return take;
  }
  decoded_body_.clear();
  const auto taken = chunks_.put(bytes, decoded_body_);
  if (!check_chunks()) return taken;
  piece = decoded_body_;
  if (chunks_.state() == ChunkedDecoder::State::done) step_ = Step::complete;
  return taken;
}

void RequestParser::finish(std::string_view bytes) {
  fill_request(bytes);
  request_.body = has_coding_ ? std::string_view(decoded_body_)
                              : bytes.substr(body_at_, static_cast<std::size_t>(length_));
  step_ = Step::complete;
}

void RequestParser::fill_request(std::string_view bytes) {
  const auto part = [&](Span span) { return bytes.substr(span.at, span.size); };
  request_.method_name = part(method_);
  request_.target = part(target_);
  // The path of `http://host` and of `http://host?query` is the root.
  request_.path = path_.size == 0 ? std::string_view("/") : part(path_);
  request_.query = part(query_);
  headers_.clear();
  for (const auto& field : fields_) {
    headers_.push_back(
        {bytes.substr(field.name, field.name_size), bytes.substr(field.value, field.value_size)});
  }
  request_.headers = headers_;
}

}  // namespace doorbuster::http
