#include "proto/http/chunked.hpp"

#include <algorithm>

#include "proto/http/characters.hpp"

namespace doorbuster::http {
void ChunkedDecoder::reset(std::size_t most_body_bytes) {
  *this = ChunkedDecoder();
  most_body_bytes_ = most_body_bytes;
}

bool ChunkedDecoder::count_framing() {
  // A body of one-byte chunks needs five bytes of framing for each.
  if (++framing_ <= 8 * most_body_bytes_ + 1024) return true;
  state_ = State::body_too_large;
  return false;
}

std::size_t ChunkedDecoder::put(std::string_view bytes, std::string& body) {
  std::size_t at = 0;
  const auto malformed = [&] {
    state_ = State::malformed;
    return at;
  };
  while (at < bytes.size() && state_ == State::more) {
    if (step_ == Step::data) {
      const auto take = std::min(left_, bytes.size() - at);
      body.append(bytes, at, take);
      at += take;
      left_ -= take;
      if (left_ == 0) step_ = Step::data_cr;
      continue;
    }
    const char c = bytes[at];
    if (!count_framing()) return at;
    switch (step_) {
      case Step::size:
        if (const int digit = hexadecimal(c); digit >= 0) {
          if (++digits_ > 15) return malformed();
          left_ = left_ * 16 + static_cast<std::size_t>(digit);
          if (left_ > most_body_bytes_ - decoded_) {
            state_ = State::body_too_large;
            return at;
          }
        } else if (digits_ == 0) {
          return malformed();
        } else if (c == ';') {
          step_ = Step::extension;
          in_line_ = 0;
        } else if (c == '\r') {
          step_ = Step::size_lf;
        } else {
          return malformed();
        }
        break;
      case Step::extension:
        if (c == '\r') {
          step_ = Step::size_lf;
        } else if (!is_of(c, kValue) || ++in_line_ > kMostExtensionBytes) {
          return malformed();
        }
        break;
      case Step::size_lf:
        if (c != '\n') return malformed();
        decoded_ += left_;
        digits_ = 0;
        in_line_ = 0;
        step_ = left_ == 0 ? Step::trailer : Step::data;
        break;
      case Step::data_cr:
        if (c != '\r') return malformed();
        step_ = Step::data_lf;
        break;
      case Step::data_lf:
        if (c != '\n') return malformed();
        step_ = Step::size;
        break;
      case Step::trailer:
        if (c == '\r') {
          step_ = Step::trailer_lf;
        } else if (!is_of(c, kValue)) {
          return malformed();
        } else {
          ++in_line_;
          if (++trailers_ > kMostTrailerBytes) {
            state_ = State::trailers_too_large;
            return at;
          }
        }
        break;
      case Step::trailer_lf:
        if (c != '\n') return malformed();
        if (in_line_ == 0) state_ = State::done;
        in_line_ = 0;
        step_ = Step::trailer;
        break;
      case Step::data:
        break;  // above
    }
    ++at;
  }
  return at;
}

}  // namespace doorbuster::http
