#pragma once
// The CRC of one row of the log, continued from the row before.

#include <string>

#include "core/issuing/coupon.hpp"

namespace doorbuster::sqlite {

/// \param scratch reused from row to row, so that no row allocates
std::uint32_t next_crc(std::uint32_t before, const CouponIssued& event, std::string& scratch);
std::uint32_t next_crc(std::uint32_t before, const CampaignChanged& event, std::string& scratch);
std::uint32_t next_crc(std::uint32_t before, const Event& event, std::string& scratch);

}  // namespace doorbuster::sqlite
