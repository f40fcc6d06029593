#pragma once
// Between rows and the values of the domain, shared by the parts of this folder.

#include <string>

#include "adapters/mariadb/connection.hpp"
#include "core/issuing/coupon.hpp"
#include "ports/coupon_repository.hpp"

namespace doorbuster::mariadb {

inline std::int64_t micros(Timestamp time) {
  return time.time_since_epoch().count();
}
inline Timestamp time_of(std::int64_t micros) {
  return Timestamp(Duration(micros));
}
/// The ten bytes; a view into `code`.
inline std::string_view bytes_of(const CouponCode& code) {
  return {reinterpret_cast<const char*>(code.bytes().data()), CouponCode::kBytes};
}
/// \returns corrupt
Result<CouponCode> code_of(std::string_view bytes);
Result<CampaignId> campaign_of(std::string_view text);

/// Columns of a definition, in the order of read_definition() and definition_values().
inline constexpr std::string_view kDefinitionColumns =
    "name, coupon_limit, starts_at, ends_at, status, strategy, durability, revision, epoch, created_at";
inline constexpr std::size_t kDefinitionWidth = 10;
/// The definition that stands in columns `first` and up. \returns corrupt
Result<CampaignDefinition> read_definition(const CampaignId& id, const Row& row, unsigned first);
/// Every campaign, by id.
Result<std::vector<CampaignDefinition>> list_definitions(Connection& connection);
/// Appends the values; views into `definition`, which outlives them.
void add_definition(const CampaignDefinition& definition, std::vector<Value>& values);

/// Columns of a coupon, in the order of read_event().
inline constexpr std::string_view kCouponColumns =
    "campaign_id, user_id, sequence, code, epoch, revision, refilled, decided_at";
inline constexpr std::size_t kCouponWidth = 8;
/// The coupon in columns 0 to 7. \returns corrupt
Result<CouponIssued> read_event(const Row& row);
void add_coupon(const CouponIssued& event, std::vector<Value>& values);

/// What workers have stored of each partition; 0 where nothing is.
Result<std::vector<LogPosition>> read_positions(Connection& connection, const std::string& topic,
                                                std::size_t partitions);

/// How far the numbers of a campaign are stored without gap, from `from`, about which that is known. Looks at
/// most as far as is needed to know that all up to `wanted` are.
Result<std::uint64_t> contiguous_through(Connection& connection, const CampaignId& campaign,
                                         std::uint64_t from, std::uint64_t wanted);

}  // namespace doorbuster::mariadb
