#pragma once
// The CRC of one row of the log, continued from the row before.

#include <string>

#include "proto/event/event_codec.hpp"

namespace doorbuster::sqlite {

/// \param scratch reused from row to row, so that no row allocates
inline std::uint32_t next_crc(std::uint32_t before, const Event& event, std::string& scratch) {
  scratch.clear();
  event::append_canonical(event, scratch);
  return event::chained_crc(before, scratch);
}

}  // namespace doorbuster::sqlite
