#pragma once
// Randomness is injected, so that the simulator can repeat a run.

#include <array>
#include <cstdint>
#include <span>

namespace doorbuster {

class RandomSource {
 public:
  virtual ~RandomSource() = default;
  virtual void fill(std::span<std::uint8_t> out) = 0;
};

/// The kernel's cryptographic source, read 4 KiB at a time (a system call for each code would cost 0.3 us).
/// One thread.
class SystemRandom final : public RandomSource {
 public:
  void fill(std::span<std::uint8_t> out) override;

 private:
  std::array<std::uint8_t, 4096> pool_{};
  std::size_t used_ = sizeof pool_;
};

/// Repeatable, for tests and the simulator: never for codes that anybody is to hold. One thread.
class SeededRandom final : public RandomSource {
 public:
  explicit SeededRandom(std::uint64_t seed) : state_(seed) {}
  void fill(std::span<std::uint8_t> out) override;
  /// Uniform in [0, bound). \pre bound > 0
  std::uint64_t below(std::uint64_t bound);

 private:
  std::uint64_t next();
  std::uint64_t state_;
};

}  // namespace doorbuster
