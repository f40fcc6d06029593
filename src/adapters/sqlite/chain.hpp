#pragma once
// The CRC of one row of the log, continued from the row before.

#include <string>

#include "proto/event/event_codec.hpp"

namespace doorbuster::sqlite {

/// \param scratch reused from row to row, so that no row allocates
/// \tparam Kind Event or CouponIssued
template <class Kind>
std::uint32_t next_crc(std::uint32_t before, const Kind& event, std::string& scratch) {
  scratch.clear();
  event::append_canonical(event, scratch);
  return event::chained_crc(before, scratch);
}

}  // namespace doorbuster::sqlite
