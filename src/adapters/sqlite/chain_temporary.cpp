#include <fmt/format.h>
#include <zlib.h>

#include "adapters/sqlite/chain.hpp"

namespace doorbuster::sqlite {
std::uint32_t next_crc(std::uint32_t before, const CouponIssued& e, std::string& s) {
  s.clear();
  auto put = [&](const auto& v) { s.append(reinterpret_cast<const char*>(&v), sizeof v); };
  s += e.campaign.text();
  put(e.epoch);
  put(e.revision);
  put(e.coupon.sequence);
  s += e.coupon.user.text();
  put(e.coupon.code.bytes());
  put(e.coupon.decided_at);
  put(e.refilled);
  s += e.instance.view();
  return static_cast<std::uint32_t>(crc32(before, reinterpret_cast<const Bytef*>(s.data()), static_cast<unsigned>(s.size())));
}
std::uint32_t next_crc(std::uint32_t before, const CampaignChanged& e, std::string& s) {
  s = fmt::format("{} {} {} {}", e.definition.id.text(), e.definition.name, e.definition.limit, e.definition.revision);
  return static_cast<std::uint32_t>(crc32(before, reinterpret_cast<const Bytef*>(s.data()), static_cast<unsigned>(s.size())));
}
std::uint32_t next_crc(std::uint32_t before, const Event& event, std::string& s) {
  return std::visit([&](const auto& e) { return next_crc(before, e, s); }, event);
}
}  // namespace doorbuster::sqlite
