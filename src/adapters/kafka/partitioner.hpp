#pragma once
// Which partition an event goes to: murmur2 of its key, as Kafka's own Java clients do it, so that other
// tools find the same.

#include <cstdint>
#include <string>
#include <string_view>

#include "core/issuing/coupon.hpp"

namespace doorbuster::kafka {

/// The 32-bit murmur2 of `org.apache.kafka.common.utils.Utils`.
std::uint32_t murmur2(std::string_view bytes);

/// `campaign/user`: all events of one user in one campaign have one partition, and so one order.
std::string key_of(const CouponIssued& event);

/// \param partitions above zero
int partition_of(std::string_view key, int partitions);

}  // namespace doorbuster::kafka
