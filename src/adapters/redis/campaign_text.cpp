#include "adapters/redis/campaign_text.hpp"

#include <algorithm>
#include <array>
#include <charconv>

namespace doorbuster::redis {
namespace {

template <class Number>
bool read_number(std::string_view text, Number& out) {
  const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), out);
  return !text.empty() && failed == std::errc() && end == text.data() + text.size();
}

std::string text_of(const std::optional<Timestamp>& time) {
  return time ? std::to_string(time->time_since_epoch().count()) : std::string();
}

Error corrupt(const std::string& what) {
  return make_error(ErrorCode::corrupt, "Redis: " + what);
}

/// Fields and values of a hash as HGETALL gives them.
class Fields {
 public:
  Fields(ReplyView reply, std::size_t first) : reply_(reply), first_(first) {}
  std::string_view text(std::string_view name) const {
    for (std::size_t i = first_; i + 1 < reply_.size(); i += 2) {
      if (reply_[i].text() == name) return reply_[i + 1].text();
    }
    return {};
  }
  template <class Number>
  Number number(std::string_view name) {
    Number value{};
    if (!read_number(text(name), value) && wrong.empty()) wrong = name;
    return value;
  }
  std::optional<Timestamp> time(std::string_view name) {
    if (text(name).empty()) return std::nullopt;
    return Timestamp{Duration{number<std::int64_t>(name)}};
  }

  std::string wrong;  ///< the first field that could not be read

 private:
  ReplyView reply_;
  std::size_t first_;
};

}  // namespace

std::string guard_of(std::uint32_t epoch, std::string_view run_id) {
  return std::to_string(epoch) + " " + std::string(run_id);
}
std::string closed_guard_of(std::uint32_t epoch) {
  return "closed " + std::to_string(epoch);
}

void add_fields(Command& command, const CampaignDefinition& definition) {
  command.add("name").add(definition.name);
  command.add("limit").add(static_cast<std::int64_t>(definition.limit));
  command.add("starts_at").add(text_of(definition.starts_at));
  command.add("ends_at").add(text_of(definition.ends_at));
  command.add("status").add(to_text(definition.status));
  command.add("strategy").add(to_text(definition.strategy));
  command.add("durability").add(to_text(definition.durability));
  command.add("revision").add(static_cast<std::int64_t>(definition.revision));
  command.add("epoch").add(static_cast<std::int64_t>(definition.epoch));
  command.add("created_at").add(definition.created_at.time_since_epoch().count());
}

namespace {

/// `3-4 6-6`.
std::optional<std::vector<NumberRange>> read_ranges(std::string_view text) {
  std::vector<NumberRange> ranges;
  while (!text.empty()) {
    NumberRange range;
    const auto* const end = text.data() + text.size();
    const auto [dash, wrong_first] = std::from_chars(text.data(), end, range.first);
    if (wrong_first != std::errc{} || dash == end || *dash != '-') return std::nullopt;
    const auto [stop, wrong_last] = std::from_chars(dash + 1, end, range.last);
    if (wrong_last != std::errc{} || (stop != end && *stop != ' ')) return std::nullopt;
    ranges.push_back(range);
    text.remove_prefix(static_cast<std::size_t>(stop - text.data()) + (stop == end ? 0 : 1));
  }
  return ranges;
}

}  // namespace

Result<StoredCampaign> read_campaign(const CampaignId& id, ReplyView reply, std::size_t first,
                                     Timestamp now) {
  Fields fields(reply, first);
  if (const auto format = fields.number<int>("format"); format > 1) {
    return make_error(ErrorCode::unsupported, "campaign " + std::string(id.text()) +
                                                  " stands in Redis in format " + std::to_string(format) +
                                                  ", which a newer Doorbuster wrote");
  }
  StoredCampaign stored;
  stored.now = now;
  stored.guard = fields.text("guard");
  auto& definition = stored.view.definition;
  definition.id = id;
  definition.name = fields.text("name");
  definition.limit = fields.number<std::uint64_t>("limit");
  definition.starts_at = fields.time("starts_at");
  definition.ends_at = fields.time("ends_at");
  definition.revision = fields.number<std::uint32_t>("revision");
  definition.epoch = fields.number<std::uint32_t>("epoch");
  definition.created_at = fields.time("created_at").value_or(Timestamp{});
  const auto status = parse_campaign_status(fields.text("status"));
  const auto strategy = parse_strategy(fields.text("strategy"));
  const auto durability = parse_durability(fields.text("durability"));
  if (!status || !strategy || !durability) fields.wrong = "status, strategy or durability";
  definition.status = status.value_or(CampaignStatus::open);
  definition.strategy = strategy.value_or(Strategy::atomic);
  definition.durability = durability.value_or(Durability::log);
  stored.view.issued = fields.number<std::uint64_t>("issued");
  stored.view.durable = stored.view.issued - fields.number<std::uint64_t>("pending");
  stored.view.held = !fields.text("hold").empty();
  stored.view.state = state_at(definition, now, stored.view.issued);
  if (auto ranges = read_ranges(fields.text("missing_ranges"))) {
    stored.view.missing = std::move(*ranges);
  } else {
    fields.wrong = "missing numbers";
  }
  if (!fields.wrong.empty()) {
    return corrupt("campaign " + std::string(id.text()) + " has no readable " + fields.wrong);
  }
  return stored;
}

std::string holder_text(const CouponIssued& event) {
  std::string text;
  text.reserve(80);
  std::array<char, 16> code;
  event.coupon.code.write(code.data());
  text += "0 ";
  text.append(code.data(), code.size());
  text += ' ';
  append_number(text, static_cast<std::int64_t>(event.coupon.sequence));
  text += ' ';
  append_number(text, event.coupon.decided_at.time_since_epoch().count());
  text += ' ';
  append_number(text, event.epoch);
  text += ' ';
  append_number(text, event.revision);
  text += event.refilled ? " 1 " : " 0 ";
  return text;
}

Result<Decision> read_holder(const UserId& user, std::string_view text) {
  const auto whole = text;
  Decision decision;
  decision.outcome = Outcome::already_issued;
  if (!text.empty() && text.front() == '!') {
    decision.pending = true;
    text.remove_prefix(1);
  }
  std::array<std::string_view, 8> parts;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const auto end = i + 1 == parts.size() ? text.size() : std::min(text.find(' '), text.size());
    parts[i] = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  std::int64_t offset = 0;
  std::int64_t base = 0;
  std::int64_t decided_at = 0;
  const auto code = CouponCode::parse(parts[1]);
  if (!read_number(parts[0], offset) || !code || !read_number(parts[2], base) || offset + base < 1 ||
      !read_number(parts[3], decided_at) || !read_number(parts[4], decision.epoch) ||
      !read_number(parts[5], decision.revision) || (parts[6] != "0" && parts[6] != "1") || parts[7].empty()) {
    return corrupt("user " + std::string(user.text()) + " holds what cannot be read: " + std::string(whole));
  }
  decision.refilled = parts[6] == "1";
  decision.coupon.sequence = static_cast<std::uint64_t>(offset + base);
  decision.coupon.user = user;
  decision.coupon.code = *code;
  decision.coupon.decided_at = Timestamp{Duration{decided_at}};
  decision.outbox = parts[7] == "-" ? 0 : packed_entry(parts[7]);
  return decision;
}

std::uint64_t packed_entry(std::string_view id) {
  const auto dash = std::min(id.find('-'), id.size());
  std::uint64_t milliseconds = 0;
  std::uint64_t number = 0;
  if (!read_number(id.substr(0, dash), milliseconds) || dash == id.size() ||
      !read_number(id.substr(dash + 1), number) || number >= (1U << 20U)) {
    return 0;
  }
  return milliseconds << 20U | number;
}

std::string entry_id(std::uint64_t packed) {
  return std::to_string(packed >> 20U) + "-" + std::to_string(packed & ((1U << 20U) - 1));
}

}  // namespace doorbuster::redis
