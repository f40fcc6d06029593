#pragma once
// Ranges of IP addresses, as configuration names them: `127.0.0.1, 10.0.0.0/8, fd00::/8`.

#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

#include "base/error.hpp"

namespace doorbuster::gateway {

class AddressRanges {
 public:
  /// A list separated by commas; empty text: no range. \returns invalid
  static Result<AddressRanges> parse(std::string_view list);
  bool contains(std::string_view address) const;
  bool empty() const { return ranges_.empty(); }

 private:
  struct Range {
    std::array<std::uint8_t, 16> bytes{};  // IPv4 as IPv4-mapped
    unsigned bits = 128;
  };
  std::vector<Range> ranges_;
};

}  // namespace doorbuster::gateway
