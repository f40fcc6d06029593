// sim [--seeds N] [--first S] [--expect-broken]
//
// Runs the simulated world once for each seed. Prints the first seed that breaks a promise and how to run it
// again. With --expect-broken the run succeeds only if some seed breaks one: for programs with a planted
// defect.

#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>

#include "base/log.hpp"
#include "tests/sim/run_seed.hpp"

namespace {

std::uint64_t number(const char* text) {
  std::uint64_t value = 0;
  const auto* end = text + std::strlen(text);
  if (std::from_chars(text, end, value).ptr != end) {
    std::fprintf(stderr, "sim: '%s' is not a number\n", text);
    std::exit(1);
  }
  return value;
}

}  // namespace

int main(int argc, char** argv) {
  std::uint64_t seeds = 1000;
  std::uint64_t first = 1;
  bool expect_broken = false;
  for (int i = 1; i < argc; ++i) {
    const std::string_view flag = argv[i];
    if (flag == "--expect-broken") {
      expect_broken = true;
    } else if (flag == "--seeds" && i + 1 < argc) {
      seeds = number(argv[++i]);
    } else if (flag == "--first" && i + 1 < argc) {
      first = number(argv[++i]);
    } else {
      std::fprintf(stderr, "usage: sim [--seeds N] [--first S] [--expect-broken]\n");
      return 1;
    }
  }
  (void)doorbuster::set_log_level("off");  // failures of the disk are the point here, not news
  for (std::uint64_t seed = first; seed < first + seeds; ++seed) {
    if (const auto broken = doorbuster::sim::run_seed(seed)) {
      std::printf("seed %llu: %s\n  again: %s --first %llu --seeds 1\n",
                  static_cast<unsigned long long>(seed), broken->c_str(), argv[0],
                  static_cast<unsigned long long>(seed));
      return expect_broken ? 0 : 3;
    }
  }
  std::printf("%llu seeds, every promise kept\n", static_cast<unsigned long long>(seeds));
  return expect_broken ? 3 : 0;
}
