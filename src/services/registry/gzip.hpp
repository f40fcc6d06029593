#pragma once
// gzip in pieces that are compressed once and put together in any order: each is a run of deflate blocks that
// looks back at nothing before it and ends on a byte (RFC 1951, Z_FULL_FLUSH). Together with a head and a
// tail they are one ordinary member (RFC 1952).

#include <cstdint>
#include <string>
#include <string_view>

#include "base/error.hpp"
#include "services/registry/rope.hpp"

namespace doorbuster::registry {

struct GzipPiece {
  SharedText bytes;
  std::uint32_t crc = 0;
  std::size_t plain_size = 0;
};

GzipPiece gzip_piece(std::string_view text);

/// Puts pieces together.
class GzipRope {
 public:
  GzipRope();
  void add(const GzipPiece& piece);
  /// \pre once
  Rope finish();

 private:
  Rope rope_;
  std::uint32_t crc_ = 0;
  std::size_t size_ = 0;
};

/// \returns malformed; too_large when there is more than `most_bytes` in it
Result<std::string> gunzip(std::string_view bytes, std::size_t most_bytes);

}  // namespace doorbuster::registry
