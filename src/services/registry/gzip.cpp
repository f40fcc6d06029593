#include "services/registry/gzip.hpp"

#include <fmt/format.h>
#include <zlib.h>

#include <array>

namespace doorbuster::registry {
namespace {

// Pages of a registry repeat themselves: the fastest level leaves a tenth of them.
constexpr int kLevel = Z_BEST_SPEED;
constexpr int kRawDeflate = -15;
constexpr int kGzip = 15 + 16;

/// zlib takes what it reads by a pointer to non-const, and writes nothing there.
Bytef* bytes_of(std::string_view text) {
  return reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));  // NOLINT
}

std::uint32_t crc_of(std::string_view text) {
  return static_cast<std::uint32_t>(::crc32(0, bytes_of(text), static_cast<uInt>(text.size())));
}

void append_little_endian(std::string& out, std::uint32_t number) {
  for (int shift = 0; shift < 32; shift += 8) out += static_cast<char>(number >> shift & 0xff);
}

}  // namespace

GzipPiece gzip_piece(std::string_view text) {
  z_stream stream{};
  DOORBUSTER_ASSERT(::deflateInit2(&stream, kLevel, Z_DEFLATED, kRawDeflate, 8, Z_DEFAULT_STRATEGY) == Z_OK);
  // deflateBound() counts an end, not a flush, which takes a few bytes more.
  auto out = std::make_shared<std::string>(::deflateBound(&stream, text.size()) + 16, '\0');
  stream.next_in = bytes_of(text);
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = bytes_of(*out);
  stream.avail_out = static_cast<uInt>(out->size());
  DOORBUSTER_ASSERT(::deflate(&stream, Z_FULL_FLUSH) == Z_OK && stream.avail_in == 0 && stream.avail_out > 0);
  out->resize(stream.total_out);
  out->shrink_to_fit();
  ::deflateEnd(&stream);
  return {std::move(out), crc_of(text), text.size()};
}

GzipRope::GzipRope() {
  static const auto head =
      std::make_shared<const std::string>("\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff", 10);
  rope_.add(head);
}

void GzipRope::add(const GzipPiece& piece) {
  rope_.add(piece.bytes);
  crc_ = static_cast<std::uint32_t>(::crc32_combine(crc_, piece.crc, static_cast<z_off_t>(piece.plain_size)));
  size_ += piece.plain_size;
}

Rope GzipRope::finish() {
  std::string tail("\x03\x00", 2);  // an empty block, the last
  append_little_endian(tail, crc_);
  append_little_endian(tail, static_cast<std::uint32_t>(size_));
  rope_.add(std::make_shared<const std::string>(std::move(tail)));
  return std::move(rope_);
}

Result<std::string> gunzip(std::string_view bytes, std::size_t most_bytes) {
  z_stream stream{};
  DOORBUSTER_ASSERT(::inflateInit2(&stream, kGzip) == Z_OK);
  stream.next_in = bytes_of(bytes);
  stream.avail_in = static_cast<uInt>(bytes.size());
  std::string out;
  std::array<char, 16 * 1024> buffer;
  int state = Z_OK;
  while (state == Z_OK && out.size() <= most_bytes) {
    stream.next_out = reinterpret_cast<Bytef*>(buffer.data());
    stream.avail_out = buffer.size();
    state = ::inflate(&stream, Z_NO_FLUSH);
    out.append(buffer.data(), buffer.size() - stream.avail_out);
  }
  const bool whole = state == Z_STREAM_END && stream.avail_in == 0;
  ::inflateEnd(&stream);
  if (out.size() > most_bytes) {
    return make_error(ErrorCode::too_large,
                      fmt::format("the unpacked body has more than {} bytes", most_bytes));
  }
  if (!whole) return make_error(ErrorCode::malformed, "the body is no whole gzip");
  return out;
}

}  // namespace doorbuster::registry
