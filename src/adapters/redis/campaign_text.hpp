#pragma once
// How a campaign stands in Redis: names of keys, fields of its definition, the text of a holder
// (docs/redis.md).

#include <map>
#include <optional>
#include <string>

#include "adapters/redis/command.hpp"
#include "adapters/redis/reply.hpp"
#include "core/issuing/decision.hpp"

namespace doorbuster::redis {

/// All keys of a campaign share a hash tag, so that a cluster keeps them together.
class CampaignKeys {
 public:
  explicit CampaignKeys(const CampaignId& campaign)
      : prefix_("doorbuster:{c:" + std::string(campaign.text()) + "}:"),
        definition(prefix_ + "definition"),
        holders(prefix_ + "holders"),
        outbox(prefix_ + "outbox"),
        claims(prefix_ + "claims"),
        missing(prefix_ + "missing"),
        aside(prefix_ + "aside"),
        members(prefix_ + "members"),
        prepared(prefix_ + "prepared:") {}

 private:
  std::string prefix_;

 public:
  std::string definition;  ///< hash: definition, guard and counters
  std::string holders;     ///< hash: user -> text of a holder
  std::string outbox;      ///< stream: one entry for a batch, which names its users
  std::string claims;      ///< hash: id of an entry -> when the relay took it
  std::string missing;     ///< list of ranges: numbers that are given out first
  std::string aside;       ///< hash: holders set aside by a recovery
  std::string members;     ///< set: users who asked (strategies of the seed only)
  std::string prepared;    ///< with a token behind: its process is about to open the campaign
};

/// Of all campaigns; beside them, in no campaign's hash tag.
inline constexpr std::string_view kCampaigns = "doorbuster:campaigns";

/// What an open campaign's `guard` says: the epoch and the run of the server.
std::string guard_of(std::uint32_t epoch, std::string_view run_id);
std::string closed_guard_of(std::uint32_t epoch);

void add_fields(Command& command, const CampaignDefinition& definition);

struct StoredCampaign {
  CampaignView view;
  std::string guard;
  Timestamp now{};
};
/// From the fields and values in reply[first...]; `now` is the ledger's. \returns corrupt; unsupported (a
/// newer format)
Result<StoredCampaign> read_campaign(const CampaignId& id, ReplyView reply, std::size_t first, Timestamp now);

/// `offset code base decided_at epoch revision refilled outbox`, without the last one; the number is offset +
/// base (scripts/decide.lua says why).
std::string holder_text(const CouponIssued& event);
/// A holder as find() and decide() give it: `!` in front when pending. The decision is `already_issued`.
Result<Decision> read_holder(const UserId& user, std::string_view text);

/// `milliseconds-number` <-> milliseconds << 20 | number.
std::uint64_t packed_entry(std::string_view id);
std::string entry_id(std::uint64_t packed);

}  // namespace doorbuster::redis
