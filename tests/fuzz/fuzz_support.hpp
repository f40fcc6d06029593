#pragma once
// What the fuzzing programs share.

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string_view>

namespace doorbuster::fuzz {

/// A finding: the program ends, and libFuzzer keeps the input.
inline void check(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "does not hold: %s\n", what);
  std::abort();
}

/// Lengths of pieces, 1 to 16 bytes, drawn from the input itself: the same input is always cut the same way.
class Cuts {
 public:
  explicit Cuts(std::string_view input) {
    for (const char c : input) state_ = (state_ ^ static_cast<unsigned char>(c)) * 0x100000001b3;  // FNV-1a
  }
  std::size_t next() {
    state_ = state_ * 6364136223846793005 + 1442695040888963407;
    return 1 + (state_ >> 60);
  }

 private:
  std::uint64_t state_ = 0xcbf29ce484222325;
};

inline std::string_view view(const std::uint8_t* data, std::size_t size) {
  return {reinterpret_cast<const char*>(data), size};
}

}  // namespace doorbuster::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);
