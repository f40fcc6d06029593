#include <boost/json/stream_parser.hpp>
#include <boost/json/value.hpp>
#include <limits>

#include "proto/event/event_codec.hpp"

namespace doorbuster::event {
namespace {

namespace json = boost::json;

/// Reads the members of one object and keeps the first fault, so that a decoder reads as a list of fields.
class ObjectReader {
 public:
  explicit ObjectReader(const json::object& object) : object_(object) {}

  bool has(std::string_view name) const { return object_.contains(name); }
  bool failed() const { return failed_; }
  Error take_fault() { return std::move(fault_); }

  std::string_view text(std::string_view name) {
    const json::value* value = member(name, "a string");
    if (value == nullptr) return {};
    if (const json::string* text = value->if_string()) return {text->data(), text->size()};
    wrong(name, "a string");
    return {};
  }

  template <class Integer>
  Integer number(std::string_view name) {
    const json::value* value = member(name, "an integer");
    if (value == nullptr) return 0;
    std::uint64_t number = 0;
    if (const auto* unsigned_number = value->if_uint64()) {
      number = *unsigned_number;
    } else if (const auto* signed_number = value->if_int64();
               signed_number != nullptr && *signed_number > 0) {
      number = static_cast<std::uint64_t>(*signed_number);
    }
    if (number == 0 || number > std::numeric_limits<Integer>::max()) {
      wrong(name, "an integer from 1 to " + std::to_string(std::numeric_limits<Integer>::max()));
      return 0;
    }
    return static_cast<Integer>(number);
  }

  bool truth(std::string_view name) {
    if (!has(name)) return false;
    const bool* truth = object_.at(name).if_bool();
    if (truth == nullptr) wrong(name, "true or false");
    return truth != nullptr && *truth;
  }

  /// A text that `parse` understands.
  template <class Parse>
  auto parsed(std::string_view name, Parse parse) {
    const std::string_view found = text(name);
    auto result = parse(found);
    using Value = std::decay_t<decltype(*result)>;
    if (result) return Value(*std::move(result));
    if constexpr (requires { result.error(); }) {
      fail(name, result.error().detail);
    } else {
      fail(name, "'" + std::string(found.substr(0, 40)) + "' is not known");
    }
    return Value{};
  }

  std::optional<Timestamp> optional_time(std::string_view name) {
    if (!has(name)) return std::nullopt;
    return parsed(name, parse_timestamp);
  }

  void fail(std::string_view name, std::string_view why) {
    if (failed_) return;
    failed_ = true;
    fault_ = make_error(ErrorCode::invalid, "event, " + std::string(name) + ": " + std::string(why),
                        std::string(name));
  }

 private:
  const json::value* member(std::string_view name, std::string_view wanted) {
    const json::value* value = object_.if_contains(name);
    if (value == nullptr) fail(name, "missing; it is " + std::string(wanted));
    return value;
  }
  void wrong(std::string_view name, std::string_view wanted) { fail(name, "must be " + std::string(wanted)); }

  const json::object& object_;
  bool failed_ = false;
  Error fault_;
};

Event read_issued(ObjectReader& in) {
  CouponIssued event;
  event.campaign = in.parsed("campaign_id", CampaignId::parse);
  event.epoch = in.number<std::uint32_t>("epoch");
  event.revision = in.number<std::uint32_t>("revision");
  event.refilled = in.truth("refilled");
  event.coupon.sequence = in.number<std::uint64_t>("sequence");
  event.coupon.user = in.parsed("user_id", UserId::parse);
  event.coupon.code = in.parsed("code", CouponCode::parse);
  event.coupon.decided_at = in.parsed("decided_at", parse_timestamp);
  const std::string_view instance = in.text("instance");
  if (instance.size() > 31) {
    in.fail("instance", "at most 31 bytes");
  } else {
    event.instance = InstanceName(instance);
  }
  return event;
}

Event read_campaign(ObjectReader& in) {
  CampaignDefinition definition;
  definition.id = in.parsed("campaign_id", CampaignId::parse);
  definition.name = std::string(in.text("name"));
  definition.limit = in.number<std::uint64_t>("limit");
  definition.starts_at = in.optional_time("starts_at");
  definition.ends_at = in.optional_time("ends_at");
  definition.status = in.parsed("status", parse_campaign_status);
  definition.strategy = in.parsed("strategy", parse_strategy);
  definition.durability = in.parsed("durability", parse_durability);
  definition.revision = in.number<std::uint32_t>("revision");
  definition.epoch = in.number<std::uint32_t>("epoch");
  definition.created_at = in.parsed("created_at", parse_timestamp);
  if (!in.failed()) {
    if (const auto valid = validate(definition); !valid) in.fail(valid.error().field, valid.error().detail);
  }
  return CampaignChanged{std::move(definition)};
}

}  // namespace

Result<Event> from_json(std::string_view text) {
  json::stream_parser parser;
  json::error_code failure;
  const std::size_t consumed = parser.write_some(text.data(), text.size(), failure);
  if (!failure && consumed == text.size()) parser.finish(failure);
  if (failure || consumed != text.size()) {
    return make_error(ErrorCode::malformed, "an event is one JSON object; at offset " +
                                                std::to_string(consumed) + ": " +
                                                (failure ? failure.message() : "more behind it"));
  }
  const json::value value = parser.release();
  const json::object* object = value.if_object();
  if (object == nullptr) return make_error(ErrorCode::malformed, "an event is one JSON object; at offset 0");

  ObjectReader in(*object);
  const auto version = in.number<std::uint64_t>("v");
  if (!in.failed() && version > kEventVersion) {
    return make_error(ErrorCode::unsupported,
                      "this event has version " + std::to_string(version) +
                          "; this program reads up to version " + std::to_string(kEventVersion) +
                          ": use a newer one",
                      "v");
  }
  const std::string_view type = in.text("type");
  if (in.failed()) return in.take_fault();
  Event event;
  if (type == "issued") {
    event = read_issued(in);
  } else if (type == "campaign") {
    event = read_campaign(in);
  } else {
    in.fail("type", "'" + std::string(type.substr(0, 40)) + "' is not known; it is issued or campaign");
  }
  if (in.failed()) return in.take_fault();
  return event;
}

}  // namespace doorbuster::event
