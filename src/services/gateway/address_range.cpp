#include "services/gateway/address_range.hpp"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>
#include <optional>
#include <string>

#include "proto/http/characters.hpp"

namespace doorbuster::gateway {
namespace {

struct Address {
  std::array<std::uint8_t, 16> bytes{};
  bool is_four = false;
};

std::optional<Address> parse_address(std::string_view text) {
  const std::string copy(text);
  Address address;
  if (::inet_pton(AF_INET6, copy.c_str(), address.bytes.data()) == 1) return address;
  address.bytes.fill(0);
  address.bytes[10] = address.bytes[11] = 0xff;
  address.is_four = true;
  if (::inet_pton(AF_INET, copy.c_str(), address.bytes.data() + 12) == 1) return address;
  return std::nullopt;
}

}  // namespace

Result<AddressRanges> AddressRanges::parse(std::string_view list) {
  AddressRanges made;
  Result<void> result;
  http::for_each_in_list(list, [&](std::string_view one) {
    const auto slash = one.find('/');
    const auto address = parse_address(one.substr(0, slash));
    const unsigned most = address && address->is_four ? 32 : 128;
    unsigned bits = most;
    bool good = address.has_value();
    if (good && slash != std::string_view::npos) {
      const auto* end = one.data() + one.size();
      const auto [stop, error] = std::from_chars(one.data() + slash + 1, end, bits);
      good = error == std::errc{} && stop == end && bits <= most;
    }
    if (!good) {
      result = make_error(ErrorCode::invalid,
                          "'" + std::string(one) + "' is no range of addresses such as 10.0.0.0/8");
      return;
    }
    made.ranges_.push_back({address->bytes, address->is_four ? bits + 96 : bits});
  });
  if (!result) return result.error();
  return made;
}

bool AddressRanges::contains(std::string_view text) const {
  if (ranges_.empty()) return false;
  const auto address = parse_address(text);
  if (!address) return false;
  return std::any_of(ranges_.begin(), ranges_.end(), [&](const Range& range) {
    const auto whole = range.bits / 8;
    if (!std::equal(range.bytes.begin(), range.bytes.begin() + whole, address->bytes.begin())) return false;
    const auto rest = range.bits % 8;
    if (rest == 0) return true;
    const auto mask = static_cast<std::uint8_t>(0xff << (8 - rest));
    return ((range.bytes[whole] ^ address->bytes[whole]) & mask) == 0;
  });
}

}  // namespace doorbuster::gateway
