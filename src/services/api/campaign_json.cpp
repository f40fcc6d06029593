#include "services/api/campaign_json.hpp"

#include <algorithm>

#include "services/api/json_object.hpp"
#include "services/api/json_text.hpp"

namespace doorbuster::api {
namespace {

Error wrong_kind(std::string_view field, std::string_view wanted, const JsonValue& value) {
  return make_error(
      ErrorCode::invalid,
      std::string(field) + " must be " + std::string(wanted) + ", and is " + std::string(kind_of(value)),
      std::string(field));
}

Error missing(std::string_view field) {
  return make_error(ErrorCode::invalid, std::string(field) + " is missing", std::string(field));
}

Result<std::string> text_of(const JsonValue& value, std::string_view field) {
  if (const auto* text = std::get_if<std::string>(&value)) return *text;
  return wrong_kind(field, "a string", value);
}

Result<std::uint64_t> count_of(const JsonValue& value, std::string_view field) {
  if (const auto* number = std::get_if<std::uint64_t>(&value)) return *number;
  return wrong_kind(field, "a positive integer", value);
}

Result<std::optional<Timestamp>> time_of(const JsonValue& value, std::string_view field) {
  if (std::holds_alternative<std::nullptr_t>(value)) return std::optional<Timestamp>();
  const auto* text = std::get_if<std::string>(&value);
  if (text == nullptr) return wrong_kind(field, "a time as in RFC 3339, or null", value);
  const auto time = parse_timestamp(*text);
  if (!time) return make_error(ErrorCode::invalid, time.error().detail, std::string(field));
  return std::optional<Timestamp>(*time);
}

Result<Strategy> strategy_of(const JsonValue& value) {
  const auto text = text_of(value, "strategy");
  if (!text) return text.error();
  const auto strategy = parse_strategy(*text);
  if (!strategy) {
    return make_error(ErrorCode::invalid, "there is no strategy '" + *text + "'; the default is 'atomic'",
                      "strategy");
  }
  return *strategy;
}

Result<Durability> durability_of(const JsonValue& value) {
  const auto text = text_of(value, "durability");
  if (!text) return text.error();
  const auto durability = parse_durability(*text);
  if (!durability) {
    return make_error(ErrorCode::invalid, "there is no durability '" + *text + "'; the default is 'log'",
                      "durability");
  }
  return *durability;
}

/// Stores a value that could be read, and hands its error on otherwise.
template <class T, class Into>
Result<void> keep(Result<T> read, Into& into) {
  if (!read) return read.error();
  into = std::move(*read);
  return {};
}

Result<void> read_id(const JsonValue& value, CampaignId& into) {
  const auto text = text_of(value, "id");
  if (!text) return text.error();
  const auto id = CampaignId::parse(*text);
  if (!id) return make_error(ErrorCode::invalid, id.error().detail, "id");
  into = *id;
  return {};
}

Result<void> read_member(const JsonMember& member, CampaignDefinition& into) {
  const auto& [name, value] = member;
  if (name == "id") return read_id(value, into.id);
  if (name == "name") return keep(text_of(value, name), into.name);
  if (name == "limit") return keep(count_of(value, name), into.limit);
  if (name == "starts_at") return keep(time_of(value, name), into.starts_at);
  if (name == "ends_at") return keep(time_of(value, name), into.ends_at);
  if (name == "strategy") return keep(strategy_of(value), into.strategy);
  if (name == "durability") return keep(durability_of(value), into.durability);
  return make_error(ErrorCode::invalid,
                    "a campaign has no '" + name +
                        "'; there are id, name, limit, starts_at, ends_at, strategy and durability",
                    name);
}

Result<void> read_member(const JsonMember& member, CampaignPatch& into) {
  const auto& [name, value] = member;
  if (name == "name") return keep(text_of(value, name), into.name);
  if (name == "limit") return keep(count_of(value, name), into.limit);
  if (name == "starts_at") return keep(time_of(value, name), into.starts_at);
  if (name == "ends_at") return keep(time_of(value, name), into.ends_at);
  if (name == "state") {
    const auto text = text_of(value, name);
    if (!text) return text.error();
    into.status = parse_campaign_status(*text);
    if (into.status) return {};
    return make_error(ErrorCode::invalid, "state can be set to open, paused or ended, not to '" + *text + "'",
                      name);
  }
  return make_error(ErrorCode::invalid,
                    "'" + name + "' cannot be changed; name, limit, starts_at, ends_at and state can", name);
}

void append_optional_time(std::string& out, const std::optional<Timestamp>& time) {
  if (time) {
    append_json_time(out, *time);
  } else {
    out += "null";
  }
}

}  // namespace

Result<CampaignDefinition> parse_campaign(std::string_view body, Strategy strategy) {
  const auto object = JsonObject::parse(body);
  if (!object) return object.error();
  CampaignDefinition definition;
  definition.strategy = strategy;
  for (const auto& member : object->members()) {
    if (const auto read = read_member(member, definition); !read) return read.error();
  }
  for (const std::string_view field : {"id", "name", "limit"}) {
    if (object->find(field) == nullptr) return missing(field);
  }
  return definition;
}

Result<CampaignPatch> parse_campaign_patch(std::string_view body) {
  const auto object = JsonObject::parse(body);
  if (!object) return object.error();
  if (object->members().empty()) {
    return make_error(ErrorCode::invalid,
                      "nothing to change is named; name, limit, starts_at, ends_at and state can be changed");
  }
  CampaignPatch patch;
  for (const auto& member : object->members()) {
    if (const auto read = read_member(member, patch); !read) return read.error();
  }
  return patch;
}

void append_campaign_json(std::string& out, const CampaignView& view) {
  const auto& definition = view.definition;
  out += R"({"id":")";
  out += definition.id.text();
  out += R"(","name":)";
  append_json_string(out, definition.name);
  out += R"(,"limit":)";
  append_json_number(out, definition.limit);
  out += R"(,"issued":)";
  append_json_number(out, view.issued);
  out += R"(,"remaining":)";
  append_json_number(out, definition.limit - std::min(definition.limit, view.issued));
  out += R"(,"state":")";
  out += to_text(view.state);
  out += R"(","starts_at":)";
  append_optional_time(out, definition.starts_at);
  out += R"(,"ends_at":)";
  append_optional_time(out, definition.ends_at);
  out += R"(,"strategy":")";
  out += to_text(definition.strategy);
  out += R"(","durability":")";
  out += to_text(definition.durability);
  out += R"(","revision":)";
  append_json_number(out, definition.revision);
  out += R"(,"epoch":)";
  append_json_number(out, definition.epoch);
  out += R"(,"created_at":)";
  append_json_time(out, definition.created_at);
  out += '}';
}

}  // namespace doorbuster::api
