#include "core/issuing/campaign.hpp"

#include <array>
#include <utility>

namespace doorbuster {
namespace {

constexpr std::array<std::pair<CampaignStatus, std::string_view>, 3> kStatuses{{
    {CampaignStatus::open, "open"},
    {CampaignStatus::paused, "paused"},
    {CampaignStatus::ended, "ended"},
}};
constexpr std::array<std::pair<CampaignState, std::string_view>, 5> kStates{{
    {CampaignState::scheduled, "scheduled"},
    {CampaignState::open, "open"},
    {CampaignState::sold_out, "sold_out"},
    {CampaignState::paused, "paused"},
    {CampaignState::ended, "ended"},
}};
constexpr std::array<std::pair<Strategy, std::string_view>, 6> kStrategies{{
    {Strategy::atomic, "atomic"},
    {Strategy::set_incr, "set-incr"},
    {Strategy::async_queue, "async-queue"},
    {Strategy::lock, "lock"},
    {Strategy::fair_lock, "fair-lock"},
    {Strategy::db_lock, "db-lock"},
}};
constexpr std::array<std::pair<Durability, std::string_view>, 2> kDurabilities{{
    {Durability::log, "log"},
    {Durability::ledger, "ledger"},
}};

template <class Table, class Value>
std::string_view text_in(const Table& table, Value value) {
  for (const auto& [known, text] : table) {
    if (known == value) return text;
  }
  return "unknown";
}

template <class Value, class Table>
std::optional<Value> value_in(const Table& table, std::string_view wanted) {
  for (const auto& [value, text] : table) {
    if (text == wanted) return value;
  }
  return std::nullopt;
}

/// The well-formed byte sequences of the Unicode Standard, table 3-7.
bool is_utf8(std::string_view text) {
  const auto byte = [&text](std::size_t i) {
    return i < text.size() ? static_cast<unsigned char>(text[i]) : static_cast<unsigned char>(0);
  };
  std::size_t i = 0;
  while (i < text.size()) {
    const unsigned char first = byte(i);
    if (first < 0x80) {
      ++i;
      continue;
    }
    const std::size_t length = first >= 0xc2 && first <= 0xdf   ? 2
                               : first >= 0xe0 && first <= 0xef ? 3
                               : first >= 0xf0 && first <= 0xf4 ? 4
                                                                : 0;
    if (length == 0 || i + length > text.size()) return false;
    const unsigned char lowest = first == 0xe0 ? 0xa0 : first == 0xf0 ? 0x90 : 0x80;
    const unsigned char highest = first == 0xed ? 0x9f : first == 0xf4 ? 0x8f : 0xbf;
    if (byte(i + 1) < lowest || byte(i + 1) > highest) return false;
    for (std::size_t k = 2; k < length; ++k) {
      if (byte(i + k) < 0x80 || byte(i + k) > 0xbf) return false;
    }
    i += length;
  }
  return true;
}

Error invalid(std::string field, std::string detail) {
  return make_error(ErrorCode::invalid, std::move(detail), std::move(field));
}
Error conflict(std::string field, std::string detail) {
  return make_error(ErrorCode::conflict, std::move(detail), std::move(field));
}

}  // namespace

std::string_view to_text(CampaignStatus status) {
  return text_in(kStatuses, status);
}
std::string_view to_text(CampaignState state) {
  return text_in(kStates, state);
}
std::string_view to_text(Strategy strategy) {
  return text_in(kStrategies, strategy);
}
std::string_view to_text(Durability durability) {
  return text_in(kDurabilities, durability);
}

std::optional<CampaignStatus> parse_campaign_status(std::string_view text) {
  return value_in<CampaignStatus>(kStatuses, text);
}
std::optional<Strategy> parse_strategy(std::string_view text) {
  return value_in<Strategy>(kStrategies, text);
}
std::optional<Durability> parse_durability(std::string_view text) {
  return value_in<Durability>(kDurabilities, text);
}

Result<void> validate(const CampaignDefinition& definition) {
  if (definition.id.empty())
    return invalid("id", "a campaign needs an id of 1 to 64 characters of a-z, 0-9 and '-'");
  if (definition.name.empty() || definition.name.size() > kLongestCampaignName) {
    return invalid("name", "the name of a campaign has 1 to " + std::to_string(kLongestCampaignName) +
                               " bytes of UTF-8, not " + std::to_string(definition.name.size()));
  }
  if (!is_utf8(definition.name)) return invalid("name", "the name of a campaign must be valid UTF-8");
  if (definition.limit < 1 || definition.limit > kLargestLimit) {
    return invalid("limit", "the limit of a campaign is 1 to " + std::to_string(kLargestLimit) + ", not " +
                                std::to_string(definition.limit));
  }
  if (definition.starts_at && definition.ends_at && *definition.ends_at <= *definition.starts_at) {
    return invalid("ends_at", "a campaign ends after it starts: " + to_text(*definition.ends_at) +
                                  " is not after " + to_text(*definition.starts_at));
  }
  return {};
}

Result<CampaignDefinition> patched(const CampaignDefinition& definition, const CampaignPatch& patch,
                                   std::uint64_t issued) {
  CampaignDefinition next = definition;
  if (patch.name) next.name = *patch.name;
  if (patch.limit) next.limit = *patch.limit;
  if (patch.starts_at) next.starts_at = *patch.starts_at;
  if (patch.ends_at) next.ends_at = *patch.ends_at;
  if (patch.status) next.status = *patch.status;

  if (definition.status == CampaignStatus::ended) {
    // The same value again is no change: a client may repeat a PATCH whose answer it did not see.
    const auto final_field = next.status != definition.status         ? "state"
                             : next.limit != definition.limit         ? "limit"
                             : next.starts_at != definition.starts_at ? "starts_at"
                             : next.ends_at != definition.ends_at     ? "ends_at"
                                                                      : nullptr;
    if (final_field != nullptr) {
      return conflict(final_field, "campaign " + std::string(definition.id.text()) +
                                       " has ended for good: only its name may change");
    }
  }
  if (auto valid = validate(next); !valid) return valid.error();
  if (next.limit < issued) {
    return conflict("limit", "the limit cannot be " + std::to_string(next.limit) + ": " +
                                 std::to_string(issued) + " coupons are issued already");
  }
  ++next.revision;
  return next;
}

Error being_changed(const CampaignId& id) {
  return make_error(ErrorCode::conflict,
                    "campaign " + std::string(id.text()) + " is being changed: ask again in a moment");
}

CampaignState state_at(const CampaignDefinition& definition, Timestamp now, std::uint64_t issued) {
  if (definition.status == CampaignStatus::ended) return CampaignState::ended;
  if (definition.ends_at && now >= *definition.ends_at) return CampaignState::ended;
  if (definition.status == CampaignStatus::paused) return CampaignState::paused;
  if (definition.starts_at && now < *definition.starts_at) return CampaignState::scheduled;
  return issued >= definition.limit ? CampaignState::sold_out : CampaignState::open;
}

}  // namespace doorbuster
