#pragma once
// What a campaign is: its definition, which an administrator changes, and its state, which follows from it.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.hpp"
#include "base/error.hpp"
#include "base/ids.hpp"

namespace doorbuster {

/// What an administrator has set.
enum class CampaignStatus : std::uint8_t { open, paused, ended };
/// What a user meets at a moment.
enum class CampaignState : std::uint8_t { scheduled, open, sold_out, paused, ended };
/// How decisions are made (contract.md section 4). The embedded ledger offers `atomic` alone.
enum class Strategy : std::uint8_t { atomic, set_incr, async_queue, lock, fair_lock, db_lock };
/// What must hold before a user is told that a coupon is issued (consistency.md).
enum class Durability : std::uint8_t { log, ledger };

std::string_view to_text(CampaignStatus status);
std::string_view to_text(CampaignState state);
std::string_view to_text(Strategy strategy);
std::string_view to_text(Durability durability);
std::optional<CampaignStatus> parse_campaign_status(std::string_view text);
std::optional<Strategy> parse_strategy(std::string_view text);
std::optional<Durability> parse_durability(std::string_view text);

/// Numbers of coupons are 32 bits wide in the ledger; the largest limit leaves room to count past it.
inline constexpr std::uint64_t kLargestLimit = 1'000'000'000;
inline constexpr std::size_t kLongestCampaignName = 200;  // bytes of UTF-8

struct CampaignDefinition {
  CampaignId id;
  std::string name;
  std::uint64_t limit = 0;
  std::optional<Timestamp> starts_at;  ///< first moment at which coupons are issued
  std::optional<Timestamp> ends_at;    ///< first moment at which none is issued any more
  CampaignStatus status = CampaignStatus::open;
  Strategy strategy = Strategy::atomic;
  Durability durability = Durability::log;
  std::uint32_t revision = 1;  ///< counts changes of the definition
  std::uint32_t epoch = 1;     ///< counts generations of the ledger
  Timestamp created_at{};
  friend bool operator==(const CampaignDefinition&, const CampaignDefinition&) = default;
};

/// A change to a definition; what is absent stays. An inner nullopt takes the bound away.
struct CampaignPatch {
  std::optional<std::string> name{};
  std::optional<std::uint64_t> limit{};
  std::optional<std::optional<Timestamp>> starts_at{};
  std::optional<std::optional<Timestamp>> ends_at{};
  std::optional<CampaignStatus> status{};
};

/// Numbers `first` to `last`, both in it.
struct NumberRange {
  std::uint64_t first = 0;
  std::uint64_t last = 0;
  friend bool operator==(const NumberRange&, const NumberRange&) = default;
};

/// A definition together with what the ledger has counted.
struct CampaignView {
  CampaignDefinition definition;
  std::uint64_t issued = 0;   ///< decided, pending ones included
  std::uint64_t durable = 0;  ///< decided and safe
  CampaignState state = CampaignState::open;
  bool held = false;                   ///< its definition is being changed
  std::vector<NumberRange> missing{};  ///< after a loss, ascending: given out again before any new number
};

/// \returns invalid, naming the field
Result<void> validate(const CampaignDefinition& definition);

/// The definition after `patch`, with the next revision. `issued` counts pending coupons, too.
/// \returns invalid, or conflict (limit below `issued`; anything but `name` after the end)
Result<CampaignDefinition> patched(const CampaignDefinition& definition, const CampaignPatch& patch,
                                   std::uint64_t issued);

/// The refusal of a second change while one is going on.
Error being_changed(const CampaignId& id);

CampaignState state_at(const CampaignDefinition& definition, Timestamp now, std::uint64_t issued);

}  // namespace doorbuster
