#pragma once
// The bytes of an issue request, built once; only the digits of the user change between two of them.

#include <cstdint>
#include <string>
#include <string_view>

#include "loadlab/options.hpp"

namespace doorbuster::loadlab {

/// One thread. A target without a path is asked at `/v1/campaigns/{campaign}/coupons`; one whose path ends
/// with `/coupon/issue` gets the body of that older path, `{"userId":N}`.
class RequestBytes {
 public:
  RequestBytes(const Options& options, const Target& target);

  /// Valid until the next call.
  std::string_view for_outcome(std::string_view path);
  /// Valid until the next call of itself.
  std::string_view for_user(std::uint64_t user);

 private:
  void build(std::size_t digits);

  std::string outcome_tail_;  ///< of `GET path HTTP/1.1`
  std::string outcome_bytes_;
  std::string head_;  ///< up to the value of Content-Length
  std::string body_start_;
  std::string bytes_;
  std::size_t digits_ = 0;
  std::size_t digits_at_ = 0;
};

}  // namespace doorbuster::loadlab
