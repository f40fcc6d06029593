#pragma once
// Decoder of the chunked transfer coding (RFC 9112, section 7.1), byte by byte, without a socket.

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace doorbuster::http {

/// Extensions and trailers are read over; both are bounded. Strict: CRLF only, no space around the size.
class ChunkedDecoder {
 public:
  enum class State : std::uint8_t { more, done, malformed, body_too_large, trailers_too_large };
  static constexpr std::size_t kMostExtensionBytes = 256;  ///< of one chunk
  static constexpr std::size_t kMostTrailerBytes = 1024;   ///< of all trailers

  /// \param most_body_bytes of the decoded body. The framing may take eight times that and 1 KiB.
  void reset(std::size_t most_body_bytes);
  /// Appends what it decodes to `body`. \returns how many bytes were taken: all, unless state() is not `more`
  std::size_t put(std::string_view bytes, std::string& body);
  State state() const { return state_; }

 private:
  enum class Step : std::uint8_t { size, extension, size_lf, data, data_cr, data_lf, trailer, trailer_lf };

  bool count_framing();

  std::size_t most_body_bytes_ = 0;
  std::size_t left_ = 0;  // of the chunk: while its size is read, the size so far
  std::size_t decoded_ = 0;
  std::size_t framing_ = 0;    // bytes that are not body
  std::uint32_t in_line_ = 0;  // characters of this extension or trailer line
  std::uint32_t trailers_ = 0;
  std::uint8_t digits_ = 0;
  Step step_ = Step::size;
  State state_ = State::more;
};

}  // namespace doorbuster::http
