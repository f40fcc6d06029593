#pragma once
// What a ledger says to one request.

#include "core/issuing/coupon.hpp"

namespace doorbuster {

enum class Outcome : std::uint8_t {
  issued,          ///< decided now; pending until its event is safe
  already_issued,  ///< this user holds a coupon; `pending` says whether it is safe
  sold_out,        ///< all are given out; `pending` says that some of them are not safe yet
  not_started,
  paused,
  ended,
  unknown_campaign,
  held,      ///< the definition is being changed at this moment: ask again in milliseconds
  closed,    ///< the ledger may not decide until it has been read back
  unloaded,  ///< ended, and this user may hold a coupon that is not in memory: Ledger::find() tells
};

std::string_view to_text(Outcome outcome);

struct IssueRequest {
  CampaignId campaign;
  UserId user;
};

struct Decision {
  Outcome outcome = Outcome::closed;
  bool pending = false;
  bool refilled = false;
  std::uint32_t epoch = 0;
  std::uint32_t revision = 0;
  Durability durability = Durability::log;
  std::uint64_t outbox = 0;  ///< of `issued`: where a shared ledger keeps the event until it is safe
  Coupon coupon;             ///< for `issued` and `already_issued`
};

}  // namespace doorbuster
