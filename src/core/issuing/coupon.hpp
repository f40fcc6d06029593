#pragma once
// The values that travel from the decision to the database.

#include <cstdint>
#include <string>
#include <variant>

#include "base/clock.hpp"
#include "base/ids.hpp"
#include "base/inline_string.hpp"
#include "core/issuing/campaign.hpp"

namespace doorbuster {

struct Coupon {
  UserId user;
  std::uint64_t sequence = 0;  ///< from 1
  CouponCode code;
  Timestamp decided_at{};
  friend bool operator==(const Coupon&, const Coupon&) = default;
};

/// Which process decided; shown in the log, for people who look for a cause.
using InstanceName = InlineString<31>;

/// The event of a decision. Idempotent by (campaign, user): the same event may stand in a log twice.
struct CouponIssued {
  CampaignId campaign;
  std::uint32_t epoch = 1;
  std::uint32_t revision = 1;
  bool refilled = false;  ///< a number that was missing after a loss, given out again
  Coupon coupon;
  InstanceName instance;
  friend bool operator==(const CouponIssued&, const CouponIssued&) = default;
};

/// The event of a definition that was created or changed, so that an audit knows the limit at each point.
struct CampaignChanged {
  CampaignDefinition definition;
  friend bool operator==(const CampaignChanged&, const CampaignChanged&) = default;
};

/// What stands in a log and cannot be read: passed on, so that the worker puts it aside with its reason
/// instead of stopping or skipping it.
struct Unreadable {
  std::string reason;
  std::string payload;  ///< the bytes as they are
  friend bool operator==(const Unreadable&, const Unreadable&) = default;
};

using Event = std::variant<CouponIssued, CampaignChanged, Unreadable>;

/// A place in one partition of an event log: 1 for the first record, 0 for "before everything". The embedded
/// log has one partition.
using LogPosition = std::uint64_t;

struct LogRecord {
  LogPosition position = 0;
  Event event;
};

}  // namespace doorbuster
